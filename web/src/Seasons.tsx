import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { answerPlan, seasonOf, seasonPlan, seasons } from "./api";
import { axis, Chart, colour, quiet, type Option } from "./Chart";
import { number } from "./format";
import { worstDeficits } from "./deficits";
import type { PlanWeek, Season, SeasonPlan } from "./types";

const REFRESH_MS = 30_000;
const PHASES: Record<string, string> = {
  "": "not begun", approval: "waits for approval", preparing: "is prepared", running: "runs", wind_down: "winds down", done: "is over",
};
const MARKS: Record<string, string> = { passed: "good", failed: "bad", missed: "bad", skipped: "warn", "": "" };

/** Seasons, with the newest one's plan, its gates and the answer that it may wait for. */
export function Seasons({ token, service }: { token: string; service: string }) {
  const { data, error } = useQuery({
    queryKey: ["seasons", token], queryFn: ({ signal }) => seasons(token, signal), refetchInterval: REFRESH_MS, retry: 1,
  });
  const [chosen, setChosen] = useState("");
  const current = data?.find((s) => s.id === chosen) ?? data?.[0];
  return (
    <section className="panel wide" aria-label="Seasons">
      <h2>
        Seasons
        {data && data.length > 1 && (
          <label className="choice">
            season{" "}
            <select value={current?.id} onChange={(e) => setChosen(e.target.value)}>{data.map((s) => <option key={s.id}>{s.id}</option>)}</select>
          </label>
        )}
      </h2>
      {error && <p className="refusal" role="alert">{error.message}</p>}
      {data?.length === 0 && <p className="empty">None is prepared. The yearly schedule starts one, or <code>wedsync season plan</code>.</p>}
      {current && <OneSeason key={current.id} token={token} service={service} season={current} />}
    </section>
  );
}

function OneSeason({ token, service, season }: { token: string; service: string; season: Season }) {
  const { data: full } = useQuery({
    queryKey: ["season", token, season.id], queryFn: ({ signal }) => seasonOf(token, season.id, signal), refetchInterval: REFRESH_MS, retry: 1,
  });
  const planned = season.proposedVersion || season.effectiveVersion;
  const { data: plan, error } = useQuery({
    queryKey: ["plan", token, season.id, planned], queryFn: ({ signal }) => seasonPlan(token, season.id, signal), enabled: planned > 0, retry: 1,
  });
  return (
    <>
      <p className="sentence">
        <b>{season.id}</b> {PHASES[season.phase] ?? season.phase}{season.outcome && `, ${season.outcome}`}. {season.sentence}
      </p>
      {full?.gates && full.gates.length > 0 && (
        <p className="gates">
          {full.gates.map((g) => (
            <em key={g.gate} className={`badge ${MARKS[g.status] ?? ""}`} title={[g.text, ...(g.remedies ?? [])].join("\n")}>
              {g.gate.replaceAll("_", " ")}: {g.status || "due"}
            </em>
          ))}
        </p>
      )}
      {error && <p className="refusal" role="alert">{error.message}</p>}
      {plan && <Plan plan={plan} service={service} said={season.sentence} />}
      {season.proposedVersion > 0 && plan && <Answer token={token} season={season} />}
    </>
  );
}

function Plan({ plan, service, said }: { plan: SeasonPlan; service: string; said: string }) {
  const weeks = useMemo(() => (plan.weeks ?? []).filter((w) => w.service === service), [plan, service]);
  const drawn = useMemo(() => option(weeks), [weeks]);
  return (
    <>
      {!said.includes(plan.sentence) && <p className="sentence">{plan.sentence}</p>}
      {worstDeficits(plan.deficits ?? []).map(({ worst, more }) => (
        <p key={`${worst.service}/${worst.ceiling}`} className="refusal">
          {worst.text}{more > 0 && `, and less in ${more} other weeks`}: {(worst.remedies ?? []).join(" · ")}.
        </p>
      ))}
      {weeks.length > 0 && <Chart className="chart" option={drawn} label={`Floor and peak of ${service} in each week of the season`} />}
    </>
  );
}

/** A yes or a no with its reason, for a plan that waits for a person. */
function Answer({ token, season }: { token: string; season: Season }) {
  const [reason, setReason] = useState("");
  const queries = useQueryClient();
  const answer = useMutation({
    mutationFn: (verdict: "approve" | "reject") => answerPlan(token, season.id, verdict, season.proposedVersion, reason.trim()),
    onSuccess: () => queries.invalidateQueries({ predicate: (q) => ["seasons", "season", "plan"].includes(String(q.queryKey[0])) }),
  });
  const ready = reason.trim().length >= 3 && !answer.isPending;
  return (
    <form className="answer" onSubmit={(e) => e.preventDefault()}>
      <label>
        Reason <input value={reason} onChange={(e) => setReason(e.target.value)} maxLength={500} placeholder="why, for the record" />
      </label>
      <button type="submit" disabled={!ready} onClick={() => answer.mutate("approve")}>Approve version {season.proposedVersion}</button>
      <button type="button" className="plain" disabled={!ready} onClick={() => answer.mutate("reject")}>Reject</button>
      {answer.error && <span className="refusal" role="alert">{answer.error.message}</span>}
    </form>
  );
}

function option(weeks: PlanWeek[]): Option {
  const step = (name: string, value: (w: PlanWeek) => number, over: object) => ({
    name, type: "line", step: "end", showSymbol: false, animation: false, data: weeks.map((w) => [Date.parse(w.from), value(w)]), ...over,
  });
  return {
    grid: { left: 48, right: 56, top: 36, bottom: 26 },
    legend: { top: 0, type: "scroll", textStyle: { color: colour("--text") } },
    tooltip: { trigger: "axis", valueFormatter: (v: unknown) => (typeof v === "number" ? number(v) : "–") },
    xAxis: { type: "time", ...axis() },
    yAxis: [
      { type: "value", name: "replicas", min: 0, minInterval: 1, ...axis(), ...quiet() },
      { type: "value", name: "guests", min: 0, splitLine: { show: false }, ...axis() },
    ],
    series: [
      step("guests", (w) => w.guests, { yAxisIndex: 1, areaStyle: { opacity: 0.12 }, lineStyle: { width: 1 }, color: colour("--muted") }),
      step("peak", (w) => w.peak, { lineStyle: { width: 2 }, color: colour("--accent") }),
      step("floor, held all week", (w) => w.floor, { lineStyle: { width: 2, type: "dashed" }, color: colour("--warn") }),
    ],
  };
}
