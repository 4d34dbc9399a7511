import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { predictedHours, reservations, timeline, weddingsOf } from "./api";
import { axis, Chart, colour, quiet, type Option } from "./Chart";
import { floorSteps, METHODS, spanOf } from "./day";
import { number, venueTime } from "./format";
import type { HourLoad, Reservation, TimelinePoint, Wedding } from "./types";

const REFRESH_MS = 60_000;

/** One day of one service: ceremonies, the forecast's band, what was measured, floors and replicas. */
export function DayTimeline({ token, service, date }: { token: string; service: string; date: string }) {
  const { from, until } = useMemo(() => spanOf(date), [date]);
  const { data, error, isPending } = useQuery({
    queryKey: ["day", token, service, date],
    queryFn: async ({ signal }) => {
      const [hours, steps, weddings, claims] = await Promise.all([
        predictedHours(token, service, from, until, signal), timeline(token, service, from, until, signal),
        weddingsOf(token, from, until, signal), reservations(token, service, signal),
      ]);
      return { hours, steps, weddings, claims };
    },
    refetchInterval: REFRESH_MS,
    retry: 1,
  });
  const drawn = useMemo(() => (data ? option({ ...data, from: Date.parse(from), until: Date.parse(until) }) : null), [data, from, until]);
  return (
    <>
      {isPending && <p className="empty">Loading …</p>}
      {error && <p className="refusal" role="alert">{error.message}</p>}
      {data && drawn && (
        <>
          <p className="sentence">{summary(data)}</p>
          <Chart className="chart tall" option={drawn} label={`Ceremonies, forecast, load, floor and replicas of ${service} on ${date}`} />
        </>
      )}
    </>
  );
}

interface Day { hours: HourLoad[]; steps: TimelinePoint[]; weddings: Wedding[]; claims: Reservation[] }

function summary({ hours, weddings }: Day): string {
  const count = weddings.filter((w) => w.status !== "cancelled");
  const guests = count.reduce((sum, w) => sum + w.guests, 0);
  const peak = hours.reduce<HourLoad | null>((best, h) => (best === null || h.p50 > best.p50 ? h : best), null);
  const load = peak
    ? `the busiest hour is ${peak.at.slice(11, 16)} UTC with ${number(peak.p50)} req/s expected${peak.p95 == null ? "" : `, ${number(peak.p95)} in 19 of 20${peak.intervalAssumed ? " (assumed: too little was measured to know)" : ""}`}: ${peak.replicas} replicas; by ${METHODS[peak.method] ?? peak.method}.`
    : "nothing is predicted.";
  return `${count.length === 100 ? "100 or more" : count.length} weddings with ${number(guests)} guests; ${load}`;
}

interface Shown { seriesName: string; marker: string; value: [number, number | null]; axisValue: number }

/** The 5th percentile of an hour, which with the 95th bounds nine of ten. */
const low = (h: HourLoad): number | undefined => h.quantiles?.find((q) => q.quantile === 0.05)?.rps;

/** What the pointer is on; the band as its ends, which the chart draws as a sum. */
function tip(list: Shown[], hours: HourLoad[]): string {
  const at = list[0]?.axisValue ?? 0;
  const hour = hours.findLast((h) => Date.parse(h.at) <= at);
  const rows = list
    .filter((s) => s.seriesName !== "forecast, low" && s.value[1] != null)
    .map((s) => {
      const value = s.seriesName !== "forecast, nine of ten" || !hour ? number(s.value[1] ?? undefined)
        : `${number(low(hour))} to ${number(hour.p95)}${hour.intervalAssumed ? ", assumed" : ""}`;
      return `${s.marker} ${s.seriesName}: <b>${value}</b>`;
    });
  return [`${new Date(at).toISOString().slice(11, 16)} UTC`, ...rows].join("<br>");
}

function option({ hours, steps, weddings, claims, from, until }: Day & { from: number; until: number }): Option {
  const text = { color: colour("--text") };
  const hour = (value: (h: HourLoad) => number | undefined) => hours.map((h) => [Date.parse(h.at), value(h) ?? null]);
  const step = (value: (p: TimelinePoint) => number | undefined) => steps.map((p) => [Date.parse(p.at), value(p) ?? null]);
  const line = (name: string, data: unknown[], over: object) => ({ name, type: "line", showSymbol: data.length < 3, animation: false, xAxisIndex: 1, yAxisIndex: 1, data, ...over });
  const ceremony = (w: Wedding) => ({
    value: [Math.min(Math.max(Date.parse(w.startsAt), from), until), 0, w.guests],
    name: `${venueTime(w.startsAt, w.timeZone)} in ${w.timeZone}<br>${number(w.guests)} guests, ${w.status}`,
    itemStyle: { opacity: w.status === "cancelled" ? 0.15 : 0.6 },
  });
  return {
    grid: [{ left: 58, right: 48, top: 40, height: 34 }, { left: 58, right: 48, top: 84, bottom: 26 }],
    legend: { top: 0, type: "scroll", textStyle: text, data: ["ceremonies", "forecast, nine of ten", "forecast, expected", "measured", "floor", "replicas ready"] },
    tooltip: { trigger: "axis", formatter: (list: Shown[]) => tip(list, hours) },
    xAxis: [
      { type: "time", gridIndex: 0, min: from, max: until, show: false },
      { type: "time", gridIndex: 1, min: from, max: until, ...axis() },
    ],
    yAxis: [
      { type: "value", gridIndex: 0, min: -1, max: 1, show: false },
      { type: "value", gridIndex: 1, name: "req/s", min: 0, ...axis(), ...quiet() },
      { type: "value", gridIndex: 1, name: "replicas", min: 0, minInterval: 1, splitLine: { show: false }, ...axis() },
    ],
    series: [
      {
        name: "ceremonies", type: "scatter", xAxisIndex: 0, yAxisIndex: 0, color: colour("--accent"), animation: false,
        symbolSize: (v: number[]) => 6 + Math.sqrt(v[2] ?? 0) / 1.4, tooltip: { trigger: "item", formatter: (p: { name: string }) => p.name }, data: weddings.map(ceremony),
      },
      line("forecast, low", hour(low), { stack: "band", lineStyle: { opacity: 0 }, color: colour("--accent"), tooltip: { show: false } }),
      line("forecast, nine of ten", hour((h) => (h.p95 == null ? undefined : h.p95 - (low(h) ?? 0))), { stack: "band", lineStyle: { opacity: 0 }, areaStyle: { opacity: 0.16 }, color: colour("--accent"), tooltip: { show: false } }),
      line("forecast, expected", hour((h) => h.p50), { lineStyle: { width: 2 }, color: colour("--accent") }),
      line("measured", step((p) => p.rps), { lineStyle: { width: 1.5 }, color: colour("--load") }),
      line("floor", floorSteps(claims, from, until), { yAxisIndex: 2, step: "end", lineStyle: { width: 2, type: "dashed" }, color: colour("--warn") }),
      line("replicas ready", step((p) => p.ready), { yAxisIndex: 2, step: "end", lineStyle: { width: 1.5 }, color: colour("--good") }),
    ],
  };
}
