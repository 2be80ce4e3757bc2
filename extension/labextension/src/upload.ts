/** One parcel on its way to the platform: how far it is, paused with a problem, gone on with, or cancelled. */
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import type { IParcel } from './parcel';
import { toProblem } from './problem';
import type { DatasetCreate, Problem, Upload, VersionCreate } from './schema';

/** What is made of a parcel once it is complete. */
export interface IPurpose {
  projectId: string;
  /** The dataset it is added to; null when a new one is made of it. */
  datasetId: string | null;
  /** What is asked for then, besides the upload. */
  body: Partial<DatasetCreate> | Partial<VersionCreate>;
}

/** Interrupted is one whose page was closed; it needs the person to go on. */
export type UploadState = 'sending' | 'paused' | 'interrupted' | 'done' | 'cancelled';

export class UploadModel {
  state: UploadState = 'sending';
  sent = 0;
  problem: Problem | null = null;
  /** Set once the platform knows of it. */
  id: string | null = null;

  constructor(
    readonly key: string,
    public purpose: IPurpose,
    public parcel: IParcel,
    private readonly _deleteUpload: (id: string) => Promise<void>
  ) {}

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** 0 to 1; null when nobody has counted the bytes yet. */
  get fraction(): number | null {
    const { size } = this.parcel;
    return size === null ? null : size && this.sent / size;
  }

  /** Whether all of it has arrived. */
  get whole(): boolean {
    return this.sent === this.parcel.size;
  }

  /** Sends until all is there, or until it cannot: then `state` is paused with the problem, and calling it again goes on. */
  async run(): Promise<boolean> {
    this._set('sending', null);
    const { signal } = this._abort;
    try {
      await this.parcel.send(this.purpose.projectId, this.id, signal, upload => this.tell(upload));
    } catch (error) {
      if (!signal.aborted) {
        this._set('paused', toProblem(error));
      }
      return false;
    }
    if (signal.aborted) {
      return false;
    }
    this._set('done', null);
    return true;
  }

  /** What it is for could not be done; `run` and `finish` may be tried again. */
  pause(problem: Problem): void {
    this._set('paused', problem);
  }

  /** It waits for the person, with the reason when there is one besides the page's end. */
  interrupt(problem: Problem | null = null): void {
    this._set('interrupted', problem);
  }

  async cancel(): Promise<void> {
    this._abort.abort();
    this._set('cancelled', null);
    if (this.id) {
      await this._deleteUpload(this.id);
    }
  }

  /** How far it is, as the platform says. */
  tell(upload: Upload): void {
    this.id = upload.id;
    this.sent = upload.offset;
    this._changed.emit();
  }

  private _set(state: UploadState, problem: Problem | null): void {
    if (this.state !== 'cancelled') {
      this.state = state;
      this.problem = problem;
    }
    this._changed.emit();
  }

  private _abort = new AbortController();
  private _changed = new Signal<this, void>(this);
}
