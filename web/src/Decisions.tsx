import { distance } from "./format";
import type { Decision, ServiceStatus } from "./types";

const KIND: Record<string, string> = {
  verified: "good", no_op: "quiet", superseded: "quiet", held: "warn", partial: "warn", cancelled: "warn", expired: "warn",
  refused: "warn", rolled_back: "bad", failed: "bad", lost: "bad",
};

/** The last decisions, newest first, each with its sentence and how it ended. */
export function Decisions({ decisions, now, services }: { decisions: Decision[]; now: number; services: ServiceStatus[] }) {
  return (
    <section className="panel decisions" aria-label="Decisions">
      <h2>Decisions</h2>
      {decisions.length === 0 && <p className="empty">No change of capacity yet.</p>}
      <ol>
        {decisions.map((d) => (
          <li key={d.id} title={`${d.id} · requested by ${d.requestedBy}`}>
            <span className={`arrow ${d.direction}`} aria-label={d.direction}>{d.direction === "up" ? "▲" : "▼"}</span>
            <span className="what">
              <span className="sentence">{d.sentence}</span>
              <span className="meta">
                {d.service} · {distance(d.createdAt, now)} · {d.class}
                {d.outcomeReason && ` · ${d.outcomeReason}`}
              </span>
            </span>
            <Outcome decision={d} href={operationURL(d, services)} waits={waitsForApproval(d, services)} />
          </li>
        ))}
      </ol>
    </section>
  );
}

function Outcome({ decision, href, waits }: { decision: Decision; href: string; waits: boolean }) {
  const text = waits ? "waits for approval" : decision.outcome ? decision.outcome.replace("_", " ") : decision.status;
  const badge = <em className={`badge ${waits ? "warn" : KIND[decision.outcome] ?? "info"}`} title={waits ? decision.approval?.reason : undefined}>{text}</em>;
  return href ? <a href={href} target="_blank" rel="noreferrer" title="Its workflow in Temporal">{badge}</a> : badge;
}

/** A change that a person has to agree to touches nothing before: it waits while the spec is not below where it began. */
export function waitsForApproval(d: Decision, services: ServiceStatus[]): boolean {
  const spec = services.find((s) => s.service === d.service)?.scaling?.spec ?? d.fromReplicas;
  return d.status === "executing" && d.approval !== undefined && spec >= d.fromReplicas;
}

/** An operation's page lies beside its service's autoscaler in the Temporal UI. */
function operationURL(d: Decision, services: ServiceStatus[]): string {
  const base = services.find((s) => s.service === d.service)?.temporalUrl ?? "";
  const cut = base.indexOf("/workflows/");
  return d.workflowId && cut > 0 ? `${base.slice(0, cut)}/workflows/${encodeURIComponent(d.workflowId)}` : "";
}
