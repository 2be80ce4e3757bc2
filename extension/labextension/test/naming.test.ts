import assert from 'node:assert/strict';
import { test } from 'node:test';

import { freeName, sameName } from '../src/naming';

test('a name that is free stays, and one that is taken gets the first number that is not', () => {
  assert.equal(freeName('shapes', ['round']), 'shapes');
  assert.equal(freeName('shapes', ['Shapes']), 'shapes-2');
  assert.equal(freeName('shapes', ['shapes', 'SHAPES-2', 'shapes-3']), 'shapes-4');
});

test('the number fits into the longest name there is', () => {
  const long = 'x'.repeat(120);
  assert.equal(freeName(long, [long]), `${'x'.repeat(118)}-2`);
});

test('names are compared as the platform does', () => {
  assert.ok(sameName(' Shapes', 'shapes '));
  assert.ok(!sameName('shapes', 'shapes-2'));
});
