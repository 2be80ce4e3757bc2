/** State of the panel: projects, and the chosen project's datasets, jobs and uploads. Widgets draw it and hold none. */
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';
import type { IDisposable } from '@lumino/disposable';

import type { Api } from './api';
import { JobModel } from './jobmodel';
import { isOutage, Outage } from './outage';
import { toProblem } from './problem';
import type { Recoveries } from './recoveries';
import { LiveSocket } from './socket';
import type { Frame } from './socket';
import type { Dataset, DatasetRetry, Job, Problem, Project, VersionCreate } from './schema';
import type { UploadModel } from './upload';
import { Uploads } from './uploads';
import type { Reading, What } from './what';

/** Where the choice of a project is kept between page loads. */
export interface IMemory {
  load(): Promise<string | undefined>;
  save(projectId: string): void;
}

export class RetinueModel {
  projects: Project[] = [];
  project: Project | null = null;
  datasets: Dataset[] = [];
  jobs: Job[] = [];
  problem: Problem | null = null;
  /** How often everything has been loaded: who has loaded something else does so again when this grows. */
  loads = 0;
  readonly socket: LiveSocket;
  readonly outage: Outage;
  readonly uploads: Uploads;

  constructor(
    readonly api: Api,
    private readonly _memory: IMemory,
    recoveries: Recoveries
  ) {
    this.socket = new LiveSocket(() => api.socket());
    this.outage = new Outage(() => this._reload());
    this.uploads = new Uploads(api, recoveries, dataset => this._putDataset(dataset));
    this.socket.stateChanged.connect(this._onConnection, this);
    this.outage.changed.connect(this._onOutage, this);
    this.uploads.changed.connect(() => this._changed.emit());
    api.failed.connect((_, problem) => this.outage.tell(problem));
  }

  get loaded(): boolean {
    return this.loads > 0;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get canWrite(): boolean {
    return this.project !== null && this.project.role !== 'viewer';
  }

  /** Whether this person may change what is in a project; false until that is known. */
  mayWrite(projectId: string): boolean {
    return this.projects.some(({ id, role }) => id === projectId && role !== 'viewer');
  }

  get isOwner(): boolean {
    return this.project?.role === 'owner';
  }

  /** Loads everything shown; also the cure after a failure. */
  async refresh(): Promise<void> {
    if (await this._reload()) {
      this.outage.end();
    }
  }

  async select(projectId: string): Promise<void> {
    const project = this.projects.find(p => p.id === projectId);
    if (project) {
      this._memory.save(projectId);
      await this._try(() => this._show(project));
    }
  }

  /** Makes a project and shows it; a name that is refused is thrown. */
  async createProject(name: string): Promise<void> {
    const project = await this.api.createProject(name);
    this.projects = [...this.projects, project];
    await this.select(project.id);
  }

  /** Moves it to the trash; one without a version is gone at once. */
  async deleteDataset(id: string): Promise<void> {
    await this._try(async () => {
      await this.api.deleteDataset(id);
      this.datasets = this.datasets.filter(dataset => dataset.id !== id);
    });
  }

  /** Has a dataset made of something in the project shown. A source that is refused is thrown; what is sent shows its own problem. */
  async make(what: What, reading: Reading, name: string): Promise<void> {
    const projectId = this.project?.id;
    if (projectId) {
      const body = { name, ...reading };
      await ('source' in what
        ? this._take(this.api.createDataset(projectId, { ...body, ...what }))
        : this.uploads.start(what, { projectId, datasetId: null, body }));
    }
  }

  /** Has something added to a dataset; it is thrown, sent and shown likewise. */
  addTo({ id, project_id: projectId }: Dataset, what: What, body: Partial<VersionCreate>): Promise<void> {
    return 'source' in what
      ? this._take(this.api.createVersion(id, { ...body, ...what }))
      : this.uploads.start(what, { projectId, datasetId: id, body });
  }

  /** Does the import that failed once more. */
  async retry(dataset: Dataset, changes: Partial<DatasetRetry>): Promise<void> {
    await this._take(this.api.retryDataset(dataset.id, changes));
  }

  async cancelUpload(upload: UploadModel): Promise<void> {
    await this._try(() => this.uploads.cancel(upload));
  }

  /** The model of a job, shared by all who show it; `release` gives it back. */
  acquire(jobId: string): JobModel {
    const held = this._held.get(jobId) ?? {
      count: 0,
      model: new JobModel(jobId, this.api, this.socket, toProblem)
    };
    held.count += 1;
    this._held.set(jobId, held);
    return held.model;
  }

  release(jobId: string): void {
    const held = this._held.get(jobId);
    if (held && --held.count === 0) {
      this._held.delete(jobId);
      held.model.dispose();
    }
  }

  dismiss(): void {
    this.problem = null;
    this._changed.emit();
  }

  /** Shows a failure, unless it is an outage: that is shown as such. */
  tell(error: unknown): void {
    const problem = toProblem(error);
    if (!isOutage(problem)) {
      this.problem = problem;
      this._changed.emit();
    }
  }

  private async _take(made: Promise<Dataset>): Promise<void> {
    this._putDataset(await made);
    this._changed.emit();
  }

  /** Loads everything; false while the platform is away. */
  private async _reload(): Promise<boolean> {
    try {
      await this._load();
      this.problem = null;
    } catch (error) {
      if (isOutage(toProblem(error))) {
        return false;
      }
      this.tell(error);
    }
    this._changed.emit();
    return true;
  }

  private async _load(): Promise<void> {
    this.projects = await this.api.projects();
    const wanted = this.project?.id ?? (await this._memory.load());
    await this._show(this.projects.find(p => p.id === wanted) ?? this.projects[0] ?? null);
    if (!this._restored) {
      this._restored = true;
      void this.uploads.restore();
    }
    this.loads += 1;
    this.uploads.resumeAll();
  }

  private async _show(project: Project | null): Promise<void> {
    if (project?.id !== this.project?.id) {
      this._subscriptions.forEach(subscription => subscription.dispose());
      this._subscriptions = [];
      this.datasets = [];
      this.jobs = [];
    }
    this.project = project;
    if (!project) {
      return;
    }
    const [datasets, jobs] = await Promise.all([this.api.datasets(project.id), this.api.jobs(project.id)]);
    if (this.project?.id !== project.id) {
      return; // another one was chosen meanwhile
    }
    this.datasets = datasets;
    this.jobs = jobs;
    if (this._subscriptions.length) {
      return;
    }
    const receive = (frame: Frame) => this._receive(frame);
    // at every (re)connection all datasets come, then "live": what did not come has been deleted meanwhile
    const after = () => void this._here.clear();
    this._subscriptions = [
      this.socket.subscribe({ topic: `datasets:${project.id}`, after, receive }),
      this.socket.subscribe({ topic: `jobs:${project.id}`, receive })
    ];
  }

  private _receive(frame: Frame): void {
    if (frame.type === 'dataset') {
      this._here.add(frame.dataset.id);
      this._putDataset(frame.dataset);
    } else if (frame.type === 'deleted') {
      this.datasets = this.datasets.filter(dataset => dataset.id !== frame.id);
    } else if (frame.type === 'live' && frame.topic.startsWith('datasets:')) {
      this.datasets = this.datasets.filter(dataset => this._here.has(dataset.id));
    } else if (frame.type === 'job') {
      this.jobs = put(this.jobs, frame.job);
    } else if (frame.type === 'error') {
      this.problem = frame.problem;
    } else {
      return;
    }
    this._changed.emit();
  }

  private _putDataset(dataset: Dataset): void {
    if (dataset.project_id === this.project?.id) {
      this.datasets = put(this.datasets, dataset);
    }
  }

  private _onConnection(): void {
    if (this.socket.state === 'waiting') {
      this.outage.check();
    }
    this._changed.emit();
  }

  private _onOutage(): void {
    if (!this.outage.problem) {
      this.socket.retry();
    }
    this._changed.emit();
  }

  private async _try(action: () => Promise<void>): Promise<void> {
    try {
      await action();
      this.problem = null;
    } catch (error) {
      this.tell(error);
    } finally {
      this._changed.emit();
    }
  }

  private _restored = false;
  private _here = new Set<string>();
  private _held = new Map<string, { count: number; model: JobModel }>();
  private _subscriptions: IDisposable[] = [];
  private _changed = new Signal<this, void>(this);
}

/** Replaces or adds, newest first. */
export function put<T extends { id: string; created_at: string }>(list: readonly T[], item: T): T[] {
  return [...list.filter(other => other.id !== item.id), item].sort((a, b) =>
    b.created_at.localeCompare(a.created_at)
  );
}
