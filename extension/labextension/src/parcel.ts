/** What is sent to the platform: a file of this computer, or a file or folder that the Jupyter server sends itself. */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';

import type { IFilesSent, IFilesUpload } from './api';
import { makeProblem, ProblemError, toProblem } from './problem';
import type { Problem, Upload } from './schema';

export const CHUNK_BYTES = 8 * 2 ** 20;
const TRIES = 5;

/** What tells a file from others: the page that comes next cannot open it, but knows it again. */
export interface IFileMark {
  name: string;
  size: number;
  /** When it was last changed, as the browser says. */
  changed: number;
}

/** Where a parcel comes from, for another page to go on with it. */
export type Origin = { file: IFileMark } | IHomeMark;

export interface IHomeMark {
  path: string;
  /** Another one when a file there was written to; null until the Jupyter server has told it. */
  state: string | null;
}

export interface IParcel {
  readonly origin: Origin;
  readonly name: string;
  /** Bytes in all; null until somebody has counted them. */
  readonly size: number | null;
  /** Sends all of it, or what is missing of an upload that was begun; tells how far that is now and then. */
  send(
    projectId: string,
    begun: string | null,
    signal: AbortSignal,
    tell: (upload: Upload) => void
  ): Promise<void>;
}

/** The part of the API that a file of the browser needs. */
export interface IChunkApi {
  createUpload(project: string, name: string, size: number): Promise<Upload>;
  upload(id: string): Promise<Upload>;
  putChunk(
    id: string,
    offset: number,
    bytes: Uint8Array<ArrayBuffer>,
    sha256: string,
    signal: AbortSignal
  ): Promise<Upload>;
}

/** Sent from here, in chunks with offset and checksum that are tried again. */
export class FileParcel implements IParcel {
  constructor(
    readonly file: File,
    private readonly _api: IChunkApi,
    private readonly _firstWaitMs = 500
  ) {}

  get origin(): Origin {
    return { file: markOf(this.file) };
  }

  get name(): string {
    return this.file.name;
  }

  get size(): number {
    return this.file.size;
  }

  async send(
    projectId: string,
    begun: string | null,
    signal: AbortSignal,
    tell: (upload: Upload) => void
  ): Promise<void> {
    let upload = begun
      ? await this._api.upload(begun)
      : await this._api.createUpload(projectId, this.name, this.size);
    tell(upload);
    while (upload.offset < this.size) {
      upload = await this._sendChunk(upload, signal);
      tell(upload);
    }
  }

  private async _sendChunk({ id, offset }: Upload, signal: AbortSignal): Promise<Upload> {
    const end = Math.min(offset + CHUNK_BYTES, this.size);
    const bytes = new Uint8Array(await this.file.slice(offset, end).arrayBuffer());
    const digest = bytesToHex(sha256(bytes));
    for (let attempt = 1; ; attempt++) {
      try {
        return await this._api.putChunk(id, offset, bytes, digest, signal);
      } catch (error) {
        const problem = toProblem(error);
        if (problem.code === 'upload_offset') {
          return await this._api.upload(id); // an answer was lost, the bytes were not
        }
        const permanent = problem.status >= 400 && problem.status < 500 && problem.code !== 'upload_checksum';
        if (permanent || attempt === TRIES || signal.aborted) {
          throw error;
        }
        await new Promise(resolve => setTimeout(resolve, this._firstWaitMs * 2 ** (attempt - 1)));
      }
    }
  }
}

function markOf({ name, size, lastModified }: File): IFileMark {
  return { name, size, changed: lastModified };
}

/** A file that a page before this one was sending: only the person can give it again. */
export class AwaitedFile implements IParcel {
  readonly name: string;
  readonly size: number;

  constructor(
    readonly origin: { file: IFileMark },
    private readonly _api: Pick<IChunkApi, 'upload'>
  ) {
    ({ name: this.name, size: this.size } = origin.file);
  }

  isOf(file: File): boolean {
    const { name, size, changed } = markOf(file);
    return name === this.name && size === this.size && changed === this.origin.file.changed;
  }

  /** What is said when this file is given instead. */
  refusal(file: File): Problem {
    const when = new Date(this.origin.file.changed).toLocaleString();
    return makeProblem(
      'upload_other_file',
      `This “${file.name}” is not the file that was being sent, or it was changed since.`,
      `Choose the “${this.name}” of ${this.size.toLocaleString()} bytes that was last changed at ${when}, or discard the upload.`
    );
  }

  /** There is nothing left to send, or nothing to send it from. */
  async send(
    _projectId: string,
    begun: string | null,
    _signal: AbortSignal,
    tell: (upload: Upload) => void
  ): Promise<void> {
    const upload = begun === null ? null : await this._api.upload(begun);
    if (upload) {
      tell(upload);
    }
    if (upload?.offset !== this.size) {
      const message = `“${this.name}” is needed again to go on.`;
      throw new ProblemError(makeProblem('upload_file_needed', message, 'Choose the same file.'));
    }
  }
}

/** The part of the API that a file of the Jupyter server needs. */
export interface IFilesApi {
  sendFiles(body: IFilesUpload, signal: AbortSignal): Promise<ReadableStream<Uint8Array>>;
}

/** Sent by the Jupyter server, which packs a folder on the way and starts anew when a file has changed. */
export class HomeParcel implements IParcel {
  constructor(
    public origin: IHomeMark,
    private readonly _api: IFilesApi,
    public size: number | null = null
  ) {}

  get name(): string {
    return this.origin.path.split('/').pop() || '/';
  }

  async send(
    projectId: string,
    begun: string | null,
    signal: AbortSignal,
    tell: (upload: Upload) => void
  ): Promise<void> {
    const body = { project_id: projectId, ...this.origin, upload_id: begun };
    let last: Upload | null = null;
    for await (const line of lines(await this._api.sendFiles(body, signal))) {
      const answer = JSON.parse(line) as IFilesSent | { problem: Problem };
      if ('problem' in answer) {
        throw new ProblemError(answer.problem);
      }
      last = answer.upload;
      this.size = last.size;
      this.origin = { ...this.origin, state: answer.state };
      tell(last);
    }
    if (last?.offset !== this.size) {
      throw new Error('The Jupyter server stopped sending.');
    }
  }
}

async function* lines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    const parts = (rest + decoder.decode(value, { stream: !done })).split('\n');
    rest = parts.pop() as string;
    yield* parts;
    if (done) {
      return;
    }
  }
}
