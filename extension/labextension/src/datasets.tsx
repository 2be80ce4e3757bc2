/** Datasets of the project: what is in them, what was found wrong, and the way in for new ones. */
import React from 'react';

import { FormatSelect, useFormats } from './export';
import type { Dataset, DatasetVersion, Finding, Problem } from './schema';
import { CommandIDs } from './tokens';
import { TrashList } from './trash';
import type { IUi } from './ui';
import { ProblemView, Progress, size, StatusBadge } from './ui';
import type { UploadModel } from './upload';

export function Datasets(ui: IUi): JSX.Element {
  const { model, trans } = ui;
  return (
    <section className="retinue-Section" aria-label={trans.__('Datasets')}>
      <h2>{trans.__('Datasets')}</h2>
      <ul className="retinue-List">
        {model.datasets.map(dataset => (
          <DatasetItem key={dataset.id} dataset={dataset} {...ui} />
        ))}
      </ul>
      {model.uploads
        .filter(upload => upload.projectId === model.project?.id)
        .map((upload, index) => (
          <UploadItem key={upload.id ?? index} upload={upload} {...ui} />
        ))}
      {model.canWrite && <DropZone {...ui} />}
      <TrashList key={model.project?.id} {...ui} />
    </section>
  );
}

function DatasetItem({ dataset, commands, model, trans }: IUi & { dataset: Dataset }): JSX.Element {
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
      <Importing dataset={dataset} trans={trans} />
      {version && <Facts version={version} trans={trans} />}
      {version && <Findings findings={version.findings} trans={trans} />}
      {dataset.problem && <ProblemView problem={dataset.problem as unknown as Problem} trans={trans} />}
      {dataset.status === 'failed' && model.canWrite && (
        <button className="retinue-Link" onClick={() => void model.deleteDataset(dataset.id)}>
          {trans.__('Remove')}
        </button>
      )}
    </li>
  );
}

type Trans = IUi['trans'];

/** How far what is being made of a dataset is; nothing while nothing is. */
export function Importing({ dataset, trans }: { dataset: Dataset; trans: Trans }): JSX.Element | null {
  if (dataset.status !== 'importing') {
    return null;
  }
  return (
    <>
      <Progress value={dataset.progress} label={trans.__('Import of %1', dataset.name)} />
      <small aria-live="polite">{dataset.stage}</small>
    </>
  );
}

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

export function UploadItem({ upload, model, trans }: IUi & { upload: UploadModel }): JSX.Element {
  const { file, state, fraction, sent, problem } = upload;
  const label = trans.__('Upload of %1', file.name);
  return (
    <div className="retinue-Item retinue-Upload" data-state={state}>
      <div className="retinue-Item-head">
        <span className="retinue-Item-name">{file.name}</span>
        <button className="retinue-Link" onClick={() => void model.cancelUpload(upload)}>
          {trans.__('Cancel')}
        </button>
      </div>
      <Progress value={fraction} label={label} />
      <small>{trans.__('%1 of %2', size(sent), size(file.size))}</small>
      {problem && <ProblemView problem={problem} trans={trans} />}
      {state === 'paused' && (
        <button className="jp-mod-styled" onClick={() => void model.resume(upload)}>
          {trans.__('Go on')}
        </button>
      )}
    </div>
  );
}

function DropZone(ui: IUi): JSX.Element {
  const { model, trans } = ui;
  const formats = useFormats(ui);
  const [format, setFormat] = React.useState('');
  const [over, setOver] = React.useState(false);
  const input = React.useRef<HTMLInputElement>(null);
  const send = (files: FileList | null) =>
    Array.from(files ?? []).forEach(file => void model.upload(file, format || null));
  const drag = (event: React.DragEvent, inside: boolean) => {
    event.preventDefault();
    event.stopPropagation();
    setOver(inside);
  };
  return (
    <div
      className="retinue-Drop"
      data-over={over || undefined}
      onDragEnter={event => drag(event, true)}
      onDragOver={event => drag(event, true)}
      onDragLeave={event => drag(event, false)}
      onDrop={event => {
        drag(event, false);
        send(event.dataTransfer.files);
      }}
    >
      <p>
        {model.datasets.length
          ? trans.__('Drop an archive to add a dataset.')
          : trans.__(
              'Drop an archive of images here to make the first dataset: zip, tar, tar.gz or tar.zst.'
            )}
      </p>
      <FormatSelect
        formats={formats}
        none={trans.__('Recognise it')}
        label={trans.__('Format')}
        value={format}
        choose={setFormat}
      />
      <input
        ref={input}
        type="file"
        accept=".zip,.tar,.tgz,.gz,.zst,image/*"
        hidden
        data-retinue="upload"
        onChange={event => {
          send(event.target.files);
          event.target.value = '';
        }}
      />
      <button className="jp-mod-styled" onClick={() => input.current?.click()}>
        {trans.__('Choose a file…')}
      </button>
    </div>
  );
}
