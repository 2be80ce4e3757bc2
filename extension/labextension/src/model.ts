/** State of the panel: projects, and the chosen project's datasets, jobs and uploads. Widgets draw it and hold none. */
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';
import type { IDisposable } from '@lumino/disposable';

import type { Api } from './api';
import { JobModel } from './jobmodel';
import { FileParcel, HomeParcel } from './parcel';
import { toProblem } from './problem';
import { LiveSocket } from './socket';
import type { Frame } from './socket';
import type { Dataset, DatasetRetry, Job, Problem, Project, VersionCreate } from './schema';
import { UploadModel } from './upload';
import { datasetName, nameOf } from './what';
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
  uploads: UploadModel[] = [];
  problem: Problem | null = null;
  loaded = false;
  readonly socket: LiveSocket;

  constructor(
    readonly api: Api,
    private readonly _memory: IMemory
  ) {
    this.socket = new LiveSocket(() => api.socket());
    this.socket.stateChanged.connect(this._onConnection, this);
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
    await this._try(async () => {
      this.projects = await this.api.projects();
      const wanted = this.project?.id ?? (await this._memory.load());
      const project = this.projects.find(p => p.id === wanted) ?? this.projects[0] ?? null;
      this.loaded = true;
      await this._show(project);
    });
  }

  async select(projectId: string): Promise<void> {
    const project = this.projects.find(p => p.id === projectId);
    if (project) {
      this._memory.save(projectId);
      await this._try(() => this._show(project));
    }
  }

  async createProject(name: string): Promise<void> {
    await this._try(async () => {
      const project = await this.api.createProject(name);
      this.projects = [...this.projects, project];
      this._memory.save(project.id);
      await this._show(project);
    });
  }

  /** Moves it to the trash; one without a version is gone at once. */
  async deleteDataset(id: string): Promise<void> {
    await this._try(async () => {
      await this.api.deleteDataset(id);
      this.datasets = this.datasets.filter(dataset => dataset.id !== id);
    });
  }

  /** Has a dataset made of something in the project shown. A source that is refused is thrown; what is sent shows its own problem. */
  async make(what: What, reading: Reading = {}, name = datasetName(nameOf(what))): Promise<void> {
    const project = this.project;
    if (project) {
      await this._take(project.id, what, null, from =>
        this.api.createDataset(project.id, { name, ...reading, ...from })
      );
    }
  }

  /** Has something added to a dataset; it is thrown, sent and shown likewise. */
  addTo(dataset: Dataset, what: What, settings: Partial<VersionCreate>): Promise<void> {
    return this._take(dataset.project_id, what, dataset.id, from =>
      this.api.createVersion(dataset.id, { ...settings, ...from })
    );
  }

  /** Does the import that failed once more. */
  async retry(dataset: Dataset, changes: Partial<DatasetRetry>): Promise<void> {
    this._putDataset(await this.api.retryDataset(dataset.id, changes));
    this._changed.emit();
  }

  async resume(upload: UploadModel): Promise<void> {
    if (!(await upload.run())) {
      return;
    }
    try {
      this._putDataset(await upload.purpose.finish(upload.id as string));
      this.forget(upload);
    } catch (error) {
      upload.pause(toProblem(error));
    }
  }

  async cancelUpload(upload: UploadModel): Promise<void> {
    this.forget(upload);
    await this._try(() => upload.cancel());
  }

  forget(upload: UploadModel): void {
    this.uploads = this.uploads.filter(other => other !== upload);
    this._changed.emit();
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

  private async _take(
    projectId: string,
    what: What,
    datasetId: string | null,
    create: (from: { source: string } | { upload_id: string }) => Promise<Dataset>
  ): Promise<void> {
    if ('source' in what) {
      this._putDataset(await create(what));
      this._changed.emit();
      return;
    }
    const parcel = 'file' in what ? new FileParcel(what.file, this.api) : new HomeParcel(what.path, this.api);
    const purpose = { datasetId, finish: (upload_id: string) => create({ upload_id }) };
    const upload = new UploadModel(projectId, parcel, id => this.api.deleteUpload(id), purpose);
    this.uploads = [...this.uploads, upload];
    upload.changed.connect(() => this._changed.emit());
    await this.resume(upload);
  }

  private async _show(project: Project | null): Promise<void> {
    this._subscriptions.forEach(subscription => subscription.dispose());
    this._subscriptions = [];
    this.project = project;
    this.datasets = [];
    this.jobs = [];
    if (!project) {
      return;
    }
    const [datasets, jobs] = await Promise.all([this.api.datasets(project.id), this.api.jobs(project.id)]);
    if (this.project?.id !== project.id) {
      return; // another one was chosen meanwhile
    }
    this.datasets = datasets;
    this.jobs = jobs;
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
    if (this.socket.state === 'open' && this.problem?.code === 'connection_lost') {
      void this.refresh();
    }
    this._changed.emit();
  }

  private async _try(action: () => Promise<void>): Promise<boolean> {
    try {
      await action();
      this.problem = null;
      return true;
    } catch (error) {
      this.problem = toProblem(error);
      return false;
    } finally {
      this._changed.emit();
    }
  }

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
