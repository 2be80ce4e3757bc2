/** The page of one job: chart, progress, what happened, parameters, and for those who may the ways to end it. */
import { ReactWidget, UseSignal } from '@jupyterlab/ui-components';
import React from 'react';

import { readable } from './series';
import { ChartView } from './chartview';
import { confirmCancel } from './confirm';
import { Connection } from './connection';
import { isOver } from './jobmodel';
import type { JobModel } from './jobmodel';
import { Files, Log } from './outputs';
import type { Job, JobCancel } from './schema';
import type { IUi } from './ui';
import { duration, jobFraction, ProblemView, Progress, StatusBadge } from './ui';

export class JobPage extends ReactWidget {
  constructor(
    private readonly _ui: IUi,
    readonly jobId: string
  ) {
    super();
    this.addClass('retinue-Job');
    this.job = _ui.model.acquire(jobId);
    this.job.followLog();
    this.job.changed.connect(this._onChanged, this);
    _ui.model.changed.connect(this.update, this);
    this._onChanged();
  }

  readonly job: JobModel;

  dispose(): void {
    if (!this.isDisposed) {
      this.job.changed.disconnect(this._onChanged, this);
      this._ui.model.changed.disconnect(this.update, this);
      this._ui.model.release(this.jobId);
      super.dispose();
    }
  }

  protected render(): JSX.Element {
    return <UseSignal signal={this.job.changed}>{() => <Page ui={this._ui} job={this.job} />}</UseSignal>;
  }

  private _onChanged(): void {
    this.title.label = this.job.job?.name ?? this._ui.trans.__('Job');
    if (this.job.live && !this._ui.model.loaded) {
      void this._ui.model.refresh(); // what this person may do is the project's to say
    }
  }
}

function Page({ ui, job: model }: { ui: IUi; job: JobModel }): JSX.Element {
  const { trans } = ui;
  const { job, problem } = model;
  return (
    <div className="retinue-Job-body">
      <Connection socket={ui.model.socket} trans={trans} />
      {problem && <ProblemView problem={problem} trans={trans} onDismiss={() => void model.refresh()} />}
      {job && <Head ui={ui} model={model} job={job} />}
      <ChartView model={model} trans={trans} />
      <Log model={model} trans={trans} />
      {job && <Files model={model} trans={trans} url={path => ui.model.api.artifactUrl(job.id, path)} />}
      {job && <Latest job={job} trans={trans} />}
      {job && <Parameters job={job} trans={trans} />}
    </div>
  );
}

type Trans = IUi['trans'];

function Head({ ui, model, job }: { ui: IUi; model: JobModel; job: Job }): JSX.Element {
  const { trans } = ui;
  const fraction = job.status === 'succeeded' ? 1 : jobFraction(job);
  return (
    <header className="retinue-Job-head">
      <h1>
        {job.name} <StatusBadge status={job.status} trans={trans} />
      </h1>
      <div className="retinue-Facts">
        {job.framework} · {job.model} · {job.dataset_name} v{job.dataset_version} ·{' '}
        {trans.__('attempt %1', job.attempt)}
      </div>
      {!(isOver(job) && fraction === null) && (
        <Progress value={fraction} label={trans.__('Progress of %1', job.name)} />
      )}
      <div className="retinue-Facts" role="status" aria-live="polite">
        <State job={job} trans={trans} />
      </div>
      {job.message && (
        <p className="retinue-Job-message" data-status={job.status}>
          {job.message}
        </p>
      )}
      {!isOver(job) && ui.model.mayWrite(job.project_id) && <Ending model={model} job={job} trans={trans} />}
    </header>
  );
}

function State({ job, trans }: { job: Job; trans: Trans }): JSX.Element {
  const { progress, stale_since, queue_position, started_at, ended_at } = job;
  const parts: string[] = [];
  if (queue_position !== null) {
    parts.push(trans.__('Place %1 in the queue', queue_position));
  }
  if (progress) {
    parts.push(trans.__('Epoch %1 of %2', progress.epoch, progress.epochs));
    parts.push(trans.__('step %1 of %2', progress.step, progress.steps));
    if (!isOver(job) && typeof progress.eta_seconds === 'number') {
      parts.push(trans.__('%1 left', duration(progress.eta_seconds)));
    }
  }
  if (started_at && ended_at) {
    parts.push(trans.__('took %1', duration((Date.parse(ended_at) - Date.parse(started_at)) / 1000)));
  }
  if (stale_since) {
    const when = new Date(stale_since).toLocaleTimeString();
    parts.push(trans.__('the trainer does not answer since %1; this is the last known', when));
  }
  return <>{parts.join(' · ')}</>;
}

/** Ending a training cannot be undone: one that has run for long is asked for first. */
function Ending({ model, job, trans }: { model: JobModel; job: Job; trans: Trans }): JSX.Element {
  const end = (when: JobCancel['when']) => void confirmCancel(job, when, trans, () => model.cancel(when));
  const asked = job.target !== 'finished';
  return (
    <div className="retinue-Job-actions">
      <button
        className="jp-mod-styled"
        disabled={asked || job.status !== 'running'}
        onClick={() => end('epoch')}
      >
        {trans.__('Stop after this epoch')}
      </button>
      <button
        className="jp-mod-styled jp-mod-warn"
        disabled={job.target === 'cancelled'}
        onClick={() => end('now')}
      >
        {trans.__('Cancel now')}
      </button>
      {job.target === 'stopped_after_epoch' && <small>{trans.__('It stops when this epoch is over.')}</small>}
    </div>
  );
}

function Latest({ job, trans }: { job: Job; trans: Trans }): JSX.Element | null {
  const rows = Object.entries(job.latest).sort(([a], [b]) => a.localeCompare(b));
  return rows.length ? (
    <Table
      title={trans.__('Newest metrics')}
      rows={rows.map(([key, value]) => [key, readable(Number(value))])}
    />
  ) : null;
}

function Parameters({ job, trans }: { job: Job; trans: Trans }): JSX.Element {
  const rows = Object.entries(job.parameters).map(([key, value]) => [key, JSON.stringify(value)]);
  const fixed = [
    [trans.__('seed'), String(job.seed)],
    [trans.__('dataset digest'), job.dataset_digest],
    [trans.__('job'), job.id],
    [trans.__('MLflow run'), job.mlflow_run_id ?? '–'],
    [trans.__('created'), `${new Date(job.created_at).toLocaleString()}, ${job.created_by}`]
  ];
  return <Table title={trans.__('Parameters')} rows={[...rows, ...fixed]} />;
}

function Table({ title, rows }: { title: string; rows: string[][] }): JSX.Element {
  return (
    <details className="retinue-Job-part">
      <summary>{title}</summary>
      <table>
        <tbody>
          {rows.map(([key, value]) => (
            <tr key={key}>
              <th scope="row">{key}</th>
              <td>{value}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  );
}
