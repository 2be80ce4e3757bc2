import assert from 'node:assert/strict';
import { test } from 'node:test';

import { JobModel } from '../src/jobmodel';
import type { IJobApi } from '../src/jobmodel';
import { LiveSocket } from '../src/socket';
import type { Problem } from '../src/schema';

/** The browser's side of a socket, with the server's side in the hands of the test. */
class Pipe {
  readyState = 0;
  sent: any[] = [];
  onopen: (() => void) | null = null;
  onclose: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;

  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }
  open(): void {
    this.readyState = 1;
    this.onopen?.();
  }
  say(frame: object): void {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }
  close(): void {
    this.readyState = 3;
    this.onclose?.();
  }
}

function setup(artifacts: () => Promise<object[]> = async () => []) {
  const pipes: Pipe[] = [];
  const socket = new LiveSocket(() => {
    pipes.push(new Pipe());
    return pipes.at(-1) as unknown as WebSocket;
  });
  const api = {
    job: async () => ({ status: 'running' }),
    artifacts,
    cancelJob: async () => ({})
  } as unknown as IJobApi;
  const job = new JobModel('j', api, socket, error => error as Problem);
  return { pipes, socket, job };
}

const points = (after: number, ...seqs: number[]) => ({
  topic: 'job:j',
  type: 'points',
  attempt: 1,
  after,
  seq: seqs.at(-1),
  points: seqs.map(seq => ({ seq, step: seq, values: { a: seq } }))
});

test('a broken connection is taken up again from the cursor', () => {
  const { pipes, socket, job } = setup();
  pipes[0].open();
  assert.deepEqual(pipes[0].sent[0], { op: 'subscribe', topic: 'job:j', after: { attempt: 1, seq: 0 } });
  pipes[0].say(points(0, 1, 2, 5));
  pipes[0].close();
  assert.equal(socket.state, 'waiting');
  socket.retry();
  pipes[1].open();
  assert.deepEqual(pipes[1].sent[0].after, { attempt: 1, seq: 5 });
  pipes[1].say(points(5, 6));
  assert.deepEqual(job.store.data.a.seq, [1, 2, 5, 6]);
  socket.dispose();
});

test('points sent twice count once, and a gap is asked for', () => {
  const { pipes, socket, job } = setup();
  pipes[0].open();
  pipes[0].say(points(0, 1, 2));
  pipes[0].say(points(0, 1, 2, 3));
  pipes[0].say(points(7, 8));
  assert.deepEqual(job.store.data.a.seq, [1, 2, 3]);
  assert.deepEqual(pipes[0].sent.at(-1), { op: 'subscribe', topic: 'job:j', after: { attempt: 1, seq: 3 } });
  socket.dispose();
});

test('told to resync, it asks again from where it is', () => {
  const { pipes, socket } = setup();
  pipes[0].open();
  pipes[0].say(points(0, 1));
  pipes[0].say({ topic: 'job:j', type: 'resync' });
  assert.deepEqual(pipes[0].sent.at(-1).after, { attempt: 1, seq: 1 });
  socket.dispose();
});

test('a new attempt begins anew', () => {
  const { pipes, socket, job } = setup();
  pipes[0].open();
  pipes[0].say(points(0, 1, 2));
  pipes[0].say({ topic: 'job:j', type: 'attempt', attempt: 2 });
  assert.deepEqual(job.store.data, {});
  pipes[0].say({ ...points(0, 1), attempt: 2 });
  assert.deepEqual(job.store.data.a.seq, [1]);
  socket.dispose();
});

test('a log is neither doubled nor torn', () => {
  const { pipes, socket, job } = setup();
  job.followLog();
  pipes[0].open();
  pipes[0].say({ topic: 'log:j', type: 'log', after: 0, next: 3, text: 'abc' });
  pipes[0].say({ topic: 'log:j', type: 'log', after: 0, next: 3, text: 'abc' });
  pipes[0].say({ topic: 'log:j', type: 'log', after: 3, next: 5, text: 'de' });
  assert.equal(job.log, 'abcde');
  socket.dispose();
});

test('a part of a log that is here already, or lacks what is before it, is asked for from where it is', () => {
  const { pipes, socket, job } = setup();
  job.followLog();
  pipes[0].open();
  pipes[0].say({ topic: 'log:j', type: 'log', after: 0, next: 3, text: 'abc' });
  for (const [after, next] of [
    [1, 5],
    [4, 6]
  ]) {
    pipes[0].say({ topic: 'log:j', type: 'log', after, next, text: '?' });
    assert.deepEqual(pipes[0].sent.at(-1), { op: 'subscribe', topic: 'log:j', after: 3 });
  }
  assert.equal(job.log, 'abc');
  socket.dispose();
});

test('it is known since when nothing comes, until something does', () => {
  const { pipes, socket, job } = setup();
  pipes[0].open();
  pipes[0].say(points(0, 1));
  assert.equal(job.lostSince, null);
  let told = 0;
  job.changed.connect(() => told++);
  pipes[0].close();
  const since = job.lostSince;
  assert.ok(since);
  assert.ok(told);
  socket.retry();
  pipes[1].open();
  pipes[1].say({ topic: null, type: 'error', problem: { code: 'platform_unreachable' } });
  pipes[1].close();
  assert.equal(job.lostSince, since);
  socket.retry();
  pipes[2].open();
  told = 0;
  pipes[2].say(points(1, 2));
  assert.equal(job.lostSince, null);
  assert.ok(told);
  assert.deepEqual(job.store.data.a.seq, [1, 2]);
  socket.dispose();
});

test('files that cannot be loaded are a problem, not an empty list, until they can be', async () => {
  const failure = { code: 'connection_lost' };
  const answers: (() => Promise<object[]>)[] = [
    () => Promise.reject(failure),
    () => Promise.reject(failure),
    async () => [{ path: 'last.bin' }],
    () => Promise.reject(failure),
    async () => []
  ];
  const { pipes, socket, job } = setup(() => (answers.shift() as () => Promise<object[]>)());
  await new Promise(setImmediate);
  assert.deepEqual([job.artifacts, job.artifactsProblem], [null, failure]);
  await job.loadArtifacts();
  assert.deepEqual(job.artifactsProblem, failure);
  await job.loadArtifacts();
  assert.deepEqual([job.artifacts?.length, job.artifactsProblem], [1, null]);
  await job.loadArtifacts();
  assert.deepEqual([job.artifacts?.length, job.artifactsProblem], [1, failure]);
  pipes[0].open();
  pipes[0].say({ topic: 'job:j', type: 'live' });
  await new Promise(setImmediate);
  assert.deepEqual([job.artifacts?.length, job.artifactsProblem], [0, null]);
  socket.dispose();
});

test('what is wrong with the log is told beside it, and asked for again on demand', () => {
  const { pipes, socket, job } = setup();
  job.followLog();
  pipes[0].open();
  const problem = { code: 'trainer_unreachable' };
  pipes[0].say({ topic: 'log:j', type: 'error', problem });
  assert.deepEqual([job.logProblem, job.problem, job.logLive], [problem, null, false]);
  job.retryLog();
  assert.equal(job.logProblem, null);
  assert.deepEqual(pipes[0].sent.at(-1), { op: 'subscribe', topic: 'log:j', after: 0 });
  pipes[0].say({ topic: 'log:j', type: 'error', problem });
  pipes[0].say({ topic: 'log:j', type: 'live' });
  assert.deepEqual([job.logProblem, job.logLive], [null, true]);
  socket.dispose();
});
