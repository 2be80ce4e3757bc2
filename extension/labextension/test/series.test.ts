import assert from 'node:assert/strict';
import { test } from 'node:test';

import { align, groupKeys, SeriesStore } from '../src/series';

const point = (seq: number, values: Record<string, number | string>) => ({ seq, step: seq * 10, values });

test('every point is kept once, whatever is sent again', () => {
  const store = new SeriesStore();
  store.append([point(1, { a: 1 }), point(2, { a: 2, b: 5 })]);
  const grown = store.append([point(2, { a: 2, b: 5 }), point(4, { a: 4 })]);
  assert.deepEqual(store.data.a, { step: [10, 20, 40], value: [1, 2, 4], seq: [1, 2, 4] });
  assert.deepEqual([...grown], ['a']);
  assert.equal(store.seq, 4);
});

test('NaN and infinity are kept as numbers and break the line', () => {
  const store = new SeriesStore();
  store.append([
    point(1, { a: 1 }),
    point(2, { a: 'NaN' }),
    point(3, { a: '-Infinity' }),
    point(4, { a: 2 })
  ]);
  assert.deepEqual(store.data.a.value, [1, NaN, -Infinity, 2]);
  assert.deepEqual(align([store.data.a])[1], [1, null, null, 2]);
});

test('series with different steps share one axis, and a missing point is no gap', () => {
  const [x, a, b] = align([
    { step: [1, 2, 3], value: [1, 2, 3], seq: [] },
    { step: [2, 4], value: [20, 40], seq: [] }
  ]);
  assert.deepEqual(x, [1, 2, 3, 4]);
  assert.deepEqual(a, [1, 2, 3, undefined]);
  assert.deepEqual(b, [undefined, 20, undefined, 40]);
});

test('steps out of order are sorted for drawing, the newest value of a step is shown', () => {
  const [x, y] = align([{ step: [3, 1, 3], value: [30, 10, 31], seq: [] }]);
  assert.deepEqual([x, y], [[1, 3], [10, 31]]); // prettier-ignore
});

test('a hundred thousand points of four series are joined at once', () => {
  const step = Array.from({ length: 100_000 }, (_, i) => i);
  const series = Array.from({ length: 4 }, () => ({ step, value: step, seq: step }));
  const began = performance.now();
  assert.equal(align(series)[0].length, 100_000);
  assert.ok(performance.now() - began < 1000);
});

test('a saved picture without sequence numbers does not hide what comes later', () => {
  const store = new SeriesStore();
  store.load({ a: { step: [1, 2], value: [1, 'NaN'] } });
  assert.deepEqual(store.data.a.seq, [1, 2]);
  store.append([point(7, { a: 3 })]);
  assert.equal(store.data.a.value.length, 3);
});

test('train and val of one quantity share a plot; losses come first, rates last', () => {
  const groups = groupKeys(['lr', 'val/top1', 'train/loss', 'val/loss']);
  assert.deepEqual([...groups.keys()], ['loss', 'top1', 'lr']);
  assert.deepEqual(groups.get('loss'), ['train/loss', 'val/loss']);
});
