import { useQuery } from "@tanstack/react-query";
import { forecastAccuracy } from "./api";
import { METHODS } from "./day";
import { DASH, number, percent } from "./format";
import type { AccuracyRow } from "./types";

const DAYS = 28;
const REFRESH_MS = 300_000;
const GROUPS: Record<string, string> = { all: "all hours", wedding_days: "wedding days", other_days: "other days", holidays: "holidays" };

/** Whether decisions may be made on a service's forecasts now, and how those of the past did. */
export function ForecastTrust({ token, service }: { token: string; service: string }) {
  const { data, error, isPending } = useQuery({
    queryKey: ["accuracy", token, service],
    queryFn: ({ signal }) => forecastAccuracy(token, service, DAYS, signal),
    refetchInterval: REFRESH_MS,
    retry: 1,
  });
  return (
    <section className="panel wide" aria-label="How far forecasts are trusted">
      <h2>
        Forecasts of {service}
        {data && <em className={`badge ${data.gate.trusted ? "good" : "warn"}`}>{data.gate.trusted ? "trusted" : "not trusted"}</em>}
      </h2>
      {isPending && <p className="empty">Loading …</p>}
      {error && <p className="refusal" role="alert">{error.message}</p>}
      {data && (
        <>
          <p className="sentence">
            {asSentence(data.gate.reason)} Made by {METHODS[data.gate.method] ?? data.gate.method}, from {number(data.gate.historyDays)} days of history.
            {!data.gate.trusted && " Until they are trusted, capacity follows what is measured, and the floors of the calendar."}
          </p>
          {(data.rows ?? []).length === 0
            ? <p className="empty">None has been scored yet: a forecast is scored when its hour has passed.</p>
            : <Rows rows={data.rows ?? []} />}
        </>
      )}
    </section>
  );
}

/** A reason as a sentence of its own. */
function asSentence(reason: string): string {
  const text = reason.trim();
  return text === "" ? "" : `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}

function Rows({ rows }: { rows: AccuracyRow[] }) {
  return (
    <div className="scroll">
      <table>
        <thead>
          <tr>
            <th className="right">Hours ahead</th><th>Of</th><th className="right">Hours scored</th><th className="right">Accuracy</th>
            <th className="right">Bias</th><th className="right">In the 95 % interval</th><th className="right">Against last week</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((r) => (
            <tr key={`${r.leadHours}/${r.group}`}>
              <td className="right">{r.leadHours}</td>
              <td>{GROUPS[r.group] ?? r.group}</td>
              <td className="right">{number(r.hours)}</td>
              <td className="right">{r.accuracy == null ? DASH : `${r.accuracy.toFixed(1)} %`}</td>
              <td className="right">{percent(r.bias, 1)}</td>
              <td className="right">{percent(r.coverage, 1)}</td>
              <td className="right">{r.mase168 == null ? DASH : `${r.mase168.toFixed(2)} × its error`}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
