import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';

import { CHUNK_BYTES, FileParcel, HomeParcel } from '../src/parcel';
import type { IChunkApi, IParcel } from '../src/parcel';
import { ProblemError } from '../src/problem';
import { UploadModel } from '../src/upload';

/** A server that keeps what it is sent, and fails as the test says: before or after keeping a chunk. */
class Server implements IChunkApi {
  kept = Buffer.alloc(0);
  deleted = false;
  failures: ('before' | 'after')[] = [];

  constructor(readonly size: number) {}

  private _upload() {
    return { id: 'u', offset: this.kept.length, size: this.size } as never;
  }
  async createUpload() {
    return this._upload();
  }
  async upload() {
    return this._upload();
  }
  async deleteUpload() {
    this.deleted = true;
  }
  async putChunk(_: string, offset: number, bytes: Uint8Array<ArrayBuffer>, sha256: string) {
    const failure = this.failures.shift();
    if (failure === 'before') {
      throw new ProblemError({ status: 0, code: 'connection_lost' } as never);
    }
    if (offset !== this.kept.length) {
      throw new ProblemError({ status: 409, code: 'upload_offset' } as never);
    }
    assert.equal(sha256, createHash('sha256').update(bytes).digest('hex'));
    this.kept = Buffer.concat([this.kept, bytes]);
    if (failure === 'after') {
      throw new ProblemError({ status: 0, code: 'connection_lost' } as never);
    }
    return this._upload();
  }
}

const content = Buffer.alloc(2 * CHUNK_BYTES + 17, 'retinue');
const file = new File([content], 'a.zip');
const purpose = { projectId: 'p', datasetId: null, body: { name: 'a' } };
const model = (parcel: IParcel, server: Server) =>
  new UploadModel('k', purpose, parcel, () => server.deleteUpload());
const start = (server: Server) => model(new FileParcel(file, server, 1), server);

test('a file arrives whole, in chunks with checksums', async () => {
  const server = new Server(content.length);
  const upload = start(server);
  assert.equal(await upload.run(), true);
  assert.ok(server.kept.equals(content));
  assert.equal(upload.fraction, 1);
});

test('chunks that failed, before or after they were kept, are made good', async () => {
  const server = new Server(content.length);
  server.failures = ['before', 'after', 'before', 'before'];
  assert.equal(await start(server).run(), true);
  assert.ok(server.kept.equals(content));
});

test('an upload that cannot go on pauses with the reason, and goes on from there', async () => {
  const server = new Server(content.length);
  server.failures = ['after', ...Array<'before'>(6).fill('before')];
  const upload = start(server);
  assert.equal(await upload.run(), false);
  assert.equal(upload.state, 'paused');
  assert.equal(upload.problem?.code, 'connection_lost');
  server.failures = [];
  assert.equal(await upload.run(), true);
  assert.ok(server.kept.equals(content));
});

test('cancelling removes it on the server', async () => {
  const server = new Server(content.length);
  const upload = start(server);
  const running = upload.run();
  await new Promise(resolve => setTimeout(resolve, 5));
  await upload.cancel();
  await running;
  assert.equal(upload.state, 'cancelled');
});

/** What the Jupyter server answers, cut into pieces anywhere. */
function answer(...frames: object[]): ReadableStream<Uint8Array> {
  const bytes = Buffer.from(frames.map(frame => `${JSON.stringify(frame)}\n`).join(''));
  const pieces = Array.from({ length: Math.ceil(bytes.length / 7) }, (_, i) =>
    bytes.subarray(7 * i, 7 * i + 7)
  );
  return new ReadableStream({
    start: controller => {
      pieces.forEach(piece => controller.enqueue(new Uint8Array(piece)));
      controller.close();
    }
  });
}

test('what the Jupyter server sends is followed, and gone on with after a problem', async () => {
  const upload = (offset: number) => ({ upload: { id: 'ü', offset, size: 9 }, state: 's' });
  const asked: unknown[] = [];
  const answers = [
    answer(upload(0), upload(4), { problem: { code: 'unreachable', message: 'é' } }),
    answer(upload(4)),
    answer(upload(4), upload(9))
  ];
  const sendFiles = async (body: unknown) => {
    asked.push(body);
    return answers.shift() as ReadableStream<Uint8Array>;
  };
  const parcel = new HomeParcel({ path: 'a/pets', state: null }, { sendFiles });
  const sending = model(parcel, new Server(9));
  assert.equal(sending.fraction, null);
  assert.equal(await sending.run(), false);
  assert.deepEqual([sending.problem?.message, sending.sent, parcel.name, parcel.size], ['é', 4, 'pets', 9]);
  assert.equal(await sending.run(), false);
  assert.match(sending.problem?.message ?? '', /stopped sending/);
  assert.equal(await sending.run(), true);
  assert.deepEqual(asked, [
    { project_id: 'p', path: 'a/pets', state: null, upload_id: null },
    ...Array(2).fill({ project_id: 'p', path: 'a/pets', state: 's', upload_id: 'ü' })
  ]);
});
