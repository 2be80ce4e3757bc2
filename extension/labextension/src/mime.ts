/** Draws `application/vnd.retinue.job+json` in notebooks: the saved picture at once, then live, with or without a kernel. */
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';
import { Widget } from '@lumino/widgets';

import { Chart } from './chart';
import { chartLabels } from './chartview';
import { lostWords } from './connection';
import type { JobModel } from './jobmodel';
import type { RetinueModel } from './model';
import type { Snapshot } from './series';
import { CommandIDs, JOB_MIME_TYPE } from './tokens';
import { statusWord } from './ui';

interface IJobData {
  job_id: string;
  name?: string;
  status?: string;
  snapshot?: Snapshot;
}

export interface IMimeServices {
  model: RetinueModel;
  commands: CommandRegistry;
  trans: TranslationBundle;
}

export function jobRendererFactory(services: IMimeServices): IRenderMime.IRendererFactory {
  return {
    safe: true,
    mimeTypes: [JOB_MIME_TYPE],
    createRenderer: () => new JobOutput(services)
  };
}

/** Shows the snapshot until the platform has sent everything; if it never does, the snapshot stays. */
class JobOutput extends Widget implements IRenderMime.IRenderer {
  constructor(private readonly _services: IMimeServices) {
    super();
    this.addClass('retinue-Output');
    this._head.className = 'retinue-Output-head';
    this._head.setAttribute('role', 'status');
    this.node.append(this._head, this._body);
  }

  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    const data = model.data[JOB_MIME_TYPE] as unknown as IJobData;
    this._data = data;
    if (!this._chart) {
      this._chart = new Chart(this._body, { labels: chartLabels(this._services.trans) });
    }
    if (!this._job?.live) {
      this._chart.load(data.snapshot ?? {});
    }
    if (this._job?.id !== data.job_id) {
      this._follow(data.job_id);
    }
    this._describe();
  }

  dispose(): void {
    if (!this.isDisposed) {
      this._release();
      this._chart?.dispose();
      super.dispose();
    }
  }

  private _follow(jobId: string): void {
    this._release();
    this._job = this._services.model.acquire(jobId);
    this._job.changed.connect(this._onChanged, this);
    this._job.pointsChanged.connect(this._onPoints, this);
    this._onChanged();
  }

  private _release(): void {
    if (this._job) {
      this._job.changed.disconnect(this._onChanged, this);
      this._job.pointsChanged.disconnect(this._onPoints, this);
      this._services.model.release(this._job.id);
      this._job = null;
    }
  }

  private _onChanged(): void {
    if (this._job?.live && this._chart && this._chart.store !== this._job.store) {
      this._chart.use(this._job.store);
    }
    this._describe();
  }

  private _onPoints(_: JobModel, keys: Set<string> | null): void {
    if (this._job?.live) {
      this._chart?.refresh(keys ?? undefined);
    }
  }

  private _describe(): void {
    const { trans, commands } = this._services;
    const job = this._job?.job;
    const id = this._data?.job_id ?? '';
    const open = document.createElement('button');
    open.type = 'button';
    open.className = 'retinue-Link';
    open.textContent = job?.name ?? this._data?.name ?? id;
    open.title = trans.__('Open the job');
    open.onclick = () => void commands.execute(CommandIDs.openJob, { jobId: id });
    const status = statusWord(job?.status ?? this._data?.status ?? '', trans);
    const problem = job ? '' : (this._job?.problem?.message ?? '');
    const state = this._job?.live ? '' : trans.__('saved picture');
    const lost = this._job?.lostSince ? lostWords(this._job.lostSince, trans) : '';
    this._head.replaceChildren(open, ` ${[status, state, problem, lost].filter(Boolean).join(' · ')}`);
  }

  private _head = document.createElement('div');
  private _body = document.createElement('div');
  private _chart: Chart | null = null;
  private _job: JobModel | null = null;
  private _data: IJobData | null = null;
}
