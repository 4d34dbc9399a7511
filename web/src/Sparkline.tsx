import type { Point } from "./history";

const WIDTH = 220;
const HEIGHT = 46;

/** Load as an area under the line of ready capacity; gaps where nothing was reported. */
export function Sparkline({ points }: { points: Point[] }) {
  const recent = points.slice(-180);
  const top = Math.max(1, ...recent.map((p) => Math.max(p.load ?? 0, p.capacity ?? 0))) * 1.08;
  const x = (i: number) => (i / Math.max(1, recent.length - 1)) * WIDTH;
  const y = (v: number) => HEIGHT - (v / top) * HEIGHT;
  return (
    <svg className="spark" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
      {segments(recent, (p) => p.load).map((s) => (
        <path key={s[0]!.i} className="load" d={`M${x(s[0]!.i)},${HEIGHT} ${s.map((p) => `L${x(p.i)},${y(p.v)}`).join(" ")} L${x(s.at(-1)!.i)},${HEIGHT}Z`} />
      ))}
      {segments(recent, (p) => p.capacity).map((s) => (
        <path key={s[0]!.i} className="capacity" d={`M${s.map((p) => `${x(p.i)},${y(p.v)}`).join(" L")}`} />
      ))}
    </svg>
  );
}

/** Runs of present values, each with its index. */
function segments(points: Point[], value: (p: Point) => number | null): { i: number; v: number }[][] {
  const runs: { i: number; v: number }[][] = [];
  let open = false;
  points.forEach((p, i) => {
    const v = value(p);
    if (v == null) {
      open = false;
      return;
    }
    if (!open) runs.push([]);
    runs.at(-1)!.push({ i, v });
    open = true;
  });
  return runs;
}
