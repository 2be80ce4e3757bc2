import assert from 'node:assert/strict';
import { test } from 'node:test';

import { isOutage, Outage } from '../src/outage';
import { makeProblem, ProblemError, toProblem } from '../src/problem';

const away = makeProblem('http_502', 'The server answered 502.', '', 502);
const quick = { interval: 1, backoff: true, max: 5 };

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) {
    await new Promise(resolve => setTimeout(resolve, 2));
  }
}

test('what a proxy, the hub or the network says is an outage; what the platform refuses is none', () => {
  const codes = ['connection_lost', 'platform_unreachable', 'http_424', 'http_502', 'http_503'];
  assert.ok(codes.every(code => isOutage(makeProblem(code, '', ''))));
  const others = ['dataset_exists', 'http_404', 'platform_not_configured', 'unavailable', 'jupyter_403'];
  assert.ok(!others.some(code => isOutage(makeProblem(code, '', '', 503))));
  assert.ok(isOutage(toProblem(new TypeError('Failed to fetch'))));
  assert.ok(!isOutage(toProblem(new ProblemError(makeProblem('not_found', '', '', 404)))));
});

test('an outage is tried again until everything can be loaded, and then over', async () => {
  const answers = [false, false, false, true];
  let tries = 0;
  const outage = new Outage(async () => answers[tries++], quick);
  outage.tell(makeProblem('dataset_exists', '', '', 409));
  assert.equal(outage.problem, null);
  const seen: (string | null)[] = [];
  outage.changed.connect(() => seen.push(outage.problem?.code ?? null));
  outage.tell(away);
  outage.tell(away);
  await until(() => outage.problem === null);
  assert.equal(tries, answers.length);
  assert.deepEqual(seen, ['http_502', 'http_502', null]);
});

test('a broken live connection alone has everything loaded, and shows nothing', async () => {
  let tries = 0;
  const outage = new Outage(async () => ++tries > 0, quick);
  const seen: unknown[] = [];
  outage.changed.connect(() => seen.push(outage.problem));
  outage.check();
  await until(() => tries === 1);
  outage.check();
  await until(() => tries === 2);
  assert.deepEqual(seen, []);
});
