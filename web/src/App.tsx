import { useState } from "react";
import { Dashboard } from "./Dashboard";
import { SignIn } from "./SignIn";

const KEY = "wedsync.token";

/** Shows the sign-in until there is a token. It is kept for the tab's life only. */
export function App() {
  const [token, setToken] = useState(() => sessionStorage.getItem(KEY) ?? fromFragment());
  const [refusal, setRefusal] = useState("");
  const signIn = (t: string) => {
    sessionStorage.setItem(KEY, t);
    setRefusal("");
    setToken(t);
  };
  const signOut = (why = "") => {
    sessionStorage.removeItem(KEY);
    setRefusal(why);
    setToken("");
  };
  if (!token) return <SignIn onToken={signIn} refusal={refusal} />;
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
