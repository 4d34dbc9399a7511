import { useEffect, useState } from "react";
import { Dashboard } from "./Dashboard";
import { BY_SESSION, refusalOf, session, signOut as endSession } from "./session";
import { SignIn } from "./SignIn";

const KEY = "wedsync.token";

/** Shows the sign-in until there is a token, kept for the tab's life only, or a session of the browser. */
export function App() {
  const [token, setToken] = useState(() => sessionStorage.getItem(KEY) ?? fromFragment());
  const [refusal, setRefusal] = useState(() => refusalOf(location.search));
  const [provider, setProvider] = useState(false);
  useEffect(() => {
    if (token) return;
    const abort = new AbortController();
    session(abort.signal)
      .then((s) => {
        setProvider(s.signIn);
        if (s.subject) setToken(BY_SESSION);
      })
      .catch(() => undefined); // a token can be pasted all the same
    return () => abort.abort();
  }, [token]);
  const signIn = (t: string) => {
    sessionStorage.setItem(KEY, t);
    setRefusal("");
    setToken(t);
  };
  const signOut = (why = "") => {
    sessionStorage.removeItem(KEY);
    setRefusal(why);
    if (token === BY_SESSION) void endSession().finally(() => setToken(""));
    else setToken("");
  };
  if (!token) return <SignIn onToken={signIn} refusal={refusal} provider={provider} />;
  return <Dashboard token={token} onSignOut={signOut} />;
}

/**
 * A link may carry the token behind #token=: a fragment never reaches a server or its
 * log. It is taken out of the address bar at once.
 */
function fromFragment(): string {
  const token = new URLSearchParams(location.hash.slice(1)).get("token") ?? "";
  if (token) {
    sessionStorage.setItem(KEY, token);
    history.replaceState(null, "", location.pathname + location.search);
  }
  return token;
}
