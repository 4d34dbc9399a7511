import { useEffect, useState } from "react";
import { Decisions } from "./Decisions";
import { number } from "./format";
import { HealthPill } from "./HealthPill";
import { LoadChart } from "./LoadChart";
import { ServiceCard } from "./ServiceCard";
import type { ServiceStatus } from "./types";
import { useLive, type Live } from "./useLive";
import { Weddings } from "./Weddings";
import { WeddingsPage } from "./WeddingsPage";

const LOST = { connecting: "connecting …", live: "live", lost: "connection lost, trying again …" } as const;

/** The whole page: health, the nine services, one service in full, decisions, weddings. */
export function Dashboard({ token, onSignOut }: { token: string; onSignOut: (why?: string) => void }) {
  const live = useLive(token);
  const [selected, setSelected] = useState("api");
  const page = usePage();
  useEffect(() => {
    if (live.refused) onSignOut(live.refused);
  }, [live.refused, onSignOut]);

  const services = live.snapshot?.services ?? [];
  const current = services.find((s) => s.service === selected) ?? services[0];
  const now = live.snapshot ? Date.parse(live.snapshot.at) : Date.now();
  return (
    <>
      <header>
        <h1>WedSync Scalability</h1>
        {live.snapshot && <HealthPill health={live.snapshot.health} />}
        {live.snapshot?.judgement?.strict && (
          <span className="badge info" title={live.snapshot.judgement.text}>strict thresholds until {live.snapshot.judgement.until?.slice(11, 16)} UTC</span>
        )}
        <span className={`stream ${live.state}`} role="status">{LOST[live.state]}</span>
        <div className="tabs" role="navigation" aria-label="Pages">
          <a href="#now" aria-current={page === "now"}>Now</a>
          <a href="#weddings" aria-current={page === "weddings"}>Weddings</a>
        </div>
        <Totals services={services} />
        <nav>
          {current && <a href={temporalRoot(current.temporalUrl)} target="_blank" rel="noreferrer">Temporal UI ↗</a>}
          <a href="/api/docs" target="_blank" rel="noreferrer">API ↗</a>
          <button type="button" className="plain" onClick={() => onSignOut()}>Sign out</button>
        </nav>
      </header>
      {page === "weddings" && <main><WeddingsPage token={token} now={now} /></main>}
      {page === "now" && <main className={live.state === "lost" ? "stale" : ""}>
        <section className="services" aria-label="Services">
          {services.map((s) => (
            <ServiceCard
              key={s.service}
              status={s}
              points={live.histories[s.service] ?? []}
              selected={s.service === current?.service}
              onSelect={() => setSelected(s.service)}
            />
          ))}
          {services.length === 0 && <p className="empty">Waiting for the first reading …</p>}
        </section>
        {current && <Detail status={current} live={live} />}
        <Decisions decisions={live.decisions} now={now} services={services} />
        <Weddings token={token} now={now} />
      </main>}
    </>
  );
}

/** The page that the address names behind #. */
function usePage(): "now" | "weddings" {
  const read = () => (location.hash === "#weddings" ? "weddings" : "now");
  const [page, setPage] = useState<"now" | "weddings">(read);
  useEffect(() => {
    const heard = () => setPage(read());
    addEventListener("hashchange", heard);
    return () => removeEventListener("hashchange", heard);
  }, []);
  return page;
}

function Detail({ status, live }: { status: ServiceStatus; live: Live }) {
  const explanation = status.scaling?.explanation;
  return (
    <section className="panel detail" aria-label={`${status.service} in full`}>
      <h2>
        {status.service} <small>{status.tier}</small>
        <a href={status.temporalUrl} target="_blank" rel="noreferrer">its autoscaler in Temporal ↗</a>
      </h2>
      <p className="sentence">{explanation?.text ?? "Not evaluated yet."}</p>
      {explanation?.deficit && (
        <p className="refusal" role="alert">
          Short of {explanation.deficit.replicas} replicas ({explanation.deficit.cap}).{" "}
          {(explanation.deficit.remedies ?? []).join(" · ")}
        </p>
      )}
      <LoadChart points={live.histories[status.service] ?? []} />
    </section>
  );
}

/** Sums only over services that report: a missing one is not counted as zero. */
function Totals({ services }: { services: ServiceStatus[] }) {
  const loads = services.flatMap((s) => (s.metrics?.throughput == null ? [] : [s.metrics.throughput]));
  const scaled = services.flatMap((s) => (s.scaling ? [s.scaling] : []));
  const sum = (xs: number[]) => xs.reduce((a, b) => a + b, 0);
  return (
    <dl className="totals">
      <div><dt>requests/s</dt><dd>{number(loads.length ? sum(loads) : null)}</dd></div>
      <div><dt>replicas ready / wanted</dt><dd>{number(sum(scaled.map((s) => s.ready)))} / {number(sum(scaled.map((s) => s.desired)))}</dd></div>
      <div><dt>changing now</dt><dd>{scaled.filter((s) => s.operation).length}</dd></div>
    </dl>
  );
}

/** The Temporal UI's front page, from a link to one workflow. */
function temporalRoot(url: string): string {
  try {
    return new URL(url).origin;
  } catch {
    return url;
  }
}
