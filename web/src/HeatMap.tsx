import { useMemo } from "react";
import { Chart, colour, type Option } from "./Chart";
import { METHODS } from "./day";
import { number } from "./format";
import type { DayLoad } from "./types";

/** The predicted peak of each day of the coming year; a click chooses a day. */
export function HeatMap({ days, chosen, onChoose }: { days: DayLoad[]; chosen: string; onChoose: (date: string) => void }) {
  const drawn = useMemo(() => option(days, chosen), [days, chosen]);
  const choose = useMemo(() => (data: unknown) => {
    const date = (data as { value?: unknown[] } | undefined)?.value?.[0];
    if (typeof date === "string") onChoose(date);
  }, [onChoose]);
  return <Chart className="heatmap" option={drawn} onClick={choose} label="Predicted peak load of each day of the coming year" />;
}

function option(days: DayLoad[], chosen: string): Option {
  const by = new Map(days.map((d) => [d.date, d]));
  const peaks = days.map((d) => d.peakP90).filter((v) => v > 0);
  return {
    tooltip: {
      formatter: (p: { value: unknown[] }) => {
        const d = by.get(String(p.value[0]));
        if (!d) return "";
        const time = d.peakAt.slice(11, 16);
        return `<b>${d.date}</b> (UTC)<br>${d.weddings} weddings, ${number(d.guests)} guests<br>` +
          `peak at ${time}: ${number(d.peakP50)} req/s expected, ${number(d.peakP90)} in nine of ten<br>by ${METHODS[d.method] ?? d.method}`;
      },
    },
    visualMap: {
      min: Math.min(...peaks, 0), max: Math.max(...peaks, 1), orient: "horizontal", right: 10, top: 0, itemHeight: 90, itemWidth: 10, calculable: false,
      text: ["busy", "calm"], textStyle: { color: colour("--muted") }, formatter: (v: number) => number(v),
      inRange: { color: [colour("--heat-low"), colour("--load"), colour("--accent"), colour("--bad")] },
    },
    calendar: {
      range: [days[0]?.date ?? "", days.at(-1)?.date ?? ""], left: 40, right: 10, top: 58, bottom: 6, cellSize: ["auto", "auto"],
      splitLine: { lineStyle: { color: colour("--muted"), width: 1 } }, yearLabel: { show: false },
      itemStyle: { color: colour("--panel"), borderColor: colour("--line") },
      dayLabel: { firstDay: 1, color: colour("--muted"), nameMap: ["Su", "Mo", "Tu", "We", "Th", "Fr", "Sa"] },
      monthLabel: { color: colour("--muted") },
    },
    series: [{
      type: "heatmap", coordinateSystem: "calendar",
      data: days.map((d) => ({
        value: [d.date, d.peakP90],
        itemStyle: d.date === chosen ? { borderColor: colour("--text"), borderWidth: 2 } : undefined,
      })),
    }],
  };
}
