/** More images for a dataset: what comes in is added to its newest version and makes the next one. */
import React from 'react';

import { Chooser } from './chooser';
import { ClassLines } from './classlines';
import { readClassMap } from './classmap';
import type { IClassLine } from './classmap';
import { FormatSelect, useFormats } from './export';
import { Failed, Importing } from './failed';
import { Frames, InPlace } from './intake';
import type { Dataset, Merged, VersionCreate } from './schema';
import type { IUi } from './ui';
import { ProblemView, useAction } from './ui';
import { UploadItem } from './uploaditem';
import { FIRST_STEP, canStay, isVideo, nameOf } from './what';
import type { What } from './what';

type Settings = Pick<VersionCreate, 'format' | 'in_place' | 'conflict' | 'split' | 'note'>;

const FIRST: Settings = { format: null, in_place: false, conflict: 'skip', split: null, note: '' };

interface IAdd {
  ui: IUi;
  dataset: Dataset;
  /** Called when the adding begins. */
  onAdd: () => void;
}

export function AddImages({ ui, dataset, onAdd }: IAdd): JSX.Element {
  const { model, trans } = ui;
  const uploads = model.uploads.list.filter(upload => upload.purpose.datasetId === dataset.id);
  const add = (what: What, settings: Partial<VersionCreate>) => {
    onAdd();
    return model.addTo(dataset, what, settings);
  };
  return (
    <section className="retinue-Add" aria-label={trans.__('Add images')}>
      <Failed key={dataset.status} ui={ui} dataset={dataset} />
      {uploads.map(upload => (
        <UploadItem key={upload.key} ui={ui} upload={upload} />
      ))}
      <Importing ui={ui} dataset={dataset} />
      {model.canWrite && (
        <details>
          <summary>{trans.__('Add images…')}</summary>
          <AddForm
            key={dataset.versions[0].number} // an empty one once something was added
            ui={ui}
            classes={dataset.versions[0].classes}
            busy={uploads.length > 0 || dataset.status === 'importing'}
            add={add}
          />
        </details>
      )}
    </section>
  );
}

interface IForm {
  ui: IUi;
  classes: string[];
  busy: boolean;
  add: (what: What, settings: Partial<VersionCreate>) => Promise<void>;
}

function AddForm({ ui, classes, busy, add }: IForm): JSX.Element {
  const { trans } = ui;
  const formats = useFormats(ui);
  const [what, choose] = React.useState<What | null>(null);
  const [step, setStep] = React.useState(FIRST_STEP);
  const { busy: asking, problem, run } = useAction();
  const [settings, setSettings] = React.useState(FIRST);
  const [lines, setLines] = React.useState<IClassLine[]>([]);
  const { classes: renamed, twice } = readClassMap(lines);
  const video = what !== null && isVideo(nameOf(what));
  const place = what !== null && 'source' in what && canStay(what.source) && !video;
  const set = (part: Partial<Settings>) => setSettings({ ...settings, ...part });
  const submit = (event: React.FormEvent) => {
    event.preventDefault();
    if (what) {
      const reading = video ? { ...step, format: null } : {};
      const in_place = settings.in_place && place;
      run(() => add(what, { ...settings, ...reading, in_place, classes: renamed }));
    }
  };
  return (
    <form className="retinue-Add-form" onSubmit={submit}>
      <Chooser ui={ui} what={what} choose={choose} />
      {place && <InPlace trans={trans} inPlace={settings.in_place} set={in_place => set({ in_place })} />}
      {video ? (
        <Frames trans={trans} step={step} set={setStep} />
      ) : (
        <FormatSelect
          formats={formats}
          none={trans.__('Recognise it')}
          label={trans.__('Format')}
          value={settings.format ?? ''}
          choose={name => set({ format: name || null })}
        />
      )}
      <Choices trans={trans} settings={settings} set={set} />
      <ClassLines trans={trans} classes={classes} lines={lines} twice={twice} set={setLines} />
      {problem && <ProblemView problem={problem} trans={trans} />}
      <button className="jp-mod-styled jp-mod-accept" disabled={!what || busy || asking || twice.length > 0}>
        {trans.__('Add to the dataset')}
      </button>
    </form>
  );
}

interface IChoices {
  trans: IUi['trans'];
  settings: Settings;
  set: (part: Partial<Settings>) => void;
}

function Choices({ trans, settings, set }: IChoices): JSX.Element {
  return (
    <>
      <label>
        {trans.__('An image of a name that is there already')}{' '}
        <select
          className="jp-mod-styled"
          value={settings.conflict}
          onChange={event => set({ conflict: event.target.value as Settings['conflict'] })}
        >
          <option value="skip">{trans.__('Skip it')}</option>
          <option value="keep_both">{trans.__('Keep both')}</option>
          <option value="replace">{trans.__('Replace the old one')}</option>
        </select>
      </label>
      <label>
        {trans.__('Split of images that bring none')}{' '}
        <select
          className="jp-mod-styled"
          value={settings.split ?? ''}
          onChange={event => set({ split: (event.target.value || null) as Settings['split'] })}
        >
          <option value="">{trans.__('Draw it, 80/20')}</option>
          {['train', 'val', 'test'].map(split => (
            <option key={split}>{split}</option>
          ))}
        </select>
      </label>
      <label>
        {trans.__('Note')}{' '}
        <input
          className="jp-mod-styled"
          maxLength={2000}
          value={settings.note}
          onChange={event => set({ note: event.target.value })}
        />
      </label>
    </>
  );
}

/** What became of the images that a version was made by adding. */
export function Added({ merged, trans }: { merged: Merged; trans: IUi['trans'] }): JSX.Element {
  const number = (n: number) => n.toLocaleString();
  const { added, kept_both, replaced, skipped, unchanged } = merged;
  return (
    <p className="retinue-Facts" role="status">
      {trans.__('%1 images added, %2 replaced, %3 skipped', number(added), number(replaced), number(skipped))}
      {kept_both > 0 && <> · {trans.__('%1 of those added got another name', number(kept_both))}</>}
      {unchanged > 0 && <> · {trans.__('%1 were there already', number(unchanged))}</>}
    </p>
  );
}
