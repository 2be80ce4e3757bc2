/** What was deleted from the project: it can be taken back for a while. */
import { InputDialog } from '@jupyterlab/apputils';
import React from 'react';

import { confirmPurge } from './confirm';
import { freeName } from './naming';
import { ProblemError } from './problem';
import { useLoads } from './reload';
import type { TrashedDataset } from './schema';
import type { IUi } from './ui';
import { ProblemView, useAction } from './ui';

export function TrashList(ui: IUi): JSX.Element {
  const { model, trans } = ui;
  const [open, setOpen] = React.useState(false);
  const [trashed, setTrashed] = React.useState<TrashedDataset[] | null>(null);
  const { busy, problem, run } = useAction();
  const project = model.project?.id ?? '';
  const load = async () => setTrashed(await model.api.trash(project));
  const loads = useLoads(ui);
  const present = model.datasets.map(dataset => dataset.id).join();
  React.useEffect(() => {
    if (open) {
      run(load);
    }
  }, [open, present, loads]); // what is no longer in the list may be here now
  const then = (action: () => Promise<unknown>) => run(() => action().then(load));
  return (
    <details className="retinue-Trash" onToggle={event => setOpen(event.currentTarget.open)}>
      <summary>{trashed ? trans.__('Trash (%1)', trashed.length) : trans.__('Trash')}</summary>
      {problem && <ProblemView problem={problem} trans={trans} />}
      {trashed?.length === 0 && <p className="retinue-Empty">{trans.__('The trash is empty.')}</p>}
      <ul className="retinue-List">
        {trashed?.map(dataset => (
          <TrashedItem key={dataset.id} ui={ui} dataset={dataset} busy={busy} run={then} />
        ))}
      </ul>
    </details>
  );
}

interface ITrashed {
  ui: IUi;
  dataset: TrashedDataset;
  busy: boolean;
  run: (action: () => Promise<unknown>) => void;
}

function TrashedItem({ ui, dataset, busy, run }: ITrashed): JSX.Element {
  const { model, trans } = ui;
  const { name } = dataset;
  const until = new Date(dataset.expires_at).toLocaleDateString();
  return (
    <li className="retinue-Item">
      <div className="retinue-Item-head">
        <span className="retinue-Item-name">{name}</span>
        {model.canWrite && (
          <button
            className="retinue-Link"
            disabled={busy}
            aria-label={trans.__('Restore %1', name)}
            onClick={() => run(() => restore(ui, dataset))}
          >
            {trans.__('Restore')}
          </button>
        )}
        {model.isOwner && (
          <button
            className="retinue-Link"
            disabled={busy}
            aria-label={trans.__('Delete %1 for good', name)}
            onClick={() => run(() => purge(ui, dataset))}
          >
            {trans.__('Delete for good')}
          </button>
        )}
      </div>
      <small>{trans.__('Deleted by %1; kept until %2', dataset.trashed_by ?? '', until)}</small>
    </li>
  );
}

/** Another name is asked for when a dataset of its name has been made meanwhile. */
async function restore({ model, trans }: IUi, { id, name }: TrashedDataset): Promise<void> {
  try {
    await model.api.restoreDataset(id);
  } catch (error) {
    if (!(error instanceof ProblemError) || error.problem.code !== 'dataset_exists') {
      throw error;
    }
    const title = trans.__('There is another dataset “%1”', name);
    const label = trans.__('Restore it as');
    const text = freeName(name, [name, ...model.datasets.map(dataset => dataset.name)]);
    const { value } = await InputDialog.getText({ title, label, text, required: true });
    if (value?.trim()) {
      await model.api.restoreDataset(id, value.trim());
    }
  }
}

async function purge({ model, trans }: IUi, dataset: TrashedDataset): Promise<void> {
  if (await confirmPurge(dataset, trans)) {
    await model.api.deleteDataset(dataset.id, true);
  }
}
