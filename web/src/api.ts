import { createParser } from "eventsource-parser";
import { caller } from "./session";
import type { CalendarStatus, DayLoad, ForecastAccuracy, HourLoad, Problem, Reservation, Season, SeasonPlan, Snapshot, TimelinePoint, Wedding, WeddingDay } from "./types";

const BASE = "/api/scalability";

/** An answer that is not a success, with the server's own words where it gave any. */
export class ApiError extends Error {
  constructor(readonly status: number, readonly problem?: Problem) {
    super(problem ? [problem.title, problem.detail].filter(Boolean).join(": ") : `HTTP ${status}`);
  }
}

async function refuse(response: Response): Promise<never> {
  let problem: Problem | undefined;
  try {
    problem = (await response.json()) as Problem;
  } catch {
    // A proxy's page is no problem document: the status has to do.
  }
  throw new ApiError(response.status, problem);
}

async function get<T>(path: string, token: string, signal?: AbortSignal): Promise<T> {
  const response = await fetch(BASE + path, { headers: caller(token), signal });
  if (!response.ok) await refuse(response);
  return (await response.json()) as T;
}

/** Weddings that start in the next days, earliest first. */
export async function comingWeddings(token: string, days: number, signal?: AbortSignal): Promise<Wedding[]> {
  const from = new Date();
  const until = new Date(from.getTime() + days * 86_400_000);
  const query = new URLSearchParams({ from: from.toISOString(), until: until.toISOString(), limit: "50" });
  const page = await get<{ items: Wedding[] | null }>(`/weddings?${query}`, token, signal);
  return page.items ?? [];
}

const items = async <T>(path: string, query: Record<string, string>, token: string, signal?: AbortSignal): Promise<T[]> =>
  (await get<{ items: T[] | null }>(`${path}?${new URLSearchParams(query)}`, token, signal)).items ?? [];

/** The highest hour of each day. */
export const predictedDays = (token: string, service: string, from: string, until: string, signal?: AbortSignal) =>
  items<DayLoad>("/predictions/days", { service, from, until }, token, signal);

/** The hours of some days. */
export const predictedHours = (token: string, service: string, from: string, until: string, signal?: AbortSignal) =>
  items<HourLoad>("/predictions/hours", { service, from, until }, token, signal);

/** How the stored forecasts of a service did, and whether they are trusted. */
export const forecastAccuracy = (token: string, service: string, days: number, signal?: AbortSignal) =>
  get<ForecastAccuracy>(`/predictions/accuracy?${new URLSearchParams({ service, days: String(days) })}`, token, signal);

/** Seasons, the latest first. */
export const seasons = (token: string, signal?: AbortSignal) => items<Season>("/seasons", {}, token, signal);

/** One season with its gates. */
export const seasonOf = (token: string, id: string, signal?: AbortSignal) => get<Season>(`/seasons/${id}`, token, signal);

/** The version of a season's plan that waits for a person, else the one in effect. */
export const seasonPlan = (token: string, id: string, signal?: AbortSignal) => get<SeasonPlan>(`/seasons/${id}/plan`, token, signal);

/** A person's answer to a plan. */
export async function answerPlan(token: string, id: string, verdict: "approve" | "reject", version: number, reason: string): Promise<void> {
  const response = await fetch(`${BASE}/seasons/${id}/${verdict}`, {
    method: "POST", headers: { ...caller(token), "Content-Type": "application/json" }, body: JSON.stringify({ reason, version }),
  });
  if (!response.ok) await refuse(response);
}

/** What was measured and what there was. */
export const timeline = (token: string, service: string, from: string, until: string, signal?: AbortSignal) =>
  items<TimelinePoint>(`/services/${service}/timeline`, { from, until, stepSeconds: "300" }, token, signal);

/** Weddings that overlap a time, up to 100. */
export const weddingsOf = (token: string, from: string, until: string, signal?: AbortSignal) =>
  items<Wedding>("/weddings", { from, until, limit: "100" }, token, signal);

/** How old the calendar is. */
export const calendarStatus = (token: string, signal?: AbortSignal) => get<CalendarStatus>("/calendar", token, signal);

/** The wedding days of a date: none, one, or more where regions have their own. */
export const weddingDays = (token: string, date: string, signal?: AbortSignal) =>
  items<WeddingDay>("/wedding-days", { from: date, until: date }, token, signal);

/** The newest claims on a service, ended ones too. */
export const reservations = (token: string, service: string, signal?: AbortSignal) =>
  items<Reservation>("/reservations", { service }, token, signal);

/**
 * Follows the live stream until the signal aborts or the stream ends. Rejects with an
 * ApiError when the server refuses, so that a bad token is told from a lost network.
 */
export async function follow(token: string, onSnapshot: (s: Snapshot) => void, signal: AbortSignal): Promise<void> {
  const response = await fetch(`${BASE}/metrics/realtime`, {
    headers: { ...caller(token), Accept: "text/event-stream" },
    signal,
  });
  if (!response.ok || !response.body) await refuse(response);
  const parser = createParser({
    onEvent: (event) => {
      if (event.event === "snapshot") onSnapshot(JSON.parse(event.data) as Snapshot);
    },
  });
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    parser.feed(value);
  }
}
