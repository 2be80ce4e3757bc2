/** A dataset version out again: choose a format, see what it cannot hold, download. */
import React from 'react';

import { toProblem } from './problem';
import { useLoaded, useLoads } from './reload';
import type { Dataset, DatasetFormat, DatasetVersion, Finding, Problem } from './schema';
import type { IUi } from './ui';
import { ProblemView } from './ui';

interface IProps {
  ui: IUi;
  dataset: Dataset;
  version: DatasetVersion;
}

export function ExportForm({ ui, dataset, version }: IProps): JSX.Element {
  const { model, trans } = ui;
  const formats = useFormats(ui);
  const [chosen, choose] = React.useState('');
  const { losses, problem } = useLosses(ui, dataset.id, version.number, chosen);
  return (
    <section className="retinue-Export" aria-label={trans.__('Export')}>
      <h2>{trans.__('Export')}</h2>
      <FormatSelect
        formats={formats.filter(format => format.writes)}
        none={trans.__('Choose…')}
        label={trans.__('Format')}
        value={chosen}
        choose={choose}
      />
      {problem && <ProblemView problem={problem} trans={trans} />}
      {chosen && !losses && !problem && <p aria-live="polite">{trans.__('Looking what it can hold…')}</p>}
      {losses && (
        <>
          <Losses losses={losses} trans={trans} />
          <a
            className="retinue-Export-download"
            href={model.api.archiveUrl(dataset.id, version.number, chosen)}
            download
          >
            {trans.__('Download zip')}
          </a>
        </>
      )}
    </section>
  );
}

interface IFormatSelect {
  formats: Pick<DatasetFormat, 'name' | 'title'>[];
  label: string;
  /** What is shown for the empty choice. */
  none: string;
  value: string;
  choose: (name: string) => void;
}

export function FormatSelect({ formats, label, none, value, choose }: IFormatSelect): JSX.Element {
  return (
    <label className="retinue-Format">
      {label}{' '}
      <select className="jp-mod-styled" value={value} onChange={event => choose(event.target.value)}>
        <option value="">{none}</option>
        {formats.map(({ name, title }) => (
          <option key={name} value={name}>
            {title}
          </option>
        ))}
      </select>
    </label>
  );
}

function Losses({ losses, trans }: { losses: Finding[]; trans: IUi['trans'] }): JSX.Element {
  if (!losses.length) {
    return <p>{trans.__('Nothing is lost: this format holds all of it.')}</p>;
  }
  return (
    <ul className="retinue-Losses">
      {losses.map(loss => (
        <li key={loss.code}>
          <strong>
            {loss.message} ({loss.count.toLocaleString()})
          </strong>{' '}
          {loss.hint}
        </li>
      ))}
    </ul>
  );
}

/** The formats installed on the platform; none until they are known. */
export function useFormats(ui: IUi): DatasetFormat[] {
  return useLoaded(ui, () => ui.model.api.formats(), []);
}

interface ILosses {
  losses: Finding[] | null;
  problem: Problem | null;
}

const NOTHING: ILosses = { losses: null, problem: null };

function useLosses({ model }: IUi, dataset: string, version: number, format: string): ILosses {
  const [state, setState] = React.useState<ILosses>(NOTHING);
  const loads = useLoads({ model });
  React.useEffect(() => {
    let shown = true;
    setState(NOTHING);
    if (format) {
      model.api.losses(dataset, version, format).then(
        losses => shown && setState({ losses, problem: null }),
        error => shown && setState({ losses: null, problem: toProblem(error) })
      );
    }
    return () => {
      shown = false;
    };
  }, [model, dataset, version, format, loads]);
  return state;
}
