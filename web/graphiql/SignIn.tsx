import { type FormEvent, useEffect, useRef, useState } from 'react';
import { post } from './http';
import { currentSession, setSession, useSession } from './session';
import SIGN_IN from './operations/SignIn.graphql?raw';
import SIGN_OUT from './operations/SignOut.graphql?raw';

interface SessionPayload {
  errors: { message: string }[];
  token: string | null;
}

async function ask(query: string, variables: Record<string, unknown>): Promise<SessionPayload> {
  const { data, errors } = await post({ query, variables }, {});
  const payload = Object.values(data ?? {})[0] as SessionPayload | undefined;
  const faults = [...(errors ?? []), ...(payload?.errors ?? [])];
  if (!payload || faults.length > 0) throw new Error(faults.map((fault) => fault.message).join(' ') || 'No answer.');
  return payload;
}

export function SignIn() {
  const session = useSession();
  const [open, setOpen] = useState(false);
  const corner = useRef<HTMLDivElement>(null);

  useEffect(() => {
    if (!open) return;
    const close = (event: Event) => {
      const outside = event instanceof PointerEvent && !corner.current?.contains(event.target as Node);
      const escape = event instanceof KeyboardEvent && event.key === 'Escape';
      if (outside || escape) setOpen(false);
    };
    document.addEventListener('pointerdown', close);
    document.addEventListener('keydown', close);
    return () => {
      document.removeEventListener('pointerdown', close);
      document.removeEventListener('keydown', close);
    };
  }, [open]);

  return (
    <div className="sign-in" ref={corner}>
      <button
        type="button"
        className={session ? 'chip' : 'primary'}
        aria-expanded={open}
        aria-haspopup="dialog"
        onClick={() => setOpen(!open)}
      >
        {session ? <span className="who">{session.email || 'Signed in'}</span> : 'Sign in'}
      </button>
      {open && (
        <div className="panel" role="dialog" aria-label={session ? 'Signed in' : 'Sign in'}>
          {session ? <SignedIn onDone={() => setOpen(false)} /> : <SignInForm onDone={() => setOpen(false)} />}
        </div>
      )}
    </div>
  );
}

function SignInForm({ onDone }: { onDone(): void }) {
  const [email, setEmail] = useState('');
  const [problem, setProblem] = useState('');
  const [busy, setBusy] = useState(false);

  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const fields = new FormData(event.currentTarget);
    setBusy(true);
    setProblem('');
    try {
      const payload = await ask(SIGN_IN, { input: { email, password: fields.get('password'), device: 'GraphiQL' } });
      if (payload.token) {
        setSession({ token: payload.token, email });
        onDone();
      } else setProblem('The server gave no token.');
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    } finally {
      setBusy(false);
    }
  }

  return (
    <form onSubmit={(event) => void submit(event)}>
      <label>
        E-mail
        <input
          name="email"
          type="email"
          autoComplete="username"
          value={email}
          onChange={(event) => setEmail(event.target.value)}
          required
          autoFocus
        />
      </label>
      <label>
        Password
        <input name="password" type="password" autoComplete="current-password" required />
      </label>
      {problem && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
      <button type="submit" className="primary" disabled={busy}>
        {busy ? 'One moment…' : 'Sign in'}
      </button>
      <p className="hint">
        In the sandbox: <code>demo@example.com</code>, <code>Demo-pass-1</code>. The token is used by every tab whose
        Headers have no <code>authorization</code> of their own, and is forgotten when this browser tab is closed.
      </p>
    </form>
  );
}

function SignedIn({ onDone }: { onDone(): void }) {
  const session = useSession();
  const [copied, setCopied] = useState(false);
  const header = JSON.stringify({ authorization: `Bearer ${session?.token}` });

  async function copy() {
    await navigator.clipboard.writeText(header);
    setCopied(true);
  }

  // The token is dropped here even when the server cannot be reached, or has ended the sign-in already.
  function signOut() {
    const token = currentSession()?.token;
    setSession(null);
    onDone();
    if (token) void post({ query: SIGN_OUT }, { authorization: `Bearer ${token}` });
  }

  return (
    <div>
      <p>
        Signed in{session?.email ? ' as ' : ''}
        <strong>{session?.email}</strong>
      </p>
      <p className="hint">
        Every tab whose Headers have no <code>authorization</code> of their own sends this sign-in, over HTTP and over
        the WebSocket. A subscription takes it up when it is started.
      </p>
      <div className="row">
        <button type="button" className="quiet" onClick={() => void copy()}>
          {copied ? 'Copied' : 'Copy header'}
        </button>
        <button type="button" className="primary" onClick={signOut}>
          Sign out
        </button>
      </div>
    </div>
  );
}
