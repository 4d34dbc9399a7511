import { useMemo } from "react";
import { axis, Chart, colour, quiet, type Option } from "./Chart";
import type { Point } from "./history";

/** Load against ready capacity, and replicas ready and wanted, over the last minutes. */
export function LoadChart({ points }: { points: Point[] }) {
  const drawn = useMemo(() => option(points), [points]);
  return <Chart option={drawn} label="Load, capacity and replicas over the last ten minutes" />;
}

function option(points: Point[]): Option {
  const line = (name: string, value: (p: Point) => number | null, over: object) => ({
    name, type: "line", showSymbol: false, connectNulls: false, animation: false,
    data: points.map((p) => [p.at, value(p)]), ...over,
  });
  return {
    grid: { left: 58, right: 48, top: 36, bottom: 26 },
    legend: { top: 0, textStyle: { color: colour("--text") } },
    tooltip: { trigger: "axis", valueFormatter: (v: unknown) => (typeof v === "number" ? Math.round(v).toLocaleString("en-GB") : "–") },
    xAxis: { type: "time", ...axis() },
    yAxis: [
      { type: "value", name: "req/s", min: 0, ...axis(), ...quiet() },
      { type: "value", name: "replicas", min: 0, minInterval: 1, splitLine: { show: false }, ...axis() },
    ],
    series: [
      line("load", (p) => p.load, { areaStyle: { opacity: 0.18 }, lineStyle: { width: 1.5 }, color: colour("--load") }),
      line("ready capacity", (p) => p.capacity, { lineStyle: { width: 2 }, color: colour("--good"), step: "end" }),
      line("replicas ready", (p) => p.ready, { yAxisIndex: 1, step: "end", lineStyle: { width: 1 }, color: colour("--muted") }),
      line("replicas wanted", (p) => p.wanted, { yAxisIndex: 1, step: "end", lineStyle: { width: 1.5, type: "dashed" }, color: colour("--accent") }),
    ],
  };
}
