/** The parameters of a model, drawn from its JSON Schema by JupyterLab's own form component. */
import { FormComponent } from '@jupyterlab/ui-components';
import type { ReadonlyJSONObject } from '@lumino/coreutils';
import type { FieldTemplateProps, ObjectFieldTemplateProps, RJSFSchema } from '@rjsf/utils';
import { customizeValidator } from '@rjsf/validator-ajv8';
import React from 'react';

import { changed, fieldErrors, flatten, grouped, nest } from './params';
import type { Groups, IParameter, IParameterSchema, Values } from './params';
import type { Problem } from './schema';
import type { IUi } from './ui';

interface IFormProps {
  schema: IParameterSchema;
  values: Values;
  problems: readonly Problem[];
  trans: IUi['trans'];
  onChange(values: Values, valid: boolean): void;
}

const validator = customizeValidator<ReadonlyJSONObject>();
const TEMPLATES = {
  FieldTemplate,
  ObjectFieldTemplate: GroupTemplate,
  DescriptionFieldTemplate: () => null // the field template shows it
};

/** Whether a value is what a schema wants. */
export function matches(wanted: object, value: unknown): boolean {
  return validator.isValid(wanted as RJSFSchema, value as ReadonlyJSONObject, {});
}

export function ParameterForm({ schema, values, problems, trans, onChange }: IFormProps): JSX.Element {
  const form = grouped(schema, values, matches) as RJSFSchema;
  return (
    <FormComponent
      className="retinue-Form"
      tagName="div"
      schema={form}
      validator={validator}
      formData={nest(schema, values) as ReadonlyJSONObject}
      formContext={{ trans, changed: changed(schema, values) }}
      extraErrors={fieldErrors(problems, schema) as never}
      extraErrorsBlockSubmit={false}
      liveValidate
      noHtml5Validate
      showErrorList={false}
      templates={TEMPLATES}
      onChange={event => {
        const next = { ...values, ...flatten((event.formData ?? {}) as Groups) };
        onChange(next, validator.isValid(form, event.formData, form));
      }}
    />
  );
}

/** One field: a real label, the range and unit beside it, help and problems tied to the input for screen readers. */
function FieldTemplate(props: FieldTemplateProps): JSX.Element {
  const { id, children, schema, rawErrors = [], formContext, uiSchema } = props;
  if (schema.type === 'object') {
    return <>{children}</>;
  }
  const parameter = schema as IParameter;
  const name = id.split('_').slice(2).join('_');
  const isChanged = name in (formContext.changed as Values);
  const label = uiSchema?.['ui:title'] ?? schema.title ?? props.label;
  return (
    <div className="retinue-Field" data-parameter={name} data-changed={isChanged || undefined}>
      {schema.type !== 'boolean' && (
        <label htmlFor={id}>
          {label} <Range parameter={parameter} />
        </label>
      )}
      <div className="retinue-Field-input">{children}</div>
      {parameter.description && (
        <div className="retinue-Field-help" id={`${id}__description`}>
          {parameter.description}
          {isChanged && (
            <span className="retinue-Field-default">
              {' '}
              {formContext.trans.__('Default: %1', String(parameter.default))}
            </span>
          )}
        </div>
      )}
      <div className="retinue-Field-errors" id={`${id}__error`} role="alert">
        {rawErrors.at(-1) /* the server's, where there are two, says more */}
      </div>
    </div>
  );
}

function Range({ parameter }: { parameter: IParameter }): JSX.Element | null {
  const { minimum, maximum, unit } = parameter;
  const range = minimum !== undefined && maximum !== undefined ? `${minimum} – ${maximum}` : '';
  const text = [range, unit].filter(Boolean).join(' ');
  return text ? <span className="retinue-Field-range">{text}</span> : null;
}

/** The root is only a list of groups; a group can be folded. */
function GroupTemplate(props: ObjectFieldTemplateProps): JSX.Element {
  const fields = props.properties.map(property => property.content);
  if (props.idSchema.$id === 'root') {
    return <>{fields}</>;
  }
  return (
    <details className="retinue-Group" open>
      <summary>{props.title}</summary>
      <div className="retinue-Group-fields">{fields}</div>
    </details>
  );
}
