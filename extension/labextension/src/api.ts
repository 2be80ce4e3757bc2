/** Talks HTTP to the platform, through the Jupyter server. Every failure is a `ProblemError`. */
import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import type { ReadonlyJSONObject } from '@lumino/coreutils';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import { ProblemError, readProblem, toProblem } from './problem';
import { NAMESPACE } from './tokens';
import type {
  Artifact,
  Catalogue,
  Dataset,
  DatasetCreate,
  DatasetFormat,
  DatasetRetry,
  DatasetVersion,
  Finding,
  Job,
  JobCancel,
  JobCreate,
  Problem,
  Project,
  Sources,
  TrashedDataset,
  Upload,
  VersionCreate,
  VersionDiff
} from './schema';

/** What the Jupyter server is to send: a path as its contents API has it, and the upload to go on with. */
export interface IFilesUpload {
  project_id: string;
  path: string;
  upload_id: string | null;
  /** As it was told when that upload began. */
  state: string | null;
}

/** How far it is, and in which state the files are. */
export interface IFilesSent {
  upload: Upload;
  state: string;
}

export class Api {
  constructor(readonly settings: ServerConnection.ISettings = ServerConnection.makeSettings()) {}

  /** Every request that failed, whoever made it. */
  get failed(): ISignal<this, Problem> {
    return this._failed;
  }

  projects(): Promise<Project[]> {
    return this._json('projects');
  }

  createProject(name: string): Promise<Project> {
    return this._send('POST', 'projects', { name });
  }

  datasets(projectId: string): Promise<Dataset[]> {
    return this._json(`projects/${projectId}/datasets`);
  }

  createDataset(projectId: string, body: Partial<DatasetCreate>): Promise<Dataset> {
    return this._send('POST', `projects/${projectId}/datasets`, body);
  }

  /** Does an import that failed again; what the body does not name stays as it was. */
  retryDataset(id: string, body: Partial<DatasetRetry>): Promise<Dataset> {
    return this._send('POST', `datasets/${id}/retry`, body);
  }

  /** Puts the problem of a failed addition away. */
  async deleteProblem(datasetId: string): Promise<void> {
    await this._request(`datasets/${datasetId}/problem`, { method: 'DELETE' });
  }

  /** Where data may come from, besides a file that is sent. */
  sources(): Promise<Sources> {
    return this._json('sources');
  }

  /** Adds a complete upload or a source to the newest version, or to the one that the body names. */
  createVersion(datasetId: string, body: Partial<VersionCreate>): Promise<Dataset> {
    return this._send('POST', `datasets/${datasetId}/versions`, body);
  }

  /** Makes the content of a version the newest again. */
  restoreVersion(datasetId: string, version: number): Promise<DatasetVersion> {
    return this._send('POST', `datasets/${datasetId}/versions/${version}/restore`, {});
  }

  /** What changed from one version to another; of each kind at most `limit` images, from the one at `offset`. */
  diff(datasetId: string, from: number, to: number, limit: number, offset: number): Promise<VersionDiff> {
    return this._json(`datasets/${datasetId}/versions/${from}/diff/${to}?limit=${limit}&offset=${offset}`);
  }

  trash(projectId: string): Promise<TrashedDataset[]> {
    return this._json(`projects/${projectId}/trash`);
  }

  /** Moves a dataset to the trash, or with `purge` removes it for good. */
  async deleteDataset(id: string, purge = false): Promise<void> {
    await this._request(`datasets/${id}?purge=${purge}`, { method: 'DELETE' });
  }

  /** Takes a dataset out of the trash, under its own name when none is given. */
  restoreDataset(id: string, name: string | null = null): Promise<Dataset> {
    return this._send('POST', `datasets/${id}/restore`, { name });
  }

  formats(): Promise<DatasetFormat[]> {
    return this._json('formats');
  }

  /** What a version would lose in a format. */
  losses(datasetId: string, version: number, format: string): Promise<Finding[]> {
    return this._json(
      `datasets/${datasetId}/versions/${version}/losses?format=${encodeURIComponent(format)}`
    );
  }

  /** Address of a version in a format, for the browser's own download. */
  archiveUrl(datasetId: string, version: number, format: string): string {
    return this._url(
      `datasets/${datasetId}/versions/${version}/archive?format=${encodeURIComponent(format)}`
    );
  }

  createUpload(projectId: string, filename: string, size: number): Promise<Upload> {
    const body = { filename, size };
    return this._send('POST', `projects/${projectId}/uploads`, body);
  }

  upload(id: string): Promise<Upload> {
    return this._json(`uploads/${id}`);
  }

  async deleteUpload(id: string): Promise<void> {
    await this._request(`uploads/${id}`, { method: 'DELETE' });
  }

  async putChunk(
    id: string,
    offset: number,
    bytes: Uint8Array<ArrayBuffer>,
    sha256: string,
    signal: AbortSignal
  ): Promise<Upload> {
    const answer = await this._request(`uploads/${id}?offset=${offset}`, {
      method: 'PUT',
      body: new Blob([bytes]),
      headers: {
        'Content-Type': 'application/octet-stream',
        'X-Content-SHA256': sha256
      },
      signal
    });
    return answer.json();
  }

  /** Has the Jupyter server send a file or folder of its own; it answers a line of JSON for each chunk. */
  async sendFiles(body: IFilesUpload, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    const init = { method: 'POST', body: JSON.stringify(body), signal };
    return (await this._fetch('files', init)).body as ReadableStream<Uint8Array>;
  }

  catalogue(task?: string): Promise<Catalogue> {
    return this._json(task ? `models?task=${task}` : 'models');
  }

  /** JSON Schema of a model's parameters. */
  modelSchema(framework: string, model: string, task: string): Promise<ReadonlyJSONObject> {
    const name = model.split('/').map(encodeURIComponent).join('/');
    return this._json(`models/${encodeURIComponent(framework)}/${name}/schema?task=${task}`);
  }

  jobs(projectId: string): Promise<Job[]> {
    return this._json(`projects/${projectId}/jobs?limit=200`);
  }

  job(id: string): Promise<Job> {
    return this._json(`jobs/${id}`);
  }

  async validateJob(projectId: string, body: Partial<JobCreate>): Promise<Problem[]> {
    const path = `projects/${projectId}/jobs/validate`;
    const answer = await this._send<{ problems: Problem[] }>('POST', path, body);
    return answer.problems;
  }

  /** The same key again gives the same job: a repeated click or a lost answer starts no second one. */
  createJob(projectId: string, body: Partial<JobCreate>, key: string): Promise<Job> {
    const headers = { 'Idempotency-Key': key };
    return this._send('POST', `projects/${projectId}/jobs`, body, headers);
  }

  cancelJob(id: string, when: JobCancel['when']): Promise<Job> {
    return this._send('POST', `jobs/${id}/cancel`, { when });
  }

  artifacts(jobId: string): Promise<Artifact[]> {
    return this._json(`jobs/${jobId}/artifacts`);
  }

  /** Address of a file, for the browser's own download. */
  artifactUrl(jobId: string, path: string): string {
    const name = path.split('/').map(encodeURIComponent).join('/');
    return this._url(`jobs/${jobId}/artifacts/${name}`);
  }

  socket(): WebSocket {
    const { wsUrl, token, appendToken, WebSocket } = this.settings;
    const url = URLExt.join(wsUrl, NAMESPACE, 'ws');
    const query = appendToken && token ? `?token=${encodeURIComponent(token)}` : '';
    return new WebSocket(url + query);
  }

  private async _json<T>(path: string): Promise<T> {
    const answer = await this._request(path, {});
    return answer.json();
  }

  private async _send<T>(
    method: string,
    path: string,
    body: object,
    headers: Record<string, string> = {}
  ): Promise<T> {
    const answer = await this._request(path, {
      method,
      body: JSON.stringify(body),
      headers: { 'Content-Type': 'application/json', ...headers }
    });
    return answer.json();
  }

  private _url(path: string): string {
    return `${URLExt.join(this.settings.baseUrl, NAMESPACE, 'api')}/${path}`;
  }

  private _request(path: string, init: RequestInit): Promise<Response> {
    return this._fetch(`api/${path}`, init);
  }

  private async _fetch(path: string, init: RequestInit): Promise<Response> {
    const url = `${URLExt.join(this.settings.baseUrl, NAMESPACE)}/${path}`;
    try {
      const answer = await ServerConnection.makeRequest(url, init, this.settings);
      if (!answer.ok) {
        throw new ProblemError(await readProblem(answer));
      }
      return answer;
    } catch (error) {
      if (!init.signal?.aborted) {
        this._failed.emit(toProblem(error));
      }
      throw error;
    }
  }

  private _failed = new Signal<this, Problem>(this);
}
