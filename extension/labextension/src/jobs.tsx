/** Jobs of the project, newest first. */
import React from 'react';

import { isOver } from './jobmodel';
import { readable } from './series';
import type { Job } from './schema';
import { CommandIDs } from './tokens';
import type { IUi } from './ui';
import { duration, jobFraction, Progress, StatusBadge } from './ui';

export function Jobs(ui: IUi): JSX.Element {
  const { model, commands, trans } = ui;
  const ready = model.datasets.some(dataset => dataset.versions.length);
  const empty = ready
    ? trans.__('No training yet. Press “Train…” on a dataset.')
    : trans.__('Trainings appear here once there is a dataset to train on.');
  return (
    <section className="retinue-Section" aria-label={trans.__('Jobs')}>
      <h2>
        {trans.__('Jobs')}
        {ready && model.canWrite && (
          <button className="retinue-Link" onClick={() => void commands.execute(CommandIDs.launch, {})}>
            {trans.__('New training…')}
          </button>
        )}
      </h2>
      {model.jobs.length === 0 && <p className="retinue-Empty">{empty}</p>}
      <ul className="retinue-List">
        {model.jobs.map(job => (
          <JobItem key={job.id} job={job} {...ui} />
        ))}
      </ul>
    </section>
  );
}

function JobItem({ job, commands, trans }: IUi & { job: Job }): JSX.Element {
  const open = () => void commands.execute(CommandIDs.openJob, { jobId: job.id });
  return (
    <li className="retinue-Item" data-job={job.id}>
      <button className="retinue-Item-open" onClick={open} aria-label={trans.__('Open job %1', job.name)}>
        <span className="retinue-Item-head">
          <span className="retinue-Item-name" title={job.name}>
            {job.name}
          </span>
          <StatusBadge status={job.status} trans={trans} />
        </span>
        <span className="retinue-Facts">
          {job.framework} · {job.dataset_name} v{job.dataset_version}
        </span>
        {!isOver(job) && <Running job={job} trans={trans} />}
        {isOver(job) && <Result job={job} trans={trans} />}
      </button>
    </li>
  );
}

function Running({ job, trans }: { job: Job; trans: IUi['trans'] }): JSX.Element {
  if (job.queue_position !== null) {
    return <span className="retinue-Facts">{trans.__('Place %1 in the queue', job.queue_position)}</span>;
  }
  const { progress } = job;
  return (
    <>
      <Progress value={jobFraction(job)} label={trans.__('Progress of %1', job.name)} />
      {progress && (
        <span className="retinue-Facts">
          {trans.__('Epoch %1 of %2', progress.epoch, progress.epochs)}
          {progress.eta_seconds !== null && progress.eta_seconds !== undefined && (
            <> · {trans.__('%1 left', duration(progress.eta_seconds))}</>
          )}
        </span>
      )}
    </>
  );
}

const HEADLINES = ['val/top1', 'val/map50_95', 'val/map50', 'val/loss', 'train/loss'];

function Result({ job, trans }: { job: Job; trans: IUi['trans'] }): JSX.Element {
  const key = HEADLINES.find(name => name in job.latest);
  if (job.status !== 'succeeded' && job.message) {
    return <span className="retinue-Facts">{job.message}</span>;
  }
  return (
    <span className="retinue-Facts">
      {key ? `${key} ${readable(Number(job.latest[key]))}` : trans.__('No metrics')}
    </span>
  );
}
