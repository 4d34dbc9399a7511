import type { Reservation } from "./types";

export const DAY_MS = 86_400_000;

/** The floor that claims make over a span, as steps [time, replicas]: the largest that counts at each time. */
export function floorSteps(claims: Reservation[], from: number, until: number): [number, number][] {
  const floors = claims
    .filter((r) => r.kind === "floor")
    .map((r) => ({ from: Date.parse(r.from), until: Math.min(Date.parse(r.until), r.endedAt ? Date.parse(r.endedAt) : Infinity), replicas: r.replicas }))
    .filter((r) => r.from < until && r.until > from);
  const times = [from, ...floors.flatMap((r) => [r.from, r.until]).filter((t) => t > from && t < until), until];
  const at = (t: number) => Math.max(0, ...floors.filter((r) => r.from <= t && t < r.until).map((r) => r.replicas));
  return [...new Set(times)].sort((a, b) => a - b).map((t) => [t, at(Math.min(t, until - 1))]);
}

/** The ends of a UTC date. */
export function spanOf(date: string): { from: string; until: string } {
  const from = Date.parse(`${date}T00:00:00Z`);
  return { from: new Date(from).toISOString(), until: new Date(from + DAY_MS).toISOString() };
}

/** A date some days from another, both UTC. */
export const shift = (date: string, days: number): string => new Date(Date.parse(`${date}T00:00:00Z`) + days * DAY_MS).toISOString().slice(0, 10);

/** How a forecast was made, for people. */
export const METHODS: Record<string, string> = {
  "": "nothing is predicted",
  calendar_only: "the calendar alone, on an assumed base",
  recent_level: "the recent level",
  cohort: "what services like it do, at its own level",
  seasonal_naive: "the same hours of last week",
  ensemble: "several models, weighted by how they did",
  long_range: "level, season, weekday and hour, with the guests of the calendar",
};
