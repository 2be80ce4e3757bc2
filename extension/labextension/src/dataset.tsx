/** The page of one dataset: its versions, what is in each and what was found, and the way out in any format. */
import { ReactWidget, UseSignal } from '@jupyterlab/ui-components';
import React from 'react';

import { Facts, Findings } from './datasets';
import { ExportForm } from './export';
import type { Dataset, DatasetVersion } from './schema';
import { CommandIDs } from './tokens';
import type { IUi } from './ui';
import { size, StatusBadge } from './ui';

export class DatasetPage extends ReactWidget {
  constructor(
    private readonly _ui: IUi,
    readonly datasetId: string
  ) {
    super();
    this.addClass('retinue-Dataset');
    _ui.model.changed.connect(this._onChanged, this);
    this._onChanged();
  }

  dispose(): void {
    this._ui.model.changed.disconnect(this._onChanged, this);
    super.dispose();
  }

  protected render(): JSX.Element {
    return (
      <UseSignal signal={this._ui.model.changed}>
        {() => <Page ui={this._ui} id={this.datasetId} />}
      </UseSignal>
    );
  }

  private _onChanged(): void {
    const dataset = this._ui.model.datasets.find(other => other.id === this.datasetId);
    this.title.label = dataset?.name ?? this.title.label ?? this._ui.trans.__('Dataset');
  }
}

function Page({ ui, id }: { ui: IUi; id: string }): JSX.Element {
  const { model, trans } = ui;
  const dataset = model.datasets.find(other => other.id === id);
  const [chosen, choose] = React.useState<number | null>(null);
  if (!dataset) {
    return (
      <p className="retinue-Empty">{trans.__('This dataset is gone, or belongs to another project.')}</p>
    );
  }
  const version = dataset.versions.find(v => v.number === chosen) ?? dataset.versions[0];
  return (
    <div className="retinue-Dataset-body">
      <Head ui={ui} dataset={dataset} version={version} />
      {version ? (
        <>
          <Versions ui={ui} dataset={dataset} shown={version.number} choose={choose} />
          <Version ui={ui} dataset={dataset} version={version} />
        </>
      ) : (
        <p className="retinue-Empty">{trans.__('It has no version yet: its import is not over.')}</p>
      )}
    </div>
  );
}

function Head({
  ui,
  dataset,
  version
}: {
  ui: IUi;
  dataset: Dataset;
  version?: DatasetVersion;
}): JSX.Element {
  const { commands, model, trans } = ui;
  const train = () => void commands.execute(CommandIDs.launch, { datasetId: dataset.id });
  return (
    <header className="retinue-Job-head">
      <h1>
        {dataset.name} {dataset.status !== 'ready' && <StatusBadge status={dataset.status} trans={trans} />}
      </h1>
      {version && model.canWrite && (
        <button className="jp-mod-styled jp-mod-accept" onClick={train}>
          {trans.__('Train…')}
        </button>
      )}
    </header>
  );
}

interface IVersions {
  ui: IUi;
  dataset: Dataset;
  shown: number;
  choose: (version: number) => void;
}

function Versions({ ui, dataset, shown, choose }: IVersions): JSX.Element {
  const { trans } = ui;
  const heads = ['Version', 'Made', 'By', 'Images', 'Annotations', 'Format', 'Size', 'Digest'];
  return (
    <section aria-label={trans.__('Versions')}>
      <h2>{trans.__('Versions')}</h2>
      <table className="retinue-Table">
        <thead>
          <tr>
            {heads.map(head => (
              <th key={head} scope="col">
                {trans.__(head)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {dataset.versions.map(v => (
            <tr key={v.number} aria-selected={v.number === shown}>
              <td>
                <button className="retinue-Link" onClick={() => choose(v.number)}>
                  {`v${v.number}`}
                </button>
              </td>
              <td>{new Date(v.created_at).toLocaleString()}</td>
              <td>{v.created_by}</td>
              <td>{v.images.toLocaleString()}</td>
              <td>{v.annotations.toLocaleString()}</td>
              <td>{v.format}</td>
              <td>{size(v.size_bytes)}</td>
              <td>
                <code title={v.digest}>{v.digest.slice(0, 12)}</code>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Version({
  ui,
  dataset,
  version
}: {
  ui: IUi;
  dataset: Dataset;
  version: DatasetVersion;
}): JSX.Element {
  const { trans } = ui;
  return (
    <>
      <section aria-label={trans.__('Content')}>
        <h2>{trans.__('Content of version %1', version.number)}</h2>
        <Facts version={version} trans={trans} />
        <p className="retinue-Facts">
          {trans.__('For')} {version.tasks.join(', ')} · {version.classes.join(', ')}
        </p>
        <Findings findings={version.findings} trans={trans} />
      </section>
      <ExportForm key={version.number} ui={ui} dataset={dataset} version={version} />
    </>
  );
}
