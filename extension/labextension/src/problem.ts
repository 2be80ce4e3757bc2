/** Failures: each is told in the one shape that the platform has for them. */
import type { Problem } from './schema';

export class ProblemError extends Error {
  constructor(readonly problem: Problem) {
    super(problem.message);
  }
}

/** A problem that is found here, in the one shape of an error. */
export function makeProblem(code: string, message: string, hint: string, status = 0): Problem {
  return { type: 'about:blank', status, code, message, hint, where: null, request_id: null };
}

/** Whatever was thrown, as the one shape of an error. */
export function toProblem(error: unknown): Problem {
  if (error instanceof ProblemError) {
    return error.problem;
  }
  const message = error instanceof Error ? error.message : String(error);
  return makeProblem('connection_lost', message, 'Check your connection; it is tried again by itself.');
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
  const message = `The server answered ${answer.status} ${answer.statusText}.`;
  const hint = 'Reload the page; your Jupyter server may have been stopped.';
  const problem = makeProblem(`http_${answer.status}`, message, hint, answer.status);
  return { ...problem, request_id: answer.headers.get('X-Request-ID') };
}
