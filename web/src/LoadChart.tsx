import { LineChart } from "echarts/charts";
import { GridComponent, LegendComponent, TooltipComponent } from "echarts/components";
import * as echarts from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";
import { useEffect, useRef } from "react";
import type { Point } from "./history";

echarts.use([LineChart, GridComponent, LegendComponent, TooltipComponent, CanvasRenderer]);

/** Load against ready capacity, and replicas ready and wanted, over the last minutes. */
export function LoadChart({ points }: { points: Point[] }) {
  const host = useRef<HTMLDivElement>(null);
  const chart = useRef<echarts.ECharts | null>(null);
  useEffect(() => {
    const c = echarts.init(host.current!);
    chart.current = c;
    const observer = new ResizeObserver(() => c.resize());
    observer.observe(host.current!);
    return () => {
      observer.disconnect();
      c.dispose();
    };
  }, []);
  useEffect(() => {
    chart.current?.setOption(option(points));
  }, [points]);
  return <div className="chart" ref={host} role="img" aria-label="Load, capacity and replicas over the last ten minutes" />;
}

function option(points: Point[]): echarts.EChartsCoreOption {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const line = (name: string, value: (p: Point) => number | null, over: object) => ({
    name, type: "line", showSymbol: false, connectNulls: false, animation: false,
    data: points.map((p) => [p.at, value(p)]), ...over,
  });
  const axis = { axisLabel: { color: colour("--muted") }, nameTextStyle: { color: colour("--muted") } };
  const quiet = { splitLine: { lineStyle: { color: colour("--line") } } };
  return {
    grid: { left: 58, right: 48, top: 36, bottom: 26 },
    legend: { top: 0, textStyle: { color: colour("--text") } },
    tooltip: { trigger: "axis", valueFormatter: (v: unknown) => (typeof v === "number" ? Math.round(v).toLocaleString("en-GB") : "–") },
    xAxis: { type: "time", ...axis },
    yAxis: [
      { type: "value", name: "req/s", min: 0, ...axis, ...quiet },
      { type: "value", name: "replicas", min: 0, minInterval: 1, splitLine: { show: false }, ...axis },
    ],
    series: [
      line("load", (p) => p.load, { areaStyle: { opacity: 0.18 }, lineStyle: { width: 1.5 }, color: colour("--load") }),
      line("ready capacity", (p) => p.capacity, { lineStyle: { width: 2 }, color: colour("--good"), step: "end" }),
      line("replicas ready", (p) => p.ready, { yAxisIndex: 1, step: "end", lineStyle: { width: 1 }, color: colour("--muted") }),
      line("replicas wanted", (p) => p.wanted, { yAxisIndex: 1, step: "end", lineStyle: { width: 1.5, type: "dashed" }, color: colour("--accent") }),
    ],
  };
}
