import type { Decision, Snapshot } from "./types";

/** One second of one service; null is "not reported", which is not zero. */
export interface Point {
  at: number;
  load: number | null;
  capacity: number | null;
  ready: number | null;
  wanted: number | null;
}

export type Histories = Record<string, Point[]>;

export const WINDOW_MS = 10 * 60_000;
export const DECISIONS_KEPT = 50;

/** Appends a snapshot to each service's history and drops what left the window. */
export function append(histories: Histories, snapshot: Snapshot): Histories {
  const at = Date.parse(snapshot.at);
  const next: Histories = {};
  for (const s of snapshot.services ?? []) {
    const point: Point = {
      at,
      load: s.metrics?.throughput ?? null,
      capacity: s.scaling ? s.scaling.ready * s.capacityRps : null,
      ready: s.scaling?.ready ?? null,
      wanted: s.scaling?.desired ?? null,
    };
    const kept = (histories[s.service] ?? []).filter((p) => p.at > at - WINDOW_MS && p.at < at);
    next[s.service] = [...kept, point];
  }
  return next;
}

/** Merges decisions by ID, newest first: a later copy carries the newer outcome. */
export function merge(known: Decision[], arrived: Decision[]): Decision[] {
  const byID = new Map(known.map((d) => [d.id, d]));
  for (const d of arrived) byID.set(d.id, d);
  return [...byID.values()]
    .sort((a, b) => b.createdAt.localeCompare(a.createdAt) || b.id.localeCompare(a.id))
    .slice(0, DECISIONS_KEPT);
}
