/** One file on its way to the platform: chunks with offset and checksum, tried again, resumed, or cancelled. */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import type { Dataset, Problem, Upload } from './schema';

export const CHUNK_BYTES = 8 * 2 ** 20;
const TRIES = 5;

/** The part of the API that an upload needs. */
export interface IUploadApi {
  createUpload(project: string, name: string, size: number): Promise<Upload>;
  upload(id: string): Promise<Upload>;
  deleteUpload(id: string): Promise<void>;
  putChunk(
    id: string,
    offset: number,
    bytes: Uint8Array<ArrayBuffer>,
    sha256: string,
    signal: AbortSignal
  ): Promise<Upload>;
}

/** What a file is for: called once it is complete, and again when that failed. */
export interface IPurpose {
  finish(uploadId: string): Promise<Dataset>;
  /** The dataset it is added to; null when a new one is made of it. */
  datasetId: string | null;
}

export type UploadState = 'sending' | 'paused' | 'done' | 'cancelled';

export class UploadModel {
  state: UploadState = 'sending';
  sent = 0;
  problem: Problem | null = null;
  /** Set once the platform knows of it. */
  id: string | null = null;

  constructor(
    readonly projectId: string,
    readonly file: File,
    private readonly _api: IUploadApi,
    private readonly _toProblem: (error: unknown) => Problem,
    readonly purpose: IPurpose,
    private readonly _firstWaitMs = 500
  ) {}

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get fraction(): number {
    return this.file.size ? this.sent / this.file.size : 0;
  }

  /** Sends until all is there, or until it cannot: then `state` is paused with the problem, and calling it again goes on. */
  async run(): Promise<boolean> {
    this._set('sending', null);
    try {
      await this._begin();
      while (this.sent < this.file.size && this.state === 'sending') {
        await this._sendChunk();
      }
    } catch (error) {
      if (!this._abort.signal.aborted) {
        this._set('paused', this._toProblem(error));
      }
      return false;
    }
    if (this._abort.signal.aborted) {
      return false;
    }
    this._set('done', null);
    return true;
  }

  /** What it is for could not be done; `run` and `finish` may be tried again. */
  pause(problem: Problem): void {
    this._set('paused', problem);
  }

  async cancel(): Promise<void> {
    this._abort.abort();
    this._set('cancelled', null);
    if (this.id) {
      await this._api.deleteUpload(this.id);
    }
  }

  private async _begin(): Promise<void> {
    const { name, size } = this.file;
    const upload = this.id
      ? await this._api.upload(this.id)
      : await this._api.createUpload(this.projectId, name, size);
    this.id = upload.id;
    this.sent = upload.offset;
    this._changed.emit();
  }

  private async _sendChunk(): Promise<void> {
    const id = this.id as string;
    const end = Math.min(this.sent + CHUNK_BYTES, this.file.size);
    const buffer = await this.file.slice(this.sent, end).arrayBuffer();
    const bytes = new Uint8Array(buffer);
    const digest = bytesToHex(sha256(bytes));
    for (let attempt = 1; ; attempt++) {
      try {
        const upload = await this._api.putChunk(id, this.sent, bytes, digest, this._abort.signal);
        this.sent = upload.offset;
        break;
      } catch (error) {
        const problem = this._toProblem(error);
        if (problem.code === 'upload_offset') {
          this.sent = (await this._api.upload(id)).offset; // an answer was lost, the bytes were not
          break;
        }
        const permanent = problem.status >= 400 && problem.status < 500 && problem.code !== 'upload_checksum';
        if (permanent || attempt === TRIES || this._abort.signal.aborted) {
          throw error;
        }
        await new Promise(resolve => setTimeout(resolve, this._firstWaitMs * 2 ** (attempt - 1)));
      }
    }
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
