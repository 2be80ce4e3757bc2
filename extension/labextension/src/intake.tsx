/** What every way in has: the frames of a video, what is open besides this computer, and the import from there. */
import React from 'react';

import { askForm } from './dialog';
import { FormatSelect, useFormats } from './export';
import { makeProblem, ProblemError, toProblem } from './problem';
import { useLoaded } from './reload';
import type { Problem, Sources } from './schema';
import { takeIn } from './taken';
import type { IUi } from './ui';
import { ProblemView } from './ui';
import { datasetName, FIRST_STEP, canStay, isImage, isVideo, nameOf } from './what';
import type { Reading, Step } from './what';

type Trans = IUi['trans'];

interface IFrames {
  trans: Trans;
  step: Step;
  set: (step: Step) => void;
}

export function Frames({ trans, step, set }: IFrames): JSX.Element {
  const inSeconds = step.every === null;
  const value = inSeconds ? step.seconds : step.every;
  const change = (value: number, seconds: boolean) =>
    set(seconds ? { every: null, seconds: value } : { every: Math.max(1, Math.round(value)), seconds: null });
  return (
    <fieldset className="retinue-Frames">
      <legend>{trans.__('Frames of the video')}</legend>
      <label>
        {trans.__('One every')}{' '}
        <input
          className="jp-mod-styled"
          type="number"
          required
          min={inSeconds ? 0.001 : 1}
          max={inSeconds ? 86400 : undefined}
          step={inSeconds ? 'any' : 1}
          defaultValue={value ?? 1}
          key={String(inSeconds)}
          onChange={event => {
            const number = event.target.valueAsNumber;
            if (number > 0) {
              change(number, inSeconds);
            }
          }}
        />
      </label>
      <select
        className="jp-mod-styled"
        aria-label={trans.__('Unit')}
        value={inSeconds ? 'seconds' : 'frames'}
        onChange={event => change(value ?? 1, event.target.value === 'seconds')}
      >
        <option value="seconds">{trans.__('seconds')}</option>
        <option value="frames">{trans.__('frames')}</option>
      </select>
    </fieldset>
  );
}

/** How a new dataset of this name is to be read: of a video it is asked which frames. Null when it is not to be. */
export async function askReading(ui: IUi, name: string, format: string | null): Promise<Reading | null> {
  const { model, trans } = ui;
  if (isImage(name)) {
    model.tell(new ProblemError(aloneProblem(trans, name)));
    return null;
  }
  if (!isVideo(name)) {
    return { format };
  }
  return askForm<Step>({
    title: trans.__('Images of “%1”', name),
    yes: trans.__('Make a dataset'),
    no: trans.__('Cancel'),
    first: FIRST_STEP,
    draw: (step, set) => <Frames trans={trans} step={step} set={set} />
  });
}

function aloneProblem(trans: Trans, name: string): Problem {
  return makeProblem(
    'image_alone',
    trans.__('A single image is no dataset: “%1”.', name),
    trans.__('Open a dataset and press “Add images…”; for a new one, take a folder or an archive of images.')
  );
}

/** What the operator has opened; null until it is known. */
export function useSources(ui: IUi): Sources | null {
  return useLoaded<Sources | null>(ui, () => ui.model.api.sources(), null);
}

interface IInPlace {
  trans: Trans;
  inPlace: boolean;
  set: (inPlace: boolean) => void;
}

export function InPlace({ trans, inPlace, set }: IInPlace): JSX.Element {
  return (
    <label className="retinue-InPlace">
      <input type="checkbox" checked={inPlace} onChange={event => set(event.target.checked)} />{' '}
      {trans.__('Leave the images of a folder there, and get them when they are needed')}
    </label>
  );
}

interface ISource {
  ui: IUi;
  source: string;
  write: (source: string) => void;
}

/** The address of data elsewhere, with what is open as help. */
export function SourceField({ ui, source, write }: ISource): JSX.Element {
  const { trans } = ui;
  const sources = useSources(ui);
  const id = React.useId();
  return (
    <label className="retinue-Source">
      {trans.__('Address')}
      <input
        className="jp-mod-styled"
        value={source}
        spellCheck={false}
        placeholder={trans.__('https://… or s3://…')}
        maxLength={2000}
        list={`${id}-places`}
        aria-describedby={`${id}-help`}
        onChange={event => write(event.target.value)}
      />
      <datalist id={`${id}-places`}>
        {sources?.places.map(place => (
          <option key={place} value={place} />
        ))}
      </datalist>
      <small id={`${id}-help`}>{sources && openText(sources, trans)}</small>
    </label>
  );
}

function openText({ hosts, places }: Sources, trans: Trans): string {
  if (!hosts.length && !places.length) {
    return trans.__(
      'Nothing is open yet. Whoever runs this hub opens hosts with RETINUE_FETCH_HOSTS, and buckets and folders with RETINUE_SOURCES.'
    );
  }
  const open = [
    hosts.length && trans.__('Hosts that are open: %1.', hosts.join(', ')),
    places.length && trans.__('Places that are open, with all below them: %1.', places.join(', '))
  ];
  return open.filter(Boolean).join(' ');
}

interface IImport extends Step {
  source: string;
  name: string;
  format: string;
  in_place: boolean;
}

/** Asks for an address and has a dataset made of what is there; asks again, with the reason, when it is refused. */
export async function importSource(ui: IUi): Promise<void> {
  const { trans } = ui;
  let form: IImport | null = { source: '', name: '', format: '', in_place: false, ...FIRST_STEP };
  for (let problem: Problem | null = null; ;) {
    form = await askForm<IImport>({
      title: trans.__('Import from a URL or a bucket'),
      yes: trans.__('Import'),
      no: trans.__('Cancel'),
      first: form,
      draw: (form, set) => <ImportForm ui={ui} form={form} set={set} problem={problem} />
    });
    if (!form) {
      return;
    }
    try {
      if (await takeIn(ui, { source: form.source }, readingOf(form), form.name.trim() || undefined)) {
        return;
      }
      problem = null;
    } catch (error) {
      problem = toProblem(error);
    }
  }
}

function readingOf({ source, format, in_place, every, seconds }: IImport): Reading {
  return isVideo(nameOf({ source }))
    ? { every, seconds }
    : { format: format || null, in_place: in_place && canStay(source) };
}

interface IImportForm {
  ui: IUi;
  form: IImport;
  set: (form: IImport) => void;
  problem: Problem | null;
}

function ImportForm({ ui, form, set, problem }: IImportForm): JSX.Element {
  const { trans } = ui;
  const formats = useFormats(ui);
  const name = nameOf(form);
  return (
    <>
      {problem && <ProblemView problem={problem} trans={trans} />}
      <SourceField ui={ui} source={form.source} write={source => set({ ...form, source })} />
      {canStay(form.source) && !isVideo(name) && (
        <InPlace trans={trans} inPlace={form.in_place} set={in_place => set({ ...form, in_place })} />
      )}
      <label>
        {trans.__('Name of the dataset')}
        <input
          className="jp-mod-styled"
          value={form.name}
          maxLength={120}
          placeholder={name && datasetName(name)}
          onChange={event => set({ ...form, name: event.target.value })}
        />
      </label>
      {isVideo(name) ? (
        <Frames trans={trans} step={form} set={step => set({ ...form, ...step })} />
      ) : (
        <FormatSelect
          formats={formats}
          none={trans.__('Recognise it')}
          label={trans.__('Format')}
          value={form.format}
          choose={format => set({ ...form, format })}
        />
      )}
    </>
  );
}
