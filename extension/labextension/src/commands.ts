/** The commands, with schemas of their arguments. */
import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { ICommandPalette, WidgetTracker } from '@jupyterlab/apputils';
import { MainAreaWidget } from '@jupyterlab/apputils';
import type { Widget } from '@lumino/widgets';

import { confirmCancel } from './confirm';
import { DatasetPage } from './dataset';
import type { Files } from './files';
import { askReading, importSource } from './intake';
import { JobPage } from './job';
import { LaunchForm } from './launch';
import type { ILaunchArgs } from './launch';
import type { Panel } from './panel';
import { retinueIcon } from './panel';
import type { Job, JobCancel } from './schema';
import { createProject, takeIn } from './taken';
import { COMMAND_ARGS, CommandIDs } from './tokens';
import type { IUi } from './ui';

const MENU_RANK = 7.5; // behind what opens, before what changes

interface IMakeArgs {
  path?: string;
  selected?: boolean;
  name?: string;
  format?: string | null;
}

interface IImportArgs {
  source?: string;
  name?: string;
  format?: string;
}

export interface IPlaces {
  app: JupyterFrontEnd;
  panel: Panel;
  datasets: WidgetTracker<MainAreaWidget<DatasetPage>>;
  jobs: WidgetTracker<MainAreaWidget<JobPage>>;
  launches: WidgetTracker<MainAreaWidget<LaunchForm>>;
}

export function addCommands(ui: IUi, places: IPlaces, palette: ICommandPalette | null): void {
  const { commands, model, trans } = ui;
  const add = (id: string, label: string, execute: (args: any) => unknown, inPalette = true) => {
    commands.addCommand(id, { label, execute, describedBy: { args: COMMAND_ARGS[id] } });
    if (inPalette) {
      palette?.addItem({ command: id, category: trans.__('Retinue') });
    }
  };
  add(CommandIDs.openPanel, trans.__('Show datasets and trainings'), () => openPanel(places));
  add(CommandIDs.refresh, trans.__('Refresh datasets and trainings'), () => model.refresh());
  add(CommandIDs.uploadDataset, trans.__('Upload a dataset…'), () => chooseFile(places));
  add(CommandIDs.importDataset, trans.__('Import a dataset from a URL or a bucket…'), args => importDataset(ui, places, args)); // prettier-ignore
  add(CommandIDs.launch, trans.__('New training…'), args => openLaunch(ui, places, args as ILaunchArgs));
  add(CommandIDs.createProject, trans.__('New project…'), ({ name }) => createProject(ui, name as string | undefined)); // prettier-ignore
  add(CommandIDs.openDataset, trans.__('Open a dataset'), ({ datasetId }) => openDataset(ui, places, datasetId as string), false); // prettier-ignore
  add(CommandIDs.openJob, trans.__('Open a job'), ({ jobId }) => openJob(ui, places, jobId as string), false);
  add(CommandIDs.cancelJob, trans.__('Cancel a job'), args => cancelJob(ui, args), false);
  if (ui.files) {
    addFileCommand(ui, places, ui.files, palette);
  }
}

/** The command of the file browser's menu; from elsewhere it asks for a file or folder. */
function addFileCommand(ui: IUi, places: IPlaces, files: Files, palette: ICommandPalette | null): void {
  const { commands, trans } = ui;
  const id = CommandIDs.makeDataset;
  commands.addCommand(id, {
    label: ({ selected }) =>
      selected ? trans.__('Make a Retinue dataset of this') : trans.__('Make a dataset of my files…'),
    icon: ({ selected }) => (selected ? retinueIcon : undefined),
    isVisible: ({ selected }) => !selected || files.selected.length > 0,
    execute: args => makeDataset(ui, places, files, args as IMakeArgs),
    describedBy: { args: COMMAND_ARGS[id] }
  });
  palette?.addItem({ command: id, category: trans.__('Retinue') });
  const selector = '.jp-DirListing-item';
  places.app.contextMenu.addItem({ command: id, args: { selected: true }, selector, rank: MENU_RANK });
}

function openPanel({ app, panel }: IPlaces): void {
  app.shell.activateById(panel.id);
}

async function chooseFile(places: IPlaces): Promise<void> {
  openPanel(places);
  places.panel.node.querySelector<HTMLInputElement>('input[data-retinue="upload"]')?.click();
}

/** Shows the panel, with a project to put datasets into; false when there is none still. */
async function openProject(ui: IUi, places: IPlaces): Promise<boolean> {
  openPanel(places);
  if (!ui.model.loaded) {
    await ui.model.refresh();
  }
  if (ui.model.loaded && !ui.model.project) {
    await createProject(ui);
  }
  return ui.model.project !== null;
}

async function makeDataset(ui: IUi, places: IPlaces, files: Files, args: IMakeArgs): Promise<void> {
  const { path, selected, name, format = null } = args;
  const chosen = path !== undefined ? [path] : selected ? files.selected : null;
  if (await openProject(ui, places)) {
    for (const path of chosen ?? (await files.choose())) {
      const reading = await askReading(ui, path, format);
      if (reading) {
        await takeIn(ui, { path }, reading, name);
      }
    }
  }
}

async function importDataset(ui: IUi, places: IPlaces, args: IImportArgs): Promise<void> {
  const { source, name, format = null } = args;
  if (!(await openProject(ui, places))) {
    return;
  }
  await (source ? takeIn(ui, { source }, { format }, name) : importSource(ui));
}

async function openLaunch(ui: IUi, { app, launches }: IPlaces, args: ILaunchArgs): Promise<void> {
  if (!ui.model.loaded) {
    await ui.model.refresh();
  }
  const content = new LaunchForm(ui, args, job => {
    widget.dispose();
    void ui.commands.execute(CommandIDs.openJob, { jobId: job.id });
  });
  const widget = new MainAreaWidget({ content });
  widget.toolbar.hide(); // it is empty
  widget.id = `retinue-launch-${args.datasetId ?? 'new'}-${Date.now()}`;
  widget.title.label = ui.trans.__('New training');
  widget.title.icon = retinueIcon;
  widget.title.closable = true;
  app.shell.add(widget, 'main');
  await launches.add(widget);
  app.shell.activateById(widget.id);
}

async function openDataset(
  ui: IUi,
  { app, datasets }: IPlaces,
  datasetId: string
): Promise<MainAreaWidget<DatasetPage>> {
  if (!ui.model.loaded) {
    await ui.model.refresh();
  }
  return openPage(app, datasets, `retinue-dataset-${datasetId}`, () => new DatasetPage(ui, datasetId));
}

function openJob(ui: IUi, { app, jobs }: IPlaces, jobId: string): Promise<MainAreaWidget<JobPage>> {
  return openPage(app, jobs, `retinue-job-${jobId}`, () => new JobPage(ui, jobId));
}

/** Shows the one page with this id, and makes it when there is none; its title follows its content's. */
async function openPage<T extends Widget>(
  app: JupyterFrontEnd,
  pages: WidgetTracker<MainAreaWidget<T>>,
  id: string,
  make: () => T
): Promise<MainAreaWidget<T>> {
  let widget = pages.find(other => other.id === id);
  if (!widget) {
    const content = make();
    const page = (widget = new MainAreaWidget({ content }));
    page.toolbar.hide(); // it is empty
    page.id = id;
    content.title.changed.connect(() => {
      page.title.label = content.title.label;
    });
    page.title.label = content.title.label;
    page.title.icon = retinueIcon;
    page.title.closable = true;
    app.shell.add(page, 'main');
    await pages.add(page);
  }
  app.shell.activateById(id);
  return widget;
}

async function cancelJob(
  { model, trans }: IUi,
  args: { jobId: string; when?: JobCancel['when'] }
): Promise<void> {
  const { jobId, when = 'now' } = args;
  const job: Job = await model.api.job(jobId);
  await confirmCancel(job, when, trans, async () => {
    await model.api.cancelJob(jobId, when);
  });
}
