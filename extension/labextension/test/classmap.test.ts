import assert from 'node:assert/strict';
import { test } from 'node:test';

import { readClassMap } from '../src/classmap';

test('a line says what a class is called here, or leaves it out', () => {
  const { classes, wrong } = readClassMap(' kitty = cat\r\n\n lorry=truck \nnoise =\n a = b = c');
  assert.deepEqual(classes, { kitty: 'cat', lorry: 'truck', noise: null, a: 'b = c' });
  assert.deepEqual(wrong, []);
});

test('a line without a name, without a sign, or with a name again is wrong', () => {
  const { classes, wrong } = readClassMap('cat\n= dog\nfox = dog\nfox = cat');
  assert.deepEqual(classes, { fox: 'dog' });
  assert.deepEqual(wrong, ['cat', '= dog', 'fox = cat']);
});
