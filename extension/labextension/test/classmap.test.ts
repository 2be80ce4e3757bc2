import assert from 'node:assert/strict';
import { test } from 'node:test';

import { readClassMap } from '../src/classmap';

test('a line says what a class is called here, or leaves it out', () => {
  const { classes, twice } = readClassMap([
    { name: ' kitty ', existing: 'cat' },
    { name: 'noise', existing: null },
    { name: 'a = b', existing: 'b = c' },
    { name: 'not yet' },
    { name: '' }
  ]);
  assert.deepEqual(classes, { kitty: 'cat', noise: null, 'a = b': 'b = c' });
  assert.deepEqual(twice, []);
});

test('a name is there once', () => {
  const { classes, twice } = readClassMap([
    { name: 'fox', existing: 'dog' },
    { name: 'fox ', existing: 'cat' }
  ]);
  assert.deepEqual(classes, { fox: 'dog' });
  assert.deepEqual(twice, ['fox']);
});
