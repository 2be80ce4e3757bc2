import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  applies,
  carried,
  changed,
  defaults,
  fieldErrors,
  flatten,
  grouped,
  nest,
  remembered
} from '../src/params';
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

test('what was edited goes along to a model that takes it, and comes back with one that does', () => {
  const before = defaults(schema);
  let edits = remembered({}, schema, before, { ...before, epochs: 3, ema: true });
  assert.deepEqual(edits, { epochs: 3, ema: true });
  const other: IParameterSchema = {
    type: 'object',
    properties: { epochs: { type: 'integer', default: 50, minimum: 5 }, ema: { type: 'boolean' }, size: {} }
  };
  const takes = (wanted: object, value: unknown) =>
    typeof value !== 'number' || value >= ((wanted as { minimum?: number }).minimum ?? 0);
  assert.deepEqual(carried(edits, other, takes), { ema: true });
  edits = remembered(edits, other, { epochs: 50, ema: true, size: 1 }, { epochs: 50, ema: true, size: 2 });
  assert.deepEqual(carried(edits, schema, takes), { epochs: 3, ema: true });
  assert.deepEqual(edits, { epochs: 3, ema: true, size: 2 });
});

test('what is set back to its default is no longer an edit', () => {
  const before = { ...defaults(schema), epochs: 3 };
  assert.deepEqual(remembered({ epochs: 3 }, schema, before, { ...before, epochs: 10 }), {});
});
