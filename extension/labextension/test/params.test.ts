import assert from 'node:assert/strict';
import { test } from 'node:test';

import { applies, changed, defaults, fieldErrors, flatten, grouped, nest } from '../src/params';
import type { IParameterSchema } from '../src/params';

const schema: IParameterSchema = {
  type: 'object',
  properties: {
    epochs: { type: 'integer', default: 10, group: 'training' },
    ema: { type: 'boolean', default: false, group: 'regularisation' },
    ema_decay: {
      type: 'number',
      default: 0.999,
      group: 'regularisation',
      'x-depends-on': { ema: { const: true } }
    },
    odd: { type: 'string' }
  }
};
const matches = (wanted: object, value: unknown) => (wanted as { const: unknown }).const === value;

test('the form is grouped and comes back flat', () => {
  const values = defaults(schema);
  assert.deepEqual(flatten(nest(schema, values)), values);
  const form = grouped(schema, values, matches) as { properties: Record<string, { properties: object }> };
  assert.deepEqual(Object.keys(form.properties), ['training', 'regularisation', 'other']);
});

test('what has no effect is not shown', () => {
  const decay = schema.properties.ema_decay;
  assert.equal(applies(decay, { ema: false }, matches), false);
  assert.equal(applies(decay, { ema: true }, matches), true);
});

test('only what was changed is sent', () => {
  assert.deepEqual(changed(schema, { ...defaults(schema), epochs: 3, odd: undefined }), { epochs: 3 });
});

test('a problem stands beside its field', () => {
  const problem = { where: 'parameters.epochs', message: 'Too many.', hint: 'At most 100.' } as never;
  const errors = fieldErrors([problem], schema);
  assert.deepEqual(errors, { training: { epochs: { __errors: ['Too many. At most 100.'] } } });
});
