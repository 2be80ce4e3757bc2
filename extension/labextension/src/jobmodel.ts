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
  /** Null until they are known. */
  artifacts: Artifact[] | null = null;
  artifactsProblem: Problem | null = null;
  log = '';
  logProblem: Problem | null = null;
  /** Everything that the log held is here. */
  logLive = false;
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
    _socket.stateChanged.connect(this._emit, this);
    void this._load();
  }

  /** Since when the job is no longer followed; null while it is. */
  get lostSince(): Date | null {
    return this._socket.lostSince;
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

  /** Loads and follows the job anew: the cure after a failure. */
  async refresh(): Promise<void> {
    this._socket.resubscribe(`job:${this.id}`);
    await this._load();
  }

  async loadArtifacts(): Promise<void> {
    try {
      this.artifacts = await this._api.artifacts(this.id);
      this.artifactsProblem = null;
    } catch (error) {
      this.artifactsProblem = this._toProblem(error);
    }
    this._emit();
  }

  retryLog(): void {
    this.logProblem = null;
    this._socket.resubscribe(`log:${this.id}`);
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

  private async _load(): Promise<void> {
    try {
      this._setJob(await this._api.job(this.id));
      this.problem = null;
    } catch (error) {
      this.problem = this._toProblem(error);
    }
    this._emit();
  }

  private _receive(frame: Frame): void {
    const ofLog = frame.topic === `log:${this.id}`;
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
        this._text(frame);
        break;
      case 'live':
        this._onLive(ofLog);
        break;
      case 'error':
        this[ofLog ? 'logProblem' : 'problem'] = frame.problem;
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
    this.logLive = false;
    this._logOffset = 0;
    this._pointsChanged.emit(null);
    if (this._log) {
      this._socket.resubscribe(`log:${this.id}`);
    }
  }

  private _text({ after, next, text, topic }: Extract<Frame, { type: 'log' }>): void {
    if (next <= this._logOffset) {
      return; // already here
    }
    if (after !== this._logOffset) {
      this._socket.resubscribe(topic); // part of it is here already, or something is missing before it
      return;
    }
    this.log = (this.log + text).slice(-LOG_LIMIT);
    this._logOffset = next;
    this.logProblem = null;
  }

  private _onLive(ofLog: boolean): void {
    if (ofLog) {
      this.logLive = true;
      this.logProblem = null;
      return;
    }
    this.live = true;
    this.problem = null;
    if (this.artifactsProblem) {
      void this.loadArtifacts(); // perhaps they failed for what interrupted the connection
    }
  }

  private _setJob(job: Job): void {
    const before = this.job;
    this.job = job;
    // checkpoints are written at the end of epochs
    if (!before || isOver(before) !== isOver(job) || before.progress?.epoch !== job.progress?.epoch) {
      void this.loadArtifacts();
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
