import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';

import { CHUNK_BYTES, UploadModel } from '../src/upload';
import type { IUploadApi } from '../src/upload';

/** A server that keeps what it is sent, and fails as the test says: before or after keeping a chunk. */
class Server implements IUploadApi {
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
      throw { status: 0, code: 'connection_lost' };
    }
    if (offset !== this.kept.length) {
      throw { status: 409, code: 'upload_offset' };
    }
    assert.equal(sha256, createHash('sha256').update(bytes).digest('hex'));
    this.kept = Buffer.concat([this.kept, bytes]);
    if (failure === 'after') {
      throw { status: 0, code: 'connection_lost' };
    }
    return this._upload();
  }
}

const content = Buffer.alloc(2 * CHUNK_BYTES + 17, 'retinue');
const file = new File([content], 'a.zip');
const purpose = { datasetId: null, finish: async () => ({}) as never };
const start = (server: Server) => new UploadModel('p', file, server, error => error as never, purpose, 1);

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
