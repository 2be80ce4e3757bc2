/** A model's flat JSON Schema as a form with groups, and back. Pure functions. */
import type { Problem } from './schema';

export interface IParameter {
  type?: string;
  title?: string;
  description?: string;
  default?: unknown;
  group?: string;
  unit?: string;
  enum?: unknown[];
  minimum?: number;
  maximum?: number;
  'x-depends-on'?: Record<string, object>;
  [key: string]: unknown;
}

export interface IParameterSchema {
  type: 'object';
  properties: Record<string, IParameter>;
  required?: string[];
}

export type Values = Record<string, unknown>;
export type Groups = Record<string, Values>;
export type Matches = (schema: object, value: unknown) => boolean;

const OTHER = 'other';

function groupOf(parameter: IParameter): string {
  return parameter.group ?? OTHER;
}

export function defaults(schema: IParameterSchema): Values {
  return Object.fromEntries(
    Object.entries(schema.properties)
      .filter(([, p]) => p.default !== undefined)
      .map(([name, p]) => [name, p.default])
  );
}

/** Whether a parameter has any effect: `x-depends-on` maps another's name to a schema of its value. */
export function applies(parameter: IParameter, values: Values, matches: Matches): boolean {
  return Object.entries(parameter['x-depends-on'] ?? {}).every(([name, wanted]) =>
    matches(wanted, values[name])
  );
}

/** One object per group, in the order the groups first appear. */
export function grouped(schema: IParameterSchema, values: Values, matches: Matches): object {
  const groups: Record<string, { type: 'object'; title: string; properties: Values }> = {};
  for (const [name, parameter] of Object.entries(schema.properties)) {
    const group = groupOf(parameter);
    groups[group] ??= { type: 'object', title: group, properties: {} };
    if (applies(parameter, values, matches)) {
      groups[group].properties[name] = parameter;
    }
  }
  const filled = Object.entries(groups).filter(([, g]) => Object.keys(g.properties).length);
  return { type: 'object', properties: Object.fromEntries(filled) };
}

export function nest(schema: IParameterSchema, values: Values): Groups {
  const groups: Groups = {};
  for (const [name, parameter] of Object.entries(schema.properties)) {
    const group = (groups[groupOf(parameter)] ??= {});
    if (name in values) {
      group[name] = values[name];
    }
  }
  return groups;
}

export function flatten(groups: Groups): Values {
  return Object.assign({}, ...Object.values(groups));
}

/** Only what differs from the default is sent: the job then says what was chosen. */
export function changed(schema: IParameterSchema, values: Values): Values {
  return Object.fromEntries(
    Object.entries(values).filter(
      ([name, value]) =>
        value !== undefined && JSON.stringify(value) !== JSON.stringify(schema.properties[name]?.default)
    )
  );
}

/** What has been edited in the forms of all models so far: `edits`, and what was changed in this one's just now. */
export function remembered(edits: Values, schema: IParameterSchema, before: Values, after: Values): Values {
  const touched = Object.entries(after).filter(([name, value]) => value !== before[name]);
  const rest = Object.entries(edits).filter(([name]) => touched.every(([other]) => other !== name));
  return { ...Object.fromEntries(rest), ...changed(schema, Object.fromEntries(touched)) };
}

/** The edited values that another model has a parameter for, and takes. */
export function carried(edits: Values, schema: IParameterSchema, matches: Matches): Values {
  return Object.fromEntries(
    Object.entries(edits).filter(
      ([name, value]) => name in schema.properties && matches(schema.properties[name], value)
    )
  );
}

/** Name of the parameter a problem is about, if it is about one. */
export function parameterOf(problem: Problem, schema: IParameterSchema): string | null {
  const parts = (problem.where ?? '').split(/[./]/);
  return parts.find(part => part in schema.properties) ?? null;
}

/** Problems in the shape that rjsf puts beside fields. */
export function fieldErrors(problems: readonly Problem[], schema: IParameterSchema): Groups {
  const errors: Record<string, Record<string, { __errors: string[] }>> = {};
  for (const problem of problems) {
    const name = parameterOf(problem, schema);
    if (name) {
      const group = (errors[groupOf(schema.properties[name])] ??= {});
      (group[name] ??= { __errors: [] }).__errors.push(`${problem.message} ${problem.hint}`);
    }
  }
  return errors;
}
