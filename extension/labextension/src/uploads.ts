/** The uploads of this page, and those that a page before it did not live to finish. */
import { UUID } from '@lumino/coreutils';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import type { Api } from './api';
import { isOutage } from './outage';
import { AwaitedFile, FileParcel, HomeParcel } from './parcel';
import type { IParcel } from './parcel';
import { makeProblem, toProblem } from './problem';
import type { IRecord, Recoveries } from './recoveries';
import type { Dataset } from './schema';
import { UploadModel } from './upload';
import type { IPurpose } from './upload';

type Sent = { file: File } | { path: string };

const GONE = makeProblem(
  'upload_gone',
  'The platform has no such upload any more: it keeps one for 48 hours, or until its data are imported.',
  'Look whether the data are there. If not, continue to send them from the start; else discard the upload.'
);

export class Uploads {
  list: UploadModel[] = [];

  constructor(
    private readonly _api: Api,
    private readonly _recoveries: Recoveries,
    private readonly _onDone: (dataset: Dataset) => void
  ) {}

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Sends something; a file that was interrupted on its way to the same place goes on. */
  start(what: Sent, purpose: IPurpose): Promise<void> {
    if ('path' in what) {
      return this.resume(
        this._add(UUID.uuid4(), purpose, new HomeParcel({ ...what, state: null }, this._api))
      );
    }
    const begun = this.list.find(upload => isRest(upload, what.file, purpose));
    if (begun) {
      begun.purpose = purpose;
      return this.proceed(begun, what.file);
    }
    return this.resume(this._add(UUID.uuid4(), purpose, new FileParcel(what.file, this._api)));
  }

  /** Finds again what earlier pages were sending, and how far it is. */
  async restore(): Promise<void> {
    await Promise.all((await this._recoveries.abandoned()).map(record => this._restore(record)));
    this._changed.emit();
  }

  /** Goes on with one that paused, or was interrupted and needs no file. */
  async resume(upload: UploadModel): Promise<void> {
    if (!(await upload.run())) {
      return;
    }
    try {
      this._onDone(await this._finish(upload));
      this._drop(upload);
    } catch (error) {
      upload.pause(toProblem(error));
    }
  }

  /** Goes on with one that was interrupted, from its file; says so when it is another. */
  async proceed(upload: UploadModel, file: File): Promise<void> {
    const { parcel } = upload;
    if (parcel instanceof AwaitedFile && !parcel.isOf(file)) {
      upload.interrupt(parcel.refusal(file));
      return;
    }
    upload.parcel = new FileParcel(file, this._api);
    await this.resume(upload);
  }

  /** Goes on with what an outage has paused. */
  resumeAll(): void {
    const paused = this.list.filter(
      ({ state, problem }) => state === 'paused' && problem && isOutage(problem)
    );
    paused.forEach(upload => void this.resume(upload));
  }

  async cancel(upload: UploadModel): Promise<void> {
    this._drop(upload);
    await upload.cancel();
  }

  private _add(key: string, purpose: IPurpose, parcel: IParcel): UploadModel {
    const upload = new UploadModel(key, purpose, parcel, id => this._api.deleteUpload(id));
    this._releases.set(upload, this._recoveries.hold(key));
    upload.changed.connect(this._onChanged, this);
    this.list = [...this.list, upload];
    return upload;
  }

  private _drop(upload: UploadModel): void {
    upload.changed.disconnect(this._onChanged, this);
    this._recoveries.remove(upload.key);
    this._releases.get(upload)?.();
    this._releases.delete(upload);
    this.list = this.list.filter(other => other !== upload);
    this._changed.emit();
  }

  private _onChanged(upload: UploadModel): void {
    this._recoveries.save(recordOf(upload));
    this._changed.emit();
  }

  private async _restore({ key, id, origin, purpose, sent, size }: IRecord): Promise<void> {
    const parcel =
      'file' in origin ? new AwaitedFile(origin, this._api) : new HomeParcel(origin, this._api, size);
    const upload = this._add(key, purpose, parcel);
    upload.id = id;
    upload.sent = sent;
    upload.interrupt();
    try {
      if (id) {
        upload.tell(await this._api.upload(id));
      }
    } catch (error) {
      const problem = toProblem(error);
      if (problem.status !== 404) {
        upload.interrupt(problem);
        return;
      }
      upload.id = null;
      upload.sent = 0;
      upload.interrupt(GONE);
    }
  }

  private _finish({ id, purpose }: UploadModel): Promise<Dataset> {
    const body = { ...purpose.body, upload_id: id as string };
    return purpose.datasetId
      ? this._api.createVersion(purpose.datasetId, body)
      : this._api.createDataset(purpose.projectId, body);
  }

  private _releases = new Map<UploadModel, () => void>();
  private _changed = new Signal<this, void>(this);
}

function isRest({ state, parcel, purpose }: UploadModel, file: File, wanted: IPurpose): boolean {
  const same = purpose.projectId === wanted.projectId && purpose.datasetId === wanted.datasetId;
  return state === 'interrupted' && same && parcel instanceof AwaitedFile && parcel.isOf(file);
}

function recordOf({ key, id, parcel, purpose, sent }: UploadModel): IRecord {
  return { key, id, origin: parcel.origin, purpose, sent, size: parcel.size };
}
