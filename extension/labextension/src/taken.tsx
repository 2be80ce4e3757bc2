/** Names that are taken: the person says what happens instead, and nothing that was sent is lost. */
import { InputDialog } from '@jupyterlab/apputils';
import React from 'react';

import { askForm } from './dialog';
import type { RetinueModel } from './model';
import { freeName, sameName } from './naming';
import { toProblem } from './problem';
import type { Dataset, DatasetCreate } from './schema';
import type { IUi } from './ui';
import type { UploadModel } from './upload';
import { datasetName, nameOf } from './what';
import type { Reading, What } from './what';

interface IQuestion {
  title: string;
  /** What can be done with the one that is there; null when nothing can. */
  keep: string | null;
  /** Label of the other way. */
  other: string;
  /** The name suggested. */
  name: string;
}

interface IAnswer {
  keep: boolean;
  name: string;
}

function askTaken({ trans }: IUi, question: IQuestion): Promise<IAnswer | null> {
  return askForm<IAnswer>({
    title: question.title,
    yes: trans.__('Continue'),
    no: trans.__('Cancel'),
    first: { keep: false, name: question.name },
    draw: (answer, set) => <TakenForm question={question} answer={answer} set={set} />
  });
}

interface ITakenForm {
  question: IQuestion;
  answer: IAnswer;
  set: (answer: IAnswer) => void;
}

function TakenForm({ question, answer, set }: ITakenForm): JSX.Element {
  const { keep, other } = question;
  const choice = (label: string, value: boolean) => (
    <label className="retinue-Choice">
      <input type="radio" checked={answer.keep === value} onChange={() => set({ ...answer, keep: value })} />{' '}
      {label}
    </label>
  );
  return (
    <>
      {keep !== null && choice(keep, true)}
      {keep === null ? <span>{other}</span> : choice(other, false)}
      <input
        className="jp-mod-styled"
        aria-label={other}
        value={answer.name}
        maxLength={120}
        onChange={event => set({ keep: false, name: event.target.value })}
      />
    </>
  );
}

/** Where something goes: into a dataset that is there, or a new one of this name. */
type Goal = { dataset: Dataset } | { name: string };

/** Asks until the name is free; null when that is called off. `refused`: the platform has said that it is not. */
async function settle(ui: IUi, name: string, refused = false): Promise<Goal | null> {
  const { model, trans } = ui;
  const taken = takenNames(model);
  if (!refused && !taken.some(other => sameName(other, name))) {
    return { name };
  }
  const there = model.datasets.find(dataset => sameName(dataset.name, name) && dataset.status === 'ready');
  const answer = await askTaken(ui, {
    title: trans.__('The project has a dataset “%1” already', name),
    keep: there
      ? trans.__(
          'Add to it: makes version %1; images whose names it has are skipped',
          there.versions[0].number + 1
        )
      : null,
    other: trans.__('Make another dataset, named'),
    name: freeName(name, [name, ...taken])
  });
  if (!answer) {
    return null;
  }
  return answer.keep && there ? { dataset: there } : settle(ui, answer.name.trim() || name);
}

/** Of datasets, but for the failed ones, which give way, and of what is on its way to become one. */
function takenNames({ datasets, uploads, project }: RetinueModel): string[] {
  const there = datasets.filter(dataset => dataset.status !== 'failed').map(dataset => dataset.name);
  const coming = uploads.list.filter(
    ({ state, purpose }) =>
      state !== 'interrupted' && purpose.projectId === project?.id && purpose.datasetId === null
  );
  return [...there, ...coming.map(nameWanted)];
}

function nameWanted({ purpose }: UploadModel): string {
  return (purpose.body as Partial<DatasetCreate>).name ?? '';
}

/** Has a dataset made of something, or adds it to the one of its name. False when that is called off; refused sources are thrown. */
export async function takeIn(ui: IUi, what: What, reading: Reading, name?: string): Promise<boolean> {
  const { model } = ui;
  const goal = await settle(ui, name ?? datasetName(nameOf(what)));
  if (!goal) {
    return false;
  }
  const taking =
    'dataset' in goal ? model.addTo(goal.dataset, what, reading) : model.make(what, reading, goal.name);
  if ('source' in what) {
    await taking; // what is sent takes long, and shows by itself how it goes
  }
  return true;
}

/** Asks what becomes of an upload whose name was taken while it was on its way. */
export async function rename(ui: IUi, upload: UploadModel): Promise<void> {
  const goal = await settle(ui, nameWanted(upload), true);
  if (goal) {
    const reading: Partial<DatasetCreate> = { ...upload.purpose.body };
    delete reading.name;
    const change =
      'dataset' in goal
        ? { datasetId: goal.dataset.id, body: reading }
        : { body: { ...reading, name: goal.name } };
    upload.purpose = { ...upload.purpose, ...change };
    await ui.model.uploads.resume(upload);
  }
}

/** Makes a project and shows it, or shows the one that has its name. */
export async function createProject(ui: IUi, name?: string): Promise<void> {
  const { trans } = ui;
  const title = trans.__('New project');
  let wanted: string | null | undefined =
    name ?? (await InputDialog.getText({ title, label: trans.__('Name'), required: true })).value;
  while (wanted?.trim()) {
    wanted = await tryProject(ui, wanted.trim());
  }
}

/** Null when it is done or called off; else the name to try next. */
async function tryProject(ui: IUi, name: string): Promise<string | null> {
  const { model, trans } = ui;
  try {
    await model.createProject(name);
    return null;
  } catch (error) {
    if (toProblem(error).code !== 'project_exists') {
      model.tell(error);
      return null;
    }
  }
  const mine = model.projects.find(project => sameName(project.name, name));
  const answer = await askTaken(ui, {
    title: mine
      ? trans.__('You have a project “%1” already', name)
      : trans.__('Others have a project “%1” already', name),
    keep: mine ? trans.__('Open it') : null,
    other: mine
      ? trans.__('Make another project, named')
      : trans.__('Ask its owner for a role in it, or make another project, named'),
    name: freeName(name, [name, ...model.projects.map(project => project.name)])
  });
  if (answer?.keep && mine) {
    await model.select(mine.id);
    return null;
  }
  return answer && answer.name;
}
