const count = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 });

export const DASH = "–";

export const number = (v: number | null | undefined): string => (v == null ? DASH : count.format(v));
export const percent = (v: number | null | undefined, digits = 0): string =>
  v == null ? DASH : `${(v * 100).toFixed(digits)} %`;
export const millis = (v: number | null | undefined): string =>
  v == null ? DASH : v >= 10_000 ? `${(v / 1000).toFixed(0)} s` : `${count.format(v)} ms`;

/** "in 3 h", "12 s ago": how far a time is from now, in one unit. */
export function distance(iso: string, now: number): string {
  const seconds = Math.round((Date.parse(iso) - now) / 1000);
  const magnitude = Math.abs(seconds);
  const [value, unit] =
    magnitude < 60 ? [magnitude, "s"]
    : magnitude < 3600 ? [Math.round(magnitude / 60), "min"]
    : magnitude < 172_800 ? [Math.round(magnitude / 3600), "h"]
    : [Math.round(magnitude / 86_400), "days"];
  return seconds > 0 ? `in ${value} ${unit}` : `${value} ${unit} ago`;
}

/** A wedding's local date and time in its venue's zone. */
export function venueTime(iso: string, timeZone: string): string {
  return new Intl.DateTimeFormat("en-GB", {
    timeZone, weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit",
  }).format(new Date(iso));
}
