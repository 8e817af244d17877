import type { Fetcher, FetcherParams } from '@graphiql/toolkit';
import { type ExecutionResult, Kind, type OperationDefinitionNode, parse } from 'graphql';
import { createClient } from 'graphql-ws';
import { ENDPOINT, failure, type Operation, post } from './http';
import { currentSession, setSession } from './session';

/*
 * Sends what a tab asks for: subscriptions over the WebSocket, all else over HTTP. The tab's own headers come first;
 * where they have no authorization, the page's sign-in is used.
 */
export const fetcher: Fetcher = (params, options) => {
  const headers = withSignIn(options?.headers ?? {});
  const chosen = chosenOperation(params);
  const operation: Operation = {
    query: params.query,
    variables: params.variables as Operation['variables'],
    operationName: chosen ? chosen.name?.value : params.operationName,
  };
  if (chosen?.operation === 'subscription') return subscription(operation, headers);
  return post(operation, headers).then((result) => {
    dropRefusedSignIn(headers, result);
    followSignIn(operation, headers, result);
    return result;
  });
};

function withSignIn(given: Record<string, unknown>): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(given)) headers[name.toLowerCase()] = String(value);
  const session = currentSession();
  if (!('authorization' in headers) && session) headers['authorization'] = bearer(session.token);
  return headers;
}

function bearer(token: string): string {
  return `Bearer ${token}`;
}

// The editor hands over its operation name a moment late; a document with one operation needs none.
function chosenOperation({ query, operationName }: FetcherParams): OperationDefinitionNode | undefined {
  try {
    const operations = parse(query).definitions.filter((node) => node.kind === Kind.OPERATION_DEFINITION);
    return operations.length === 1 ? operations[0] : operations.find((node) => node.name?.value === operationName);
  } catch {
    return undefined;
  }
}

/*
 * Each subscription has a socket of its own, opened with the header as it is at that moment, so a new sign-in counts
 * from the next subscription on. After a lost connection the client connects anew, and the first message
 * is then the state as it is.
 */
function subscription({ query, variables, operationName }: Operation, headers: Record<string, string>) {
  return {
    subscribe(sink: { next(value: ExecutionResult): void; error(error: unknown): void; complete(): void }) {
      const { authorization } = headers;
      const client = createClient({
        url: `${location.origin.replace(/^http/, 'ws')}${ENDPOINT}`,
        connectionParams: authorization === undefined ? {} : { authorization },
        // From 4000 on the server says why it closed, e.g. that the sign-in has ended: trying again would not help.
        shouldRetry: (error) => error instanceof CloseEvent && error.code < 4000,
      });
      const show = (result: ExecutionResult) => {
        dropRefusedSignIn(headers, result);
        sink.next(result);
      };
      const unsubscribe = client.subscribe<ExecutionResult['data']>(
        { query, variables, operationName },
        {
          next: (value) => show(value as ExecutionResult),
          error: (error) => {
            show(socketFailure(error));
            sink.complete();
          },
          complete: () => sink.complete(),
        },
      );
      return { unsubscribe };
    },
  } as Extract<ReturnType<Fetcher>, { subscribe: unknown }>;
}

function socketFailure(error: unknown): ExecutionResult {
  if (Array.isArray(error)) return { errors: error } as ExecutionResult;
  if (error instanceof CloseEvent) {
    return failure(`The live connection was closed: ${error.code} ${error.reason || 'no reason given'}`);
  }
  return failure(error instanceof Error ? error.message : 'The live connection could not be opened.');
}

function isSignIn(headers: Record<string, string>): boolean {
  const session = currentSession();
  return session !== null && headers['authorization'] === bearer(session.token);
}

// A token that the server no longer takes is dropped, or it would fail every tab, the documentation's too.
function dropRefusedSignIn(headers: Record<string, string>, { errors }: ExecutionResult): void {
  if (isSignIn(headers) && errors?.some((error) => error.extensions?.['code'] === 'UNAUTHENTICATED')) setSession(null);
}

const GIVE_A_TOKEN = ['signIn', 'answerChallenge', 'changePassword', 'reauthenticate'];

// Signing in or out by running the mutation in a tab does what the form does: the tabs that follow are signed in.
function followSignIn({ variables }: Operation, headers: Record<string, string>, result: ExecutionResult): void {
  const data = (result.data ?? {}) as Record<string, { token?: unknown; accepted?: unknown } | null | undefined>;
  if (isSignIn(headers) && data['signOut']?.accepted === true) setSession(null);
  for (const field of GIVE_A_TOKEN) {
    const token = data[field]?.token;
    if (typeof token !== 'string') continue;
    const input = variables?.['input'] as { email?: unknown } | undefined;
    const email = typeof input?.email === 'string' ? input.email : (currentSession()?.email ?? '');
    setSession({ token, email });
  }
}
