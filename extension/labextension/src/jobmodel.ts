/** One job as a page sees it: state, points, log, files. Shared by everything that shows the same job. */
import type { IDisposable } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import { SeriesStore } from './series';
import type { Frame, LiveSocket } from './socket';
import type { Artifact, Job, JobCancel, Problem } from './schema';

/** The part of the API that a job needs. */
export interface IJobApi {
  job(id: string): Promise<Job>;
  artifacts(id: string): Promise<Artifact[]>;
  cancelJob(id: string, when: JobCancel['when']): Promise<Job>;
}

const ENDED = ['succeeded', 'failed', 'cancelled', 'lost'];
const LOG_LIMIT = 200_000;

export function isOver(job: Job): boolean {
  return ENDED.includes(job.status);
}

export class JobModel implements IDisposable {
  job: Job | null = null;
  artifacts: Artifact[] = [];
  log = '';
  problem: Problem | null = null;
  /** Everything the server had is here; what comes now is new. */
  live = false;
  readonly store = new SeriesStore();

  constructor(
    readonly id: string,
    private readonly _api: IJobApi,
    private readonly _socket: LiveSocket,
    private readonly _toProblem: (error: unknown) => Problem
  ) {
    this._job = _socket.subscribe({
      topic: `job:${id}`,
      after: () => ({ attempt: this._attempt, seq: this.store.seq }),
      receive: frame => this._receive(frame)
    });
    void this.refresh();
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Keys of the series that grew; null when all begins anew. */
  get pointsChanged(): ISignal<this, Set<string> | null> {
    return this._pointsChanged;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  async refresh(): Promise<void> {
    try {
      this._setJob(await this._api.job(this.id));
      this.problem = null;
      this.artifacts = await this._api.artifacts(this.id);
    } catch (error) {
      this.problem = this._toProblem(error);
    }
    this._emit();
  }

  async cancel(when: JobCancel['when']): Promise<void> {
    try {
      this._setJob(await this._api.cancelJob(this.id, when));
    } catch (error) {
      this.problem = this._toProblem(error);
    }
    this._emit();
  }

  /** The log is only asked for while somebody looks at it. */
  followLog(): void {
    this._log ??= this._socket.subscribe({
      topic: `log:${this.id}`,
      after: () => this._logOffset,
      receive: frame => this._receive(frame)
    });
  }

  dispose(): void {
    this._disposed = true;
    this._job.dispose();
    this._log?.dispose();
    Signal.clearData(this);
  }

  private _receive(frame: Frame): void {
    switch (frame.type) {
      case 'job':
        this._setJob(frame.job);
        break;
      case 'attempt':
        this._begin(frame.attempt);
        break;
      case 'points':
        this._points(frame);
        return;
      case 'log':
        this._text(frame.after, frame.next, frame.text);
        break;
      case 'live':
        this.live = this.live || frame.topic === `job:${this.id}`;
        this.problem = null;
        break;
      case 'error':
        this.problem = frame.problem;
        break;
    }
    this._emit();
  }

  private _points(frame: Extract<Frame, { type: 'points' }>): void {
    if (frame.attempt !== this._attempt) {
      this._begin(frame.attempt);
    }
    if (frame.after > this.store.seq) {
      this._socket.resubscribe(frame.topic); // something is missing between what we have and this
      return;
    }
    const grown = this.store.append(frame.points);
    this.store.advance(frame.seq);
    this._pointsChanged.emit(grown);
  }

  /** A new attempt starts from nothing, as does its log. */
  private _begin(attempt: number): void {
    if (attempt === this._attempt) {
      return;
    }
    this._attempt = attempt;
    this.store.clear();
    this.log = '';
    this._logOffset = 0;
    this._pointsChanged.emit(null);
    if (this._log) {
      this._socket.resubscribe(`log:${this.id}`);
    }
  }

  private _text(after: number, next: number, text: string): void {
    if (after < this._logOffset) {
      return; // already here
    }
    this.log = (this.log + text).slice(-LOG_LIMIT);
    this._logOffset = next;
  }

  private _setJob(job: Job): void {
    const before = this.job;
    this.job = job;
    // checkpoints are written at the end of epochs
    if (before && (isOver(before) !== isOver(job) || before.progress?.epoch !== job.progress?.epoch)) {
      void this._loadArtifacts();
    }
  }

  private async _loadArtifacts(): Promise<void> {
    try {
      this.artifacts = await this._api.artifacts(this.id);
      this._emit();
    } catch {
      // the list is asked for again when the page is refreshed; a job that ended is not disturbed by that
    }
  }

  private _emit(): void {
    if (!this._disposed) {
      this._changed.emit();
    }
  }

  private _attempt = 1;
  private _logOffset = 0;
  private _job: IDisposable;
  private _log: IDisposable | null = null;
  private _disposed = false;
  private _changed = new Signal<this, void>(this);
  private _pointsChanged = new Signal<this, Set<string> | null>(this);
}
