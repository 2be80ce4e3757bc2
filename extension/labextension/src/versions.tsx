/** The versions of a dataset: look at one, compare any two, or make its content the newest again. */
import React from 'react';

import { Compare, Heads } from './compare';
import type { IPair } from './compare';
import type { Dataset, DatasetVersion } from './schema';
import type { IUi } from './ui';
import { ask, ProblemView, size, useAction } from './ui';

interface IVersions {
  ui: IUi;
  dataset: Dataset;
  shown: number;
  choose: (version: number) => void;
}

export function Versions({ ui, dataset, shown, choose }: IVersions): JSX.Element {
  const { trans } = ui;
  const [compared, compare] = React.useState<IPair | null>(null);
  const { busy, problem, run } = useAction();
  const newest = dataset.versions[0];
  const restore = (version: DatasetVersion) =>
    run(async () => {
      const made = await restoreVersion(ui, dataset, version);
      if (made) {
        choose(made.number);
      }
    });
  return (
    <>
      <section aria-label={trans.__('Versions')}>
        <h2>{trans.__('Versions')}</h2>
        {problem && <ProblemView problem={problem} trans={trans} />}
        <table className="retinue-Table">
          <Heads names={heads(trans)} />
          <tbody>
            {dataset.versions.map(version => (
              <tr key={version.number} aria-selected={version.number === shown}>
                <Cells version={version} choose={choose} />
                <td>
                  {version !== newest && (
                    <Actions
                      ui={ui}
                      version={version}
                      canRestore={version.digest !== newest.digest}
                      busy={busy || dataset.status === 'importing'}
                      compare={() => compare({ from: version.number, to: newest.number })}
                      restore={restore}
                    />
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </section>
      {compared !== null && (
        <Compare ui={ui} dataset={dataset} pair={compared} choose={compare} close={() => compare(null)} />
      )}
    </>
  );
}

function heads(trans: IUi['trans']): string[] {
  return [
    trans.__('Version'),
    trans.__('Made from'),
    trans.__('Made'),
    trans.__('By'),
    trans.__('Note'),
    trans.__('Images'),
    trans.__('Annotations'),
    trans.__('Format'),
    trans.__('Size'),
    trans.__('Digest'),
    trans.__('Actions')
  ];
}

function Cells({
  version,
  choose
}: {
  version: DatasetVersion;
  choose: (version: number) => void;
}): JSX.Element {
  return (
    <>
      <td>
        <button className="retinue-Link" onClick={() => choose(version.number)}>
          {`v${version.number}`}
        </button>
      </td>
      <td>{version.parent !== null && `v${version.parent}`}</td>
      <td>{new Date(version.created_at).toLocaleString()}</td>
      <td>{version.created_by}</td>
      <td className="retinue-Table-note">{version.note}</td>
      <td>{version.images.toLocaleString()}</td>
      <td>{version.annotations.toLocaleString()}</td>
      <td>{version.format}</td>
      <td>{size(version.size_bytes)}</td>
      <td>
        <code title={version.digest}>{version.digest.slice(0, 12)}</code>
      </td>
    </>
  );
}

interface IActions {
  ui: IUi;
  version: DatasetVersion;
  canRestore: boolean;
  busy: boolean;
  compare: () => void;
  restore: (version: DatasetVersion) => void;
}

function Actions({ ui, version, canRestore, busy, compare, restore }: IActions): JSX.Element {
  const { model, trans } = ui;
  return (
    <span className="retinue-Table-actions">
      <button
        className="retinue-Link"
        aria-label={trans.__('Compare version %1 with the newest', version.number)}
        onClick={compare}
      >
        {trans.__('Compare')}
      </button>
      {model.canWrite && canRestore && (
        <button
          className="retinue-Link"
          disabled={busy}
          aria-label={trans.__('Restore version %1', version.number)}
          onClick={() => restore(version)}
        >
          {trans.__('Restore')}
        </button>
      )}
    </span>
  );
}

async function restoreVersion(
  { model, trans }: IUi,
  dataset: Dataset,
  { number }: DatasetVersion
): Promise<DatasetVersion | null> {
  const sure = await ask({
    title: trans.__('Restore version %1 of “%2”?', number, dataset.name),
    body: trans.__('A new version with the content of this one is made. Nothing is lost: all versions stay.'),
    yes: trans.__('Restore'),
    no: trans.__('Cancel')
  });
  return sure ? model.api.restoreVersion(dataset.id, number) : null;
}
