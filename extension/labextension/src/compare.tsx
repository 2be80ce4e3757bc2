/** What changed from one version of a dataset to another. */
import React from 'react';

import { useLoads } from './reload';
import type { Dataset, ImageChange, VersionDiff } from './schema';
import type { IUi } from './ui';
import { ProblemView, useAction } from './ui';

const PAGE = 50; // images of each kind
const KINDS = ['added', 'removed', 'modified', 'moved'] as const;

type Kind = (typeof KINDS)[number];

/** The numbers of two versions. */
export interface IPair {
  from: number;
  to: number;
}

interface ICompare {
  ui: IUi;
  dataset: Dataset;
  pair: IPair;
  choose: (pair: IPair) => void;
  close: () => void;
}

export function Compare({ ui, dataset, pair, choose, close }: ICompare): JSX.Element {
  const { trans } = ui;
  const loads = useLoads(ui);
  const { from, to } = pair;
  const numbers = dataset.versions.map(version => version.number);
  const title = trans.__('What changed from version %1 to version %2', from, to);
  return (
    <section className="retinue-Compare" aria-label={title}>
      <h2>
        {title}{' '}
        <button className="retinue-Link" onClick={close}>
          {trans.__('Close')}
        </button>
      </h2>
      <p className="retinue-Compare-pair">
        <Choice
          label={trans.__('From')}
          numbers={numbers}
          value={from}
          choose={from => choose({ from, to })}
        />
        <Choice label={trans.__('To')} numbers={numbers} value={to} choose={to => choose({ from, to })} />
      </p>
      <Changes key={`${from} ${to} ${loads}`} ui={ui} datasetId={dataset.id} pair={pair} />
    </section>
  );
}

interface IChoice {
  label: string;
  numbers: number[];
  value: number;
  choose: (version: number) => void;
}

function Choice({ label, numbers, value, choose }: IChoice): JSX.Element {
  return (
    <label>
      {label}{' '}
      <select className="jp-mod-styled" value={value} onChange={event => choose(Number(event.target.value))}>
        {numbers.map(number => (
          <option key={number} value={number}>{`v${number}`}</option>
        ))}
      </select>
    </label>
  );
}

function Changes({ ui, datasetId, pair }: { ui: IUi; datasetId: string; pair: IPair }): JSX.Element {
  const { model, trans } = ui;
  const [pages, setPages] = React.useState<VersionDiff[]>([]);
  const { busy, problem, run } = useAction();
  const load = () =>
    run(async () => {
      const page = await model.api.diff(datasetId, pair.from, pair.to, PAGE, pages.length * PAGE);
      setPages([...pages, page]);
    });
  React.useEffect(load, []);
  const [diff] = pages;
  return (
    <>
      {diff && <Summary diff={diff} trans={trans} />}
      {diff && <Images pages={pages} trans={trans} />}
      {problem && <ProblemView problem={problem} trans={trans} />}
      {busy && <p role="status">{trans.__('Comparing…')}</p>}
      {!busy && diff && pages.flatMap(linesOf).length < countOf(diff) && (
        <button className="jp-mod-styled" onClick={load}>
          {trans.__('Show more')}
        </button>
      )}
    </>
  );
}

interface ISummary {
  diff: VersionDiff;
  trans: IUi['trans'];
}

function Summary({ diff, trans }: ISummary): JSX.Element {
  const { images, annotations, classes_added, classes_removed } = diff;
  const counts = [...Object.values(images), ...Object.values(annotations)];
  if (!classes_added.length && !classes_removed.length && counts.every(count => count === 0)) {
    return <p>{trans.__('These versions are the same.')}</p>;
  }
  return (
    <>
      <Counts diff={diff} trans={trans} />
      {classes_added.length > 0 && <p>{trans.__('Classes added: %1', classes_added.join(', '))}</p>}
      {classes_removed.length > 0 && <p>{trans.__('Classes removed: %1', classes_removed.join(', '))}</p>}
    </>
  );
}

function Counts({ diff: { images, annotations }, trans }: ISummary): JSX.Element {
  const row = (name: string, ...counts: (number | null)[]) => (
    <tr>
      <th scope="row">{name}</th>
      {counts.map((count, index) => (
        <td key={index}>{count?.toLocaleString() ?? '–'}</td>
      ))}
    </tr>
  );
  return (
    <table className="retinue-Table">
      <Heads names={['', trans.__('Added'), trans.__('Removed'), trans.__('Modified'), trans.__('Moved')]} />
      <tbody>
        {row(trans.__('Images'), images.added, images.removed, images.modified, images.moved)}
        {row(trans.__('Annotations'), annotations.added, annotations.removed, annotations.modified, null)}
      </tbody>
    </table>
  );
}

export function Heads({ names }: { names: string[] }): JSX.Element {
  return (
    <thead>
      <tr>
        {names.map(name =>
          name ? (
            <th key={name} scope="col">
              {name}
            </th>
          ) : (
            <td key="" />
          )
        )}
      </tr>
    </thead>
  );
}

/** The images on a page, by the kind of their change. */
function linesOf(page: VersionDiff): { kind: Kind; change: ImageChange }[] {
  return KINDS.flatMap(kind => page[kind].map(change => ({ kind, change })));
}

function countOf({ images }: VersionDiff): number {
  return KINDS.reduce((sum, kind) => sum + images[kind], 0);
}

function Images({ pages, trans }: { pages: VersionDiff[]; trans: IUi['trans'] }): JSX.Element | null {
  const words = {
    added: trans.__('added'),
    removed: trans.__('removed'),
    modified: trans.__('modified'),
    moved: trans.__('moved')
  };
  const lines = pages.flatMap(linesOf);
  const total = countOf(pages[0]);
  if (!total) {
    return null;
  }
  const shown = trans.__('%1 of %2 changes', lines.length.toLocaleString(), total.toLocaleString());
  return (
    <table className="retinue-Table">
      <caption>{lines.length < total ? shown : trans.__('Changed images')}</caption>
      <Heads
        names={[
          trans.__('Kind'),
          trans.__('Image'),
          trans.__('Was'),
          trans.__('Annotations added'),
          trans.__('Removed'),
          trans.__('Changed')
        ]}
      />
      <tbody>
        {lines.map(({ kind, change }) => (
          <tr key={`${kind} ${change.key}`}>
            <td>{[words[kind], ...details(change, trans)].join(', ')}</td>
            <td>{place(change.key, change.split)}</td>
            <td>{was(change)}</td>
            <td>{change.annotations_added}</td>
            <td>{change.annotations_removed}</td>
            <td>{change.annotations_changed}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function details(change: ImageChange, trans: IUi['trans']): string[] {
  return [
    ...(change.other_bytes ? [trans.__('other bytes')] : []),
    ...(change.other_attributes ? [trans.__('other attributes')] : [])
  ];
}

function place(key: string, split: string): string {
  return split ? `${key} (${split})` : key;
}

/** Where it was before; empty for what is new or stayed where it is. */
function was(change: ImageChange): string {
  const same = change.was_key === change.key && change.was_split === change.split;
  return same || !change.was_key ? '' : place(change.was_key, change.was_split);
}
