import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Api } from '../src/api';
import { makeProblem, ProblemError } from '../src/problem';
import { Recoveries } from '../src/recoveries';
import type { IRecord } from '../src/recoveries';
import { Uploads } from '../src/uploads';

/** What a browser keeps for a site. */
class Kept {
  [name: string]: any;
}
Object.defineProperties(Kept.prototype, {
  getItem: { value: (name: string) => kept[name] ?? null },
  setItem: { value: (name: string, text: string) => (kept[name] = text) },
  removeItem: { value: (name: string) => delete kept[name] }
});
let kept = new Kept();

const file = new File(['0123456789'], 'a.zip', { lastModified: 5 });
const purpose = { projectId: 'p', datasetId: null, body: { name: 'a' } };
const record: IRecord = {
  key: 'k',
  id: 'u',
  origin: { file: { name: 'a.zip', size: 10, changed: 5 } },
  purpose,
  sent: 3,
  size: 10
};

/** A page that opens after another was closed during an upload, of which the platform has `offset` bytes, or none. */
async function next(offset: number | null, left: IRecord = record) {
  kept = new Kept();
  const recoveries = new Recoveries(kept as unknown as Storage, '/user/a/');
  recoveries.save(left);
  new Recoveries(kept as unknown as Storage, '/user/b/').save(left);
  const asked: unknown[] = [];
  const tell = (offset: number) => ({ id: 'u', offset, size: 10 });
  const api = {
    upload: async () => {
      if (offset === null) {
        throw new ProblemError(makeProblem('not_found', '', '', 404));
      }
      return tell(offset);
    },
    createUpload: async () => tell(0),
    putChunk: async (id: string, from: number, bytes: Uint8Array) => {
      asked.push(['put', id, from, new TextDecoder().decode(bytes)]);
      return tell(from + bytes.length);
    },
    deleteUpload: async (id: string) => asked.push(['delete', id]),
    sendFiles: async (body: unknown) => {
      asked.push(['send', body]);
      return new Blob([`${JSON.stringify({ upload: tell(10), state: 'newer' })}\n`]).stream();
    },
    createDataset: async (...args: unknown[]) => asked.push(['create', ...args])
  };
  const uploads = new Uploads(api as unknown as Api, recoveries, () => undefined);
  await uploads.restore();
  return { uploads, asked, ours: () => Object.keys(kept).filter(name => name.includes('/user/a/')) };
}

const created = ['create', 'p', { name: 'a', upload_id: 'u' }];

test('an interrupted upload goes on where the platform has it, with the same file only', async () => {
  const { uploads, asked, ours } = await next(4);
  const [upload] = uploads.list;
  assert.deepEqual([uploads.list.length, upload.state, upload.sent], [1, 'interrupted', 4]);
  await uploads.proceed(upload, new File(['0123456789'], 'a.zip', { lastModified: 6 }));
  assert.deepEqual([upload.state, upload.problem?.code], ['interrupted', 'upload_other_file']);
  await uploads.proceed(upload, file);
  assert.deepEqual(asked, [['put', 'u', 4, '456789'], created]);
  assert.deepEqual([uploads.list, ours()], [[], []]);
});

test('the same file given as a new one goes on too', async () => {
  const { uploads, asked } = await next(4);
  await uploads.start({ file }, { ...purpose, body: { name: 'b' } });
  assert.deepEqual(asked, [
    ['put', 'u', 4, '456789'],
    ['create', 'p', { name: 'b', upload_id: 'u' }]
  ]);
});

test('files of the Jupyter server go on by the state they had', async () => {
  const { uploads, asked } = await next(4, { ...record, origin: { path: 'pets', state: 'old' } });
  await uploads.resume(uploads.list[0]);
  assert.deepEqual(asked, [
    ['send', { project_id: 'p', path: 'pets', state: 'old', upload_id: 'u' }],
    created
  ]);
});

test('one that had arrived needs no file', async () => {
  const { uploads, asked } = await next(10);
  assert.ok(uploads.list[0].whole);
  await uploads.resume(uploads.list[0]);
  assert.deepEqual(asked, [created]);
});

test('one that the platform does not have any more is said to be, and starts anew', async () => {
  const { uploads, asked } = await next(null);
  const [upload] = uploads.list;
  assert.deepEqual([upload.problem?.code, upload.sent], ['upload_gone', 0]);
  await uploads.proceed(upload, file);
  assert.deepEqual(asked, [['put', 'u', 0, '0123456789'], created]);
});

test('one that is discarded is gone here and there', async () => {
  const { uploads, asked, ours } = await next(4);
  await uploads.cancel(uploads.list[0]);
  assert.deepEqual([asked, uploads.list, ours()], [[['delete', 'u']], [], []]);
});
