import { useQuery } from "@tanstack/react-query";
import { weddingDays } from "./api";
import type { WeddingDay } from "./types";

const REFRESH_MS = 15_000;
const NOTES = 8;
const PHASES: Record<string, string> = {
  ahead: "ahead", checklist: "check-list", pre_warm: "pre-warm", open: "open: strict thresholds", decay: "open, fewer came", cool_down: "cool-down", done: "over",
};
const MARKS: Record<string, string> = { ok: "good", warning: "warn", failed: "bad", page: "bad" };

/** Where the wedding days of a date stand: phase, check-list, what happened, report. */
export function DayState({ token, date }: { token: string; date: string }) {
  const { data, error } = useQuery({
    queryKey: ["weddingDay", token, date], queryFn: ({ signal }) => weddingDays(token, date, signal), refetchInterval: REFRESH_MS, retry: 1,
  });
  if (error) return <p className="refusal" role="alert">{error.message}</p>;
  if (data?.length === 0) return <p className="empty">No wedding day runs for this date. One is started a week ahead, where a wedding is booked.</p>;
  return <>{data?.map((d) => <OneDay key={d.region} day={d} />)}</>;
}

function OneDay({ day }: { day: WeddingDay }) {
  const notes = (day.notes ?? []).slice(-NOTES).reverse();
  return (
    <div className="day">
      <p className="sentence">
        <em className={`badge ${day.phase === "open" || day.phase === "decay" ? "info" : ""}`}>{day.region && `${day.region}: `}{PHASES[day.phase] ?? day.phase}</em>{" "}
        {day.report?.text ?? day.text}
      </p>
      {day.phase !== "done" && (day.checks ?? []).length > 0 && (
        <p className="gates">
          {day.checks?.map((c) => (
            <em key={c.name} className={`badge ${MARKS[c.verdict] ?? "warn"}`} title={[c.text, c.remedy].filter(Boolean).join("\n")}>
              {c.name.replaceAll("_", " ")}: {c.verdict || "not known"}
            </em>
          ))}
        </p>
      )}
      {notes.length > 0 && (
        <ul className="notes">
          {notes.map((n) => (
            <li key={n.at + n.text}>
              <time dateTime={n.at}>{n.at.slice(5, 16).replace("T", " ")}</time>{" "}
              {n.level && <em className={`badge ${MARKS[n.level] ?? ""}`}>{n.level}</em>} {n.text}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
