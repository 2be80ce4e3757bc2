/** A form in a dialog. */
import { Dialog, showDialog } from '@jupyterlab/apputils';
import { ReactWidget } from '@jupyterlab/ui-components';
import React from 'react';

type Draw<T> = (value: T, set: (value: T) => void) => JSX.Element;

class Body<T> extends ReactWidget implements Dialog.IBodyWidget<T> {
  constructor(
    private _value: T,
    private readonly _draw: Draw<T>
  ) {
    super();
    this.addClass('retinue-Dialog');
  }

  getValue(): T {
    return this._value;
  }

  protected render(): JSX.Element {
    return <Form first={this._value} draw={this._draw} keep={value => (this._value = value)} />;
  }
}

function Form<T>({ first, draw, keep }: { first: T; draw: Draw<T>; keep: (value: T) => void }): JSX.Element {
  const [value, setValue] = React.useState(first);
  return draw(value, next => {
    keep(next);
    setValue(next);
  });
}

interface IForm<T> {
  title: string;
  yes: string;
  no: string;
  first: T;
  draw: Draw<T>;
}

/** What was filled in; null when it is closed otherwise. */
export async function askForm<T>({ title, yes, no, first, draw }: IForm<T>): Promise<T | null> {
  const body = new Body(first, draw);
  const buttons = [Dialog.cancelButton({ label: no }), Dialog.okButton({ label: yes })];
  const answer = await showDialog<T>({ title, body, buttons, focusNodeSelector: 'input' });
  return answer.button.accept ? answer.value : null;
}
