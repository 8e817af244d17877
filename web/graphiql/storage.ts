import type { Storage } from '@graphiql/toolkit';

const LASTING = /^graphiql:(theme|.*Flex|visiblePlugin)$/;

/*
 * How the page looks is remembered for good; what was typed only until the browser tab is closed, because
 * the variables of a sign-in hold a password and headers hold tokens.
 */
class DraftsForThisTab implements Storage {
  private of(key: string): globalThis.Storage {
    return LASTING.test(key) ? localStorage : sessionStorage;
  }

  get length(): number {
    return localStorage.length + sessionStorage.length;
  }

  getItem(key: string): string | null {
    return this.of(key).getItem(key);
  }

  setItem(key: string, value: string): void {
    this.of(key).setItem(key, value);
  }

  removeItem(key: string): void {
    this.of(key).removeItem(key);
  }

  clear(): void {
    for (const store of [localStorage, sessionStorage]) {
      for (const key of Object.keys(store)) if (key.startsWith('graphiql:')) store.removeItem(key);
    }
  }
}

export const storage = new DraftsForThisTab();
