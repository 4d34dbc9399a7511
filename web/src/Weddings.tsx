import { useQuery } from "@tanstack/react-query";
import { comingWeddings } from "./api";
import { distance, number, venueTime } from "./format";

const DAYS = 14;
const REFRESH_MS = 60_000;

/** The weddings of the next two weeks, in their venues' own time. */
export function Weddings({ token, now }: { token: string; now: number }) {
  const { data, error, isPending } = useQuery({
    queryKey: ["weddings", token],
    queryFn: ({ signal }) => comingWeddings(token, DAYS, signal),
    refetchInterval: REFRESH_MS,
    retry: 1,
  });
  return (
    <section className="panel weddings" aria-label="Coming weddings">
      <h2>Coming weddings <small>next {DAYS} days</small></h2>
      {isPending && <p className="empty">Loading …</p>}
      {error && <p className="refusal" role="alert">{error.message}</p>}
      {data?.length === 0 && <p className="empty">None booked.</p>}
      {data && data.length > 0 && (
        <div className="scroll">
          <table>
            <thead><tr><th>Ceremony, venue time</th><th>Begins</th><th className="right">Guests</th><th>Region</th><th>Status</th></tr></thead>
            <tbody>
              {data.map((w) => (
                <tr key={w.id}>
                  <td title={w.timeZone}>{venueTime(w.startsAt, w.timeZone)}</td>
                  <td>{phase(w.startsAt, w.endsAt, now)}</td>
                  <td className="right">{number(w.guests)}</td>
                  <td>{w.region || w.timeZone}</td>
                  <td>{w.status}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function phase(start: string, end: string, now: number): string {
  if (Date.parse(end) < now) return "over";
  return Date.parse(start) <= now ? "under way" : distance(start, now);
}
