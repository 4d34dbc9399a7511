import { useQuery } from "@tanstack/react-query";
import { calendarStatus } from "./api";

const REFRESH_MS = 60_000;

/** Says that weddings may be missing, where a feed was not read for long; nothing else. */
export function CalendarAge({ token }: { token: string }) {
  const { data } = useQuery({
    queryKey: ["calendar", token], queryFn: ({ signal }) => calendarStatus(token, signal), refetchInterval: REFRESH_MS, retry: 1,
  });
  if (!data || data.alarm === "fresh") return null;
  const why = (data.feeds ?? []).filter((f) => f.enabled && f.alarm !== "fresh").map((f) => `${f.source}: ${f.lastError || "not read yet"}`);
  return (
    <p className="refusal" role="alert">
      <em className={`badge ${data.alarm === "critical" ? "bad" : "warn"}`}>calendar {data.alarm}</em>{" "}
      Weddings may be missing. {data.text} {why.join("; ")}
    </p>
  );
}
