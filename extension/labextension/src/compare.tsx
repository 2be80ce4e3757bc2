/** What changed from one version of a dataset to another. */
import React from 'react';

import { toProblem } from './problem';
import { useLoads } from './reload';
import type { ImageChange, Problem, VersionDiff } from './schema';
import type { IUi } from './ui';
import { ProblemView } from './ui';

const SHOWN = 50;

interface ICompare {
  ui: IUi;
  datasetId: string;
  from: number;
  to: number;
  close: () => void;
}

export function Compare({ ui, datasetId, from, to, close }: ICompare): JSX.Element {
  const { trans } = ui;
  const { diff, problem } = useDiff(ui, datasetId, from, to);
  const title = trans.__('What changed from version %1 to version %2', from, to);
  return (
    <section className="retinue-Compare" aria-label={title}>
      <h2>
        {title}{' '}
        <button className="retinue-Link" onClick={close}>
          {trans.__('Close')}
        </button>
      </h2>
      {problem && <ProblemView problem={problem} trans={trans} />}
      {!diff && !problem && <p role="status">{trans.__('Comparing…')}</p>}
      {diff && <Changes diff={diff} trans={trans} />}
    </section>
  );
}

interface IPart {
  diff: VersionDiff;
  trans: IUi['trans'];
}

function Changes({ diff, trans }: IPart): JSX.Element {
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
      <Images diff={diff} trans={trans} />
    </>
  );
}

function Counts({ diff: { images, annotations }, trans }: IPart): JSX.Element {
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

function Images({ diff, trans }: IPart): JSX.Element | null {
  const kinds: [string, ImageChange[]][] = [
    [trans.__('added'), diff.added],
    [trans.__('removed'), diff.removed],
    [trans.__('modified'), diff.modified],
    [trans.__('moved'), diff.moved]
  ];
  const lines = kinds.flatMap(([kind, changes]) => changes.map(change => ({ kind, change })));
  if (!lines.length) {
    return null;
  }
  const { added, removed, modified, moved } = diff.images;
  const all = added + removed + modified + moved;
  const first = trans.__('The first %1 of %2 changes', SHOWN, all.toLocaleString());
  return (
    <table className="retinue-Table">
      <caption>{all > SHOWN ? first : trans.__('Changed images')}</caption>
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
        {lines.slice(0, SHOWN).map(({ kind, change }) => (
          <tr key={`${kind} ${change.key}`}>
            <td>{[kind, ...details(change, trans)].join(', ')}</td>
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

interface IDiff {
  diff: VersionDiff | null;
  problem: Problem | null;
}

const NOTHING: IDiff = { diff: null, problem: null };

function useDiff({ model }: IUi, dataset: string, from: number, to: number): IDiff {
  const [state, setState] = React.useState<IDiff>(NOTHING);
  const loads = useLoads({ model });
  React.useEffect(() => {
    let shown = true;
    setState(NOTHING);
    model.api.diff(dataset, from, to, SHOWN).then(
      diff => shown && setState({ diff, problem: null }),
      error => shown && setState({ diff: null, problem: toProblem(error) })
    );
    return () => {
      shown = false;
    };
  }, [model, dataset, from, to, loads]);
  return state;
}
