import { useSyncExternalStore } from 'react';

export interface Session {
  token: string;
  email: string;
}

// The session store ends with the browser tab, so a token never outlives it on the disk of a shared computer.
const STORAGE_KEY = 'custody-connect:graphiql:session';

let session: Session | null = stored();
const listeners = new Set<() => void>();

function stored(): Session | null {
  try {
    const value: unknown = JSON.parse(sessionStorage.getItem(STORAGE_KEY) ?? 'null');
    return isSession(value) ? value : null;
  } catch {
    return null;
  }
}

function isSession(value: unknown): value is Session {
  if (typeof value !== 'object' || value === null) return false;
  const { token, email } = value as Partial<Session>;
  return typeof token === 'string' && typeof email === 'string';
}

export function currentSession(): Session | null {
  return session;
}

export function setSession(next: Session | null): void {
  session = next;
  if (next) sessionStorage.setItem(STORAGE_KEY, JSON.stringify(next));
  else sessionStorage.removeItem(STORAGE_KEY);
  for (const listener of listeners) listener();
}

export function useSession(): Session | null {
  return useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, currentSession);
}
