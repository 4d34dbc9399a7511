import { useEffect, useState } from "react";
import { ApiError, follow } from "./api";
import { append, merge, type Histories } from "./history";
import type { Decision, Snapshot } from "./types";

export interface Live {
  snapshot: Snapshot | null;
  histories: Histories;
  decisions: Decision[];
  state: "connecting" | "live" | "lost";
  /** Why the server refused; the token is of no use then. */
  refused: string | null;
}

const EMPTY: Live = { snapshot: null, histories: {}, decisions: [], state: "connecting", refused: null };
const RETRY_MS = 2_000;

/** Follows the live stream and reconnects when it is lost; a refused token ends it. */
export function useLive(token: string): Live {
  const [live, setLive] = useState<Live>(EMPTY);
  useEffect(() => {
    const abort = new AbortController();
    setLive(EMPTY);
    const onSnapshot = (s: Snapshot) =>
      setLive((l) => ({
        snapshot: s,
        histories: append(l.histories, s),
        decisions: merge(l.decisions, s.decisions ?? []),
        state: "live",
        refused: null,
      }));
    void (async () => {
      while (!abort.signal.aborted) {
        try {
          await follow(token, onSnapshot, abort.signal);
        } catch (error) {
          if (abort.signal.aborted) return;
          if (error instanceof ApiError && (error.status === 401 || error.status === 403)) {
            setLive({ ...EMPTY, refused: error.message });
            return;
          }
        }
        setLive((l) => ({ ...l, state: "lost" }));
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    })();
    return () => abort.abort();
  }, [token]);
  return live;
}
