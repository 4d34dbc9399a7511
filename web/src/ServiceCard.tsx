import { millis, number, percent } from "./format";
import type { Point } from "./history";
import { Sparkline } from "./Sparkline";
import type { Breach, ServiceStatus } from "./types";

/** A service at a glance: load against capacity, replicas, and whether anything is up. */
export function ServiceCard({ status, points, selected, onSelect }: {
  status: ServiceStatus; points: Point[]; selected: boolean; onSelect: () => void;
}) {
  const m = status.metrics ?? {};
  const level = severity(status);
  return (
    <button type="button" className={`card ${level} ${selected ? "selected" : ""}`} aria-pressed={selected} onClick={onSelect}>
      <span className="name">{status.service}<Badges status={status} /></span>
      <Sparkline points={points} />
      <span className="figures">
        <Figure label="req/s" value={number(m.throughput)} />
        <Figure label="cpu" value={percent(m.cpu)} />
        <Figure label="p95" value={millis(m.response_time_p95)} />
        <Figure label="errors" value={percent(m.error_rate, 1)} />
      </span>
      <Replicas status={status} />
    </button>
  );
}

function Figure({ label, value }: { label: string; value: string }) {
  return <span><b>{value}</b><i>{label}</i></span>;
}

function Replicas({ status }: { status: ServiceStatus }) {
  const s = status.scaling;
  if (!s) return <span className="replicas">not evaluated yet</span>;
  const share = (n: number) => `${Math.min(100, (n / Math.max(1, status.max)) * 100)}%`;
  return (
    <span className="replicas">
      <span className="bar" title={`limits ${status.min} to ${status.max}`}>
        <span className="wanted" style={{ width: share(s.desired) }} />
        <span className="ready" style={{ width: share(s.ready) }} />
      </span>
      <b>{s.ready}</b> ready{s.ready !== s.desired && <> → <b>{s.desired}</b> wanted</>}
      {s.pending > 0 && <i> {s.pending} starting</i>}
    </span>
  );
}

const NAMES: Record<string, string> = { response_time_p95: "p95", error_rate: "errors" };
const limit = (b: Breach): string => (b.metric === "response_time_p95" ? millis(b.limit) : percent(b.limit));

function Badges({ status }: { status: ServiceStatus }) {
  const s = status.scaling;
  const badges: [string, string][] = [];
  if (status.metricAt == null) badges.push(["no metrics", "warn"]);
  if (s?.explanation?.class === "panic") badges.push(["spike", "bad"]);
  if (s?.explanation?.deficit) badges.push(["short", "bad"]);
  for (const b of status.judgement?.breaches ?? []) badges.push([`${NAMES[b.metric] ?? b.metric} above ${limit(b)}`, b.level === "critical" ? "bad" : "warn"]);
  if (s?.paused) badges.push(["paused", "warn"]);
  if (s?.operation) badges.push(["changing", "info"]);
  return <>{badges.map(([text, kind]) => <em key={text} className={`badge ${kind}`}>{text}</em>)}</>;
}

/** The worst thing to say about a service, by the thresholds in force. What is not known is no good sign. */
const severity = (status: ServiceStatus): "" | "warn" | "bad" =>
  status.judgement?.level === "critical" ? "bad" : status.judgement?.level === "ok" ? "" : "warn";
