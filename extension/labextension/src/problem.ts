/** Failures: each is told in the one shape that the platform has for them. */
import type { Problem } from './schema';

export class ProblemError extends Error {
  constructor(readonly problem: Problem) {
    super(problem.message);
  }
}

/** Whatever was thrown, as the one shape of an error. */
export function toProblem(error: unknown): Problem {
  if (error instanceof ProblemError) {
    return error.problem;
  }
  return {
    type: 'about:blank',
    status: 0,
    code: 'connection_lost',
    message: error instanceof Error ? error.message : String(error),
    hint: 'Check your connection; it is tried again by itself.',
    where: null,
    request_id: null
  };
}

/** What an answer that is no success says. */
export async function readProblem(answer: Response): Promise<Problem> {
  try {
    const body = (await answer.json()) as Partial<Problem>;
    if (body.code && body.message) {
      return body as Problem;
    }
  } catch {
    // not JSON: something between us and the platform answered
  }
  return {
    type: 'about:blank',
    status: answer.status,
    code: `http_${answer.status}`,
    message: `The server answered ${answer.status} ${answer.statusText}.`,
    hint: 'Reload the page; your Jupyter server may have been stopped.',
    where: null,
    request_id: answer.headers.get('X-Request-ID')
  };
}
