import assert from 'node:assert/strict';
import { test } from 'node:test';

import { JobModel } from '../src/jobmodel';
import type { IJobApi } from '../src/jobmodel';
import { LiveSocket } from '../src/socket';

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

function setup() {
  const pipes: Pipe[] = [];
  const socket = new LiveSocket(() => {
    pipes.push(new Pipe());
    return pipes.at(-1) as unknown as WebSocket;
  });
  const api = {
    job: async () => ({ status: 'running' }),
    artifacts: async () => [],
    cancelJob: async () => ({})
  } as unknown as IJobApi;
  const job = new JobModel('j', api, socket, () => ({}) as never);
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
