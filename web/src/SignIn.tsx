import { useState } from "react";

/** Sign-in at the organisation's provider, where there is one, or by pasting a bearer token. */
export function SignIn({ onToken, refusal, provider }: { onToken: (t: string) => void; refusal: string; provider: boolean }) {
  const [text, setText] = useState("");
  const token = text.trim().replace(/^Bearer\s+/i, "");
  return (
    <main className="signin">
      <form
        className="panel"
        onSubmit={(e) => {
          e.preventDefault();
          if (token) onToken(token);
        }}
      >
        <h1>WedSync Scalability</h1>
        {provider && (
          <a className="button" href={`/auth/sign-in?returnTo=${encodeURIComponent(location.pathname)}`}>Sign in with your organisation</a>
        )}
        <p>
          {provider ? "Or paste a bearer token." : "Paste a bearer token."} On a development machine <code>wedsync dev</code> prints one per
          role and keeps them in <code>.wedsync/dev.json</code>.
        </p>
        <label htmlFor="token">Token</label>
        <textarea id="token" rows={4} value={text} onChange={(e) => setText(e.target.value)} autoFocus spellCheck={false} />
        {refusal && <p className="refusal" role="alert">{refusal}</p>}
        <button type="submit" disabled={!token}>Sign in</button>
      </form>
    </main>
  );
}
