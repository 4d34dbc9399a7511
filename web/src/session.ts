/** Who has signed in with this browser, and whether a provider can sign people in. */
export interface Session {
  signIn: boolean;
  subject?: string;
  expiresAt?: string;
}

/** In place of a token: the browser's session says who calls. */
export const BY_SESSION = "by-session";

/** The headers that say who calls. */
export function caller(token: string): Record<string, string> {
  return token === BY_SESSION ? {} : { Authorization: `Bearer ${token}` };
}

/** Reads the session; where the server cannot be asked, nobody has signed in. */
export async function session(signal?: AbortSignal): Promise<Session> {
  const response = await fetch("/auth/session", { signal });
  return response.ok ? ((await response.json()) as Session) : { signIn: false };
}

/** Ends the session, everywhere. */
export async function signOut(): Promise<void> {
  await fetch("/auth/sign-out", { method: "POST" });
}

const REASONS: Record<string, string> = {
  state: "The sign-in was not begun in this browser, or took more than ten minutes. Try again.",
  provider: "The sign-in provider refused.",
  signature: "The sign-in provider's answer does not hold.",
  rate_limited: "Too many sign-ins from this address. Wait a minute.",
};

/** What to tell a person whom the provider sent back without a session. */
export function refusalOf(search: string): string {
  const reason = new URLSearchParams(search).get("signIn");
  return reason === null ? "" : (REASONS[reason] ?? "The sign-in failed.");
}
