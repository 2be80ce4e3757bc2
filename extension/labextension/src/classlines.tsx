/** A form's part that says what incoming classes are called here: their names are typed, the existing ones chosen. */
import React from 'react';

import type { IClassLine } from './classmap';
import type { IUi } from './ui';

const OUT = 'out';

interface IClassLines {
  trans: IUi['trans'];
  classes: string[];
  lines: IClassLine[];
  twice: string[];
  set: (lines: IClassLine[]) => void;
}

/** There is always an empty line at the end; a name that is cleared takes its line away. */
export function ClassLines({ trans, classes, lines, twice, set }: IClassLines): JSX.Element {
  const all = [...lines, { name: '' }];
  const change = (index: number, line: IClassLine) =>
    set(all.map((other, at) => (at === index ? line : other)).filter(isSaid));
  return (
    <fieldset className="retinue-Classes">
      <legend>{trans.__('Classes by another name')}</legend>
      {all.map((line, index) => (
        <ClassLine
          key={index}
          trans={trans}
          classes={classes}
          line={line}
          set={line => change(index, line)}
        />
      ))}
      {twice.length > 0 && (
        <div className="retinue-Field-errors" role="alert">
          {trans.__('Named twice: %1', twice.join(', '))}
        </div>
      )}
    </fieldset>
  );
}

function isSaid({ name, existing }: IClassLine): boolean {
  return name !== '' || existing !== undefined;
}

interface IClassLineProps {
  trans: IUi['trans'];
  classes: string[];
  line: IClassLine;
  set: (line: IClassLine) => void;
}

function ClassLine({ trans, classes, line, set }: IClassLineProps): JSX.Element {
  const { name, existing } = line;
  const existingOf = (value: string) => (value === OUT ? null : classes[Number(value)]);
  return (
    <div className="retinue-Classes-line">
      <input
        className="jp-mod-styled"
        aria-label={trans.__('Incoming class')}
        placeholder={trans.__('incoming class')}
        value={name}
        required={existing !== undefined}
        onChange={event => set(event.target.value ? { name: event.target.value, existing } : { name: '' })}
      />
      <span aria-hidden>→</span>
      <select
        className="jp-mod-styled"
        aria-label={trans.__('Existing class')}
        value={existing === undefined ? '' : existing === null ? OUT : classes.indexOf(existing)}
        required={name !== ''}
        onChange={event => set({ name, existing: existingOf(event.target.value) })}
      >
        <option value="" disabled hidden>
          {trans.__('existing class')}
        </option>
        <option value={OUT}>{trans.__('Leave it out')}</option>
        {classes.map((existing, index) => (
          <option key={existing} value={index}>
            {existing}
          </option>
        ))}
      </select>
    </div>
  );
}
