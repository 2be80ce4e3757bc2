/** The page of one dataset: its versions, what is in each and what was found, and the way out in any format. */
import { ReactWidget, UseSignal } from '@jupyterlab/ui-components';
import React from 'react';

import { Added, AddImages } from './add';
import { confirmTrash } from './confirm';
import { Facts, Findings } from './datasets';
import { ExportForm } from './export';
import { Failed, Importing } from './failed';
import type { Dataset, DatasetVersion } from './schema';
import { CommandIDs } from './tokens';
import type { IUi } from './ui';
import { ProblemView, StatusBadge, useAction } from './ui';
import { Versions } from './versions';

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
      <p className="retinue-Empty">
        {model.loaded
          ? trans.__('This dataset is in the trash or gone, or belongs to another project.')
          : trans.__('Waiting for the platform; the Retinue panel says what is the matter.')}
      </p>
    );
  }
  const version = dataset.versions.find(v => v.number === chosen) ?? dataset.versions[0];
  return (
    <div className="retinue-Dataset-body">
      <Head ui={ui} dataset={dataset} version={version} />
      {version ? (
        <>
          <AddImages ui={ui} dataset={dataset} onAdd={() => choose(null)} />
          <Versions ui={ui} dataset={dataset} shown={version.number} choose={choose} />
          <Version ui={ui} dataset={dataset} version={version} />
        </>
      ) : (
        <>
          <Importing ui={ui} dataset={dataset} />
          <Failed key={dataset.status} ui={ui} dataset={dataset} />
          {dataset.status === 'importing' && (
            <p className="retinue-Empty">
              {trans.__('Its first version appears here when the import is over.')}
            </p>
          )}
        </>
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
  const { busy, problem, run } = useAction();
  const remove = async () => {
    if (await confirmTrash(dataset, trans)) {
      await model.api.deleteDataset(dataset.id);
    }
  };
  const train = () => void commands.execute(CommandIDs.launch, { datasetId: dataset.id });
  return (
    <header className="retinue-Job-head">
      <h1>
        {dataset.name} {dataset.status !== 'ready' && <StatusBadge status={dataset.status} trans={trans} />}
      </h1>
      {version && model.canWrite && (
        <div className="retinue-Job-actions">
          <button className="jp-mod-styled jp-mod-accept" onClick={train}>
            {trans.__('Train…')}
          </button>
          <button className="jp-mod-styled jp-mod-warn" disabled={busy} onClick={() => run(remove)}>
            {trans.__('Move to trash')}
          </button>
        </div>
      )}
      {problem && <ProblemView problem={problem} trans={trans} />}
    </header>
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
        {version.merged && <Added merged={version.merged} trans={trans} />}
        <Facts version={version} trans={trans} />
        <p className="retinue-Facts">
          {trans.__('For')} {version.tasks.join(', ')} · {version.classes.join(', ')}
        </p>
        {version.origin && <p className="retinue-Facts">{trans.__('Made from %1', version.origin)}</p>}
        {version.elsewhere > 0 && (
          <p className="retinue-Facts">
            {trans.__(
              '%1 of its images stay there until they are needed',
              version.elsewhere.toLocaleString()
            )}
          </p>
        )}
        {version.recognised && <p className="retinue-Facts">{trans.__('Read as %1', version.recognised)}</p>}
        <Findings findings={version.findings} trans={trans} />
      </section>
      <ExportForm key={version.number} ui={ui} dataset={dataset} version={version} />
    </>
  );
}
