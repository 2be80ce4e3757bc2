/** What a job leaves behind, on its page: its log and its files. What cannot be loaded is told, and tried again on demand. */
import type { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import type { JobModel } from './jobmodel';
import { isOver } from './jobmodel';
import type { Artifact, Problem } from './schema';
import { ProblemView, size } from './ui';

interface IPart {
  model: JobModel;
  trans: TranslationBundle;
}

export function Log({ model, trans }: IPart): JSX.Element {
  const { log, logProblem } = model;
  const node = React.useRef<HTMLPreElement>(null);
  const atEnd = React.useRef(true);
  React.useLayoutEffect(() => {
    if (node.current && atEnd.current) {
      node.current.scrollTop = node.current.scrollHeight;
    }
  }, [log]);
  const onScroll = ({ currentTarget: t }: React.UIEvent) => {
    atEnd.current = t.scrollHeight - t.scrollTop - t.clientHeight < 24;
  };
  return (
    <details className="retinue-Job-part" open>
      <summary>{trans.__('Log')}</summary>
      {logProblem && <Failed problem={logProblem} retry={() => model.retryLog()} trans={trans} />}
      {(log || !logProblem) && (
        <pre ref={node} className="retinue-Log" tabIndex={0} aria-label={trans.__('Log')} onScroll={onScroll}>
          {log || emptyLog(model, trans)}
        </pre>
      )}
    </details>
  );
}

function emptyLog({ job, logLive }: JobModel, trans: TranslationBundle): string {
  if (!logLive) {
    return trans.__('Loading…');
  }
  return job && isOver(job) ? trans.__('Nothing was written.') : trans.__('Nothing has been written yet.');
}

export function Files({ model, trans, url }: IPart & { url: (path: string) => string }): JSX.Element {
  const { artifacts, artifactsProblem } = model;
  const retry = () => void model.loadArtifacts();
  return (
    <details className="retinue-Job-part" open>
      <summary>{trans.__('Files')}</summary>
      {artifactsProblem && <Failed problem={artifactsProblem} retry={retry} trans={trans} />}
      {!artifacts?.length && !artifactsProblem && <p className="retinue-Empty">{noFiles(model, trans)}</p>}
      <ul className="retinue-Files">
        {artifacts?.map(artifact => (
          <FileItem key={artifact.path} artifact={artifact} href={url(artifact.path)} trans={trans} />
        ))}
      </ul>
    </details>
  );
}

function noFiles({ job, artifacts }: JobModel, trans: TranslationBundle): string {
  if (!artifacts) {
    return trans.__('Loading…');
  }
  return job && isOver(job)
    ? trans.__('The training wrote none.')
    : trans.__('Checkpoints and plots appear here as the training writes them.');
}

interface IFile {
  artifact: Artifact;
  href: string;
  trans: TranslationBundle;
}

function FileItem({ artifact, href, trans }: IFile): JSX.Element {
  return (
    <li>
      <a href={href} download title={`sha256 ${artifact.sha256}`}>
        {artifact.name}
      </a>{' '}
      <small>
        {artifact.kind} · {size(artifact.size)}
        {artifact.step !== null && ` · ${trans.__('step %1', artifact.step)}`}
      </small>
    </li>
  );
}

interface IFailed {
  problem: Problem;
  retry: () => void;
  trans: TranslationBundle;
}

function Failed({ problem, retry, trans }: IFailed): JSX.Element {
  return (
    <div className="retinue-Job-failed">
      <ProblemView problem={problem} trans={trans} />
      <button className="jp-mod-styled" onClick={retry}>
        {trans.__('Try again')}
      </button>
    </div>
  );
}
