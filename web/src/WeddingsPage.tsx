import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { predictedDays } from "./api";
import { shift, spanOf } from "./day";
import { CalendarAge } from "./CalendarAge";
import { DayState } from "./DayState";
import { DayTimeline } from "./DayTimeline";
import { ForecastTrust } from "./ForecastTrust";
import { HeatMap } from "./HeatMap";
import { Seasons } from "./Seasons";
import { Weddings } from "./Weddings";

const SERVICES = ["api", "database", "auth", "storage", "realtime", "media", "notifications", "search", "analytics"];
const DAYS = 364;
const REFRESH_MS = 600_000;

/** What is coming: a year of predicted load, one day in full, and the next weddings. */
export function WeddingsPage({ token, now }: { token: string; now: number }) {
  const today = new Date(now).toISOString().slice(0, 10);
  const [service, setService] = useState("api");
  const [date, setDate] = useState(today);
  const { data, error, isPending } = useQuery({
    queryKey: ["days", token, service, today],
    queryFn: ({ signal }) => predictedDays(token, service, spanOf(today).from, spanOf(shift(today, DAYS)).until, signal),
    refetchInterval: REFRESH_MS,
    retry: 1,
  });
  return (
    <>
      <section className="panel wide" aria-label="The year ahead">
        <h2>
          The year ahead <small>highest hour of each day, nine of ten below it</small>
          <label className="choice">
            service{" "}
            <select value={service} onChange={(e) => setService(e.target.value)}>
              {SERVICES.map((s) => <option key={s}>{s}</option>)}
            </select>
          </label>
        </h2>
        <CalendarAge token={token} />
        {isPending && <p className="empty">Loading …</p>}
        {error && <p className="refusal" role="alert">{error.message}</p>}
        {data?.length === 0 && <p className="empty">Nothing is predicted: there is neither history nor a calendar.</p>}
        {data && data.length > 0 && <div className="scroll"><HeatMap days={data} chosen={date} onChoose={setDate} /></div>}
      </section>
      <section className="panel wide" aria-label="One day">
        <h2>
          {date} <small>UTC</small>
          <span className="choice">
            <button type="button" className="plain" onClick={() => setDate(shift(date, -1))}>← day before</button>{" "}
            <button type="button" className="plain" onClick={() => setDate(today)}>today</button>{" "}
            <button type="button" className="plain" onClick={() => setDate(shift(date, 1))}>day after →</button>
          </span>
        </h2>
        <DayTimeline token={token} service={service} date={date} />
        <DayState token={token} date={date} />
      </section>
      <Seasons token={token} service={service} />
      <ForecastTrust token={token} service={service} />
      <Weddings token={token} now={now} />
    </>
  );
}
