/** Wires Retinue into JupyterLab: panel, pages, commands, notebook outputs. Nothing here talks to the network. */
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';
import type { MainAreaWidget } from '@jupyterlab/apputils';
import { ICommandPalette, WidgetTracker } from '@jupyterlab/apputils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { IFileBrowserFactory } from '@jupyterlab/filebrowser';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { IStateDB } from '@jupyterlab/statedb';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { Api } from './api';
import { addCommands } from './commands';
import type { DatasetPage } from './dataset';
import { Files } from './files';
import type { JobPage } from './job';
import type { LaunchForm } from './launch';
import { jobRendererFactory } from './mime';
import { RetinueModel } from './model';
import type { IMemory } from './model';
import { Panel } from './panel';
import { Recoveries } from './recoveries';
import { CommandIDs, JOB_MIME_RANK, PLUGIN_ID } from './tokens';

const PROJECT_KEY = 'retinue:project';
const PANEL_RANK = 350;

function memory(state: IStateDB | null): IMemory {
  return {
    load: async () => (await state?.fetch(PROJECT_KEY)) as string | undefined,
    save: projectId => void state?.save(PROJECT_KEY, projectId)
  };
}

const plugin: JupyterFrontEndPlugin<void> = {
  id: PLUGIN_ID,
  description: 'Datasets, trainings and live charts.',
  autoStart: true,
  optional: [
    ICommandPalette,
    IDocumentManager,
    IFileBrowserFactory,
    ILayoutRestorer,
    IRenderMimeRegistry,
    IStateDB,
    ITranslator
  ],
  activate: (
    app: JupyterFrontEnd,
    palette: ICommandPalette | null,
    documents: IDocumentManager | null,
    browsers: IFileBrowserFactory | null,
    restorer: ILayoutRestorer | null,
    rendermime: IRenderMimeRegistry | null,
    state: IStateDB | null,
    chosen: ITranslator | null
  ): void => {
    const translator = chosen ?? nullTranslator;
    const trans = translator.load('retinue');
    const api = new Api(app.serviceManager.serverSettings);
    const recoveries = new Recoveries(window.localStorage, api.settings.baseUrl);
    const model = new RetinueModel(api, memory(state), recoveries);
    const { commands } = app;
    const files = documents && new Files(documents, browsers, translator);
    const ui = { model, commands, trans, files };

    const panel = new Panel(ui);
    app.shell.add(panel, 'left', { rank: PANEL_RANK, type: 'Retinue' });
    restorer?.add(panel, panel.id);

    const datasets = new WidgetTracker<MainAreaWidget<DatasetPage>>({ namespace: 'retinue-dataset' });
    const jobs = new WidgetTracker<MainAreaWidget<JobPage>>({ namespace: 'retinue-job' });
    const launches = new WidgetTracker<MainAreaWidget<LaunchForm>>({ namespace: 'retinue-launch' });
    addCommands(ui, { app, panel, datasets, jobs, launches }, palette);
    void restorer?.restore(datasets, {
      command: CommandIDs.openDataset,
      args: widget => ({ datasetId: widget.content.datasetId }),
      name: widget => widget.content.datasetId
    });
    void restorer?.restore(jobs, {
      command: CommandIDs.openJob,
      args: widget => ({ jobId: widget.content.jobId }),
      name: widget => widget.content.jobId
    });
    void restorer?.restore(launches, {
      command: CommandIDs.launch,
      args: widget => ({ ...widget.content.args }),
      name: widget => widget.id
    });

    rendermime?.addFactory(jobRendererFactory(ui), JOB_MIME_RANK);
  }
};

export default plugin;
