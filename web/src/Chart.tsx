import { HeatmapChart, LineChart, ScatterChart } from "echarts/charts";
import { CalendarComponent, GridComponent, LegendComponent, MarkLineComponent, TooltipComponent, VisualMapComponent } from "echarts/components";
import * as echarts from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";
import { useEffect, useRef } from "react";

echarts.use([
  LineChart, ScatterChart, HeatmapChart, CalendarComponent, GridComponent, LegendComponent, MarkLineComponent, TooltipComponent, VisualMapComponent,
  CanvasRenderer,
]);

export type Option = echarts.EChartsCoreOption;

/** A chart that follows its box and its option. A click gives the data of what was clicked. */
export function Chart({ option, label, className = "chart", onClick }: {
  option: Option; label: string; className?: string; onClick?: (data: unknown) => void;
}) {
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
    chart.current?.setOption(option, { notMerge: true });
  }, [option]);
  useEffect(() => {
    const c = chart.current;
    if (!c || !onClick) return;
    const heard = (e: { data?: unknown }) => onClick(e.data);
    c.on("click", heard as never);
    return () => {
      if (!c.isDisposed()) c.off("click", heard as never);
    };
  }, [onClick]);
  return <div className={className} ref={host} role="img" aria-label={label} />;
}

/** A colour of the page, by its name in style.css. */
export const colour = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** How axes look: quiet. */
export const axis = () => ({ axisLabel: { color: colour("--muted") }, nameTextStyle: { color: colour("--muted") } });
export const quiet = () => ({ splitLine: { lineStyle: { color: colour("--line") } } });
