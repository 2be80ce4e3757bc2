import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Range } from '../src/zoom';
import { Zoom } from '../src/zoom';

const WHOLE: Range = [0, 100];

function shown(zoom: Zoom, from: number, to: number): unknown {
  return (zoom.scale.range as unknown as (...whole: unknown[]) => unknown)(null, from, to);
}

test('a chart follows what comes until a range is chosen, and again when that is taken back', () => {
  let drawn = 0;
  const zoom = new Zoom(() => drawn++);
  assert.deepEqual(shown(zoom, 0, 100), [0, 100]);
  zoom.show([20, 40]);
  assert.deepEqual(shown(zoom, 0, 100), [20, 40]);
  assert.deepEqual(shown(zoom, 0, 200), [20, 40]);
  zoom.show(null);
  assert.deepEqual(shown(zoom, 0, 200), [0, 200]);
  assert.equal(drawn, 2);
});

test('keys zoom and move; zoomed out to everything it follows again', () => {
  const zoom = new Zoom(() => undefined);
  assert.equal(zoom.press('+', WHOLE), true);
  assert.deepEqual(zoom.range, [20, 80]);
  zoom.press('ArrowRight', WHOLE);
  assert.deepEqual(zoom.range, [32, 92]);
  zoom.press('-', WHOLE);
  assert.notEqual(zoom.range, null);
  zoom.press('-', WHOLE);
  assert.equal(zoom.range, null);
  zoom.press('+', WHOLE);
  zoom.press('0', WHOLE);
  assert.equal(zoom.range, null);
  assert.equal(zoom.press('x', WHOLE), false);
});
