/** Datasets of the project: what is in them, and what was found wrong. */
import React from 'react';

import { DropZone } from './drop';
import { Failed, Importing } from './failed';
import type { Dataset, DatasetVersion, Finding } from './schema';
import { CommandIDs } from './tokens';
import { TrashList } from './trash';
import type { IUi } from './ui';
import { StatusBadge } from './ui';
import { UploadItem } from './uploaditem';

export function Datasets(ui: IUi): JSX.Element {
  const { model, trans } = ui;
  return (
    <section className="retinue-Section" aria-label={trans.__('Datasets')}>
      <h2>{trans.__('Datasets')}</h2>
      <ul className="retinue-List">
        {model.datasets.map(dataset => (
          <DatasetItem key={dataset.id} ui={ui} dataset={dataset} />
        ))}
      </ul>
      {model.uploads.list
        .filter(upload => upload.purpose.projectId === model.project?.id)
        .map(upload => (
          <UploadItem key={upload.key} ui={ui} upload={upload} />
        ))}
      {model.canWrite && <DropZone {...ui} />}
      {!model.canWrite && !model.datasets.length && (
        <p className="retinue-Empty">{trans.__('No dataset yet. An editor of the project can add one.')}</p>
      )}
      <TrashList key={model.project?.id} {...ui} />
    </section>
  );
}

function DatasetItem({ ui, dataset }: { ui: IUi; dataset: Dataset }): JSX.Element {
  const { commands, model, trans } = ui;
  const version = dataset.versions[0];
  const train = () => void commands.execute(CommandIDs.launch, { datasetId: dataset.id });
  return (
    <li className="retinue-Item" data-dataset={dataset.id}>
      <div className="retinue-Item-head">
        <button
          className="retinue-Item-name retinue-Item-title"
          title={trans.__('Open %1', dataset.name)}
          onClick={() => void commands.execute(CommandIDs.openDataset, { datasetId: dataset.id })}
        >
          {dataset.name}
        </button>
        {dataset.status !== 'ready' && <StatusBadge status={dataset.status} trans={trans} />}
        {version && model.canWrite && (
          <button
            className="jp-mod-styled retinue-Item-action"
            onClick={train}
            aria-label={trans.__('Train on %1', dataset.name)}
          >
            {trans.__('Train…')}
          </button>
        )}
      </div>
      <Importing ui={ui} dataset={dataset} />
      {version && <Facts version={version} trans={trans} />}
      {version && <Findings findings={version.findings} trans={trans} />}
      <Failed key={dataset.status} ui={ui} dataset={dataset} />
    </li>
  );
}

type Trans = IUi['trans'];

export function Facts({ version, trans }: { version: DatasetVersion; trans: Trans }): JSX.Element {
  const number = (n: number) => n.toLocaleString();
  const splits = Object.entries(version.splits).map(([name, count]) => `${name} ${number(count)}`);
  return (
    <div className="retinue-Facts">
      {trans.__('%1 images', number(version.images))} ·{' '}
      {trans.__('%1 classes', number(version.classes.length))}
      {version.annotations > 0 && !version.tasks.includes('classify') && (
        <> · {trans.__('%1 annotations', number(version.annotations))}</>
      )}
      <br />
      <span title={version.split_rule ?? undefined}>{splits.join(', ')}</span> · {version.format} v
      {version.number}
      {version.split_rule && <div className="retinue-Facts-rule">{version.split_rule}</div>}
    </div>
  );
}

export function Findings({ findings, trans }: { findings: Finding[]; trans: Trans }): JSX.Element | null {
  if (!findings.length) {
    return null;
  }
  const title = trans._n('%1 kind of finding', '%1 kinds of findings', findings.length, findings.length);
  return (
    <details className="retinue-Findings">
      <summary>{title}</summary>
      <ul>
        {findings.map(finding => (
          <li key={finding.code} data-severity={finding.severity}>
            <strong>
              {finding.message} ({finding.count.toLocaleString()})
            </strong>
            <div>{finding.hint}</div>
            {finding.examples.slice(0, 5).map(example => (
              <code key={example}>{example}</code>
            ))}
          </li>
        ))}
      </ul>
    </details>
  );
}
