import type { ExecutionResult } from 'graphql';

export const ENDPOINT = '/graphql';

export interface Operation {
  query: string;
  variables?: Record<string, unknown>;
  operationName?: string | null;
}

// A failure outside GraphQL is shown in GraphQL's own form, which reads better than a stack trace.
export function failure(message: string): ExecutionResult {
  return { errors: [{ message }] } as unknown as ExecutionResult;
}

export async function post(operation: Operation, headers: Record<string, string>): Promise<ExecutionResult> {
  let response: Response;
  try {
    response = await fetch(ENDPOINT, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json', ...headers },
      body: JSON.stringify(operation),
    });
  } catch (error) {
    return failure(`The request could not be sent: ${error instanceof Error ? error.message : String(error)}`);
  }
  const text = await response.text();
  try {
    return JSON.parse(text) as ExecutionResult;
  } catch {
    return failure(`The server answered ${response.status} ${response.statusText}: ${text.slice(0, 300)}`);
  }
}
