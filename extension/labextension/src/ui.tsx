/** Small parts that every view uses. */
import { Dialog, showDialog } from '@jupyterlab/apputils';
import type { CommandRegistry } from '@lumino/commands';
import type { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import type { Files } from './files';
import type { RetinueModel } from './model';
import { toProblem } from './problem';
import type { Job, Problem } from './schema';

/** What every view is given. */
export interface IUi {
  model: RetinueModel;
  commands: CommandRegistry;
  trans: TranslationBundle;
  /** The Jupyter server's files; null in a front end without a document manager. */
  files: Files | null;
}

export function ProblemView({
  problem,
  trans,
  onDismiss
}: {
  problem: Problem;
  trans: TranslationBundle;
  onDismiss?: () => void;
}) {
  return (
    <div className="retinue-Problem" role="alert">
      <strong>{problem.message}</strong> <span>{problem.hint}</span>
      {problem.where && <code>{problem.where}</code>}
      <small>
        {problem.code}
        {problem.request_id ? ` · ${problem.request_id}` : ''}
      </small>
      {onDismiss && (
        <button
          className="retinue-Problem-close"
          title={trans.__('Dismiss')}
          aria-label={trans.__('Dismiss')}
          onClick={onDismiss}
        >
          ×
        </button>
      )}
    </div>
  );
}

/** A bar that is also read out. `value` from 0 to 1; unknown when null. */
export function Progress({ value, label }: { value: number | null; label: string }) {
  const percent = value === null ? undefined : Math.round(Math.min(1, Math.max(0, value)) * 100);
  return (
    <div
      className="retinue-Progress"
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={percent}
      data-unknown={value === null || undefined}
    >
      <div style={{ width: `${percent ?? 100}%` }} />
    </div>
  );
}

export function StatusBadge({ status, trans }: { status: string; trans: TranslationBundle }) {
  return (
    <span className="retinue-Status" data-status={status}>
      {statusWord(status, trans)}
    </span>
  );
}

export function statusWord(status: string, trans: TranslationBundle): string {
  const words: Record<string, string> = {
    created: trans.__('Created'),
    queued: trans.__('Queued'),
    starting: trans.__('Starting'),
    running: trans.__('Running'),
    stopping: trans.__('Stopping'),
    succeeded: trans.__('Succeeded'),
    failed: trans.__('Failed'),
    cancelled: trans.__('Cancelled'),
    lost: trans.__('Lost'),
    importing: trans.__('Importing'),
    ready: trans.__('Ready')
  };
  return words[status] ?? status;
}

interface IQuestion {
  title: string;
  body: string;
  yes: string;
  no: string;
  /** Whether what is asked for takes something away. */
  warn?: boolean;
}

/** Asks in a dialog; false when it is closed otherwise. */
export async function ask({ title, body, yes, no, warn = false }: IQuestion): Promise<boolean> {
  const accept = warn ? Dialog.warnButton({ label: yes }) : Dialog.okButton({ label: yes });
  const answer = await showDialog({ title, body, buttons: [Dialog.cancelButton({ label: no }), accept] });
  return answer.button.accept;
}

interface IAction {
  busy: boolean;
  problem: Problem | null;
  run: (action: () => Promise<unknown>) => void;
}

/** Does what the user asks for, and keeps what went wrong. */
export function useAction(): IAction {
  const [busy, setBusy] = React.useState(false);
  const [problem, setProblem] = React.useState<Problem | null>(null);
  const run = (action: () => Promise<unknown>) => {
    setBusy(true);
    setProblem(null);
    void action()
      .catch(error => setProblem(toProblem(error)))
      .finally(() => setBusy(false));
  };
  return { busy, problem, run };
}

/** 0 to 1; null when nothing is known yet. */
export function jobFraction(job: Job): number | null {
  const { progress } = job;
  return progress && progress.steps > 0 ? progress.step / progress.steps : null;
}

export function size(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  const value = bytes / 2 ** (10 * power);
  return `${power && value < 10 ? value.toFixed(1) : Math.round(value)} ${units[power]}`;
}

export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (n: number) => String(n).padStart(2, '0');
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}
