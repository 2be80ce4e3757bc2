/** An import that is not over, or that failed: what is being done or was wrong, and what can be done about it. */
import React from 'react';

import { confirmDelete, confirmImportCancel } from './confirm';
import { FormatSelect, useFormats } from './export';
import { Frames } from './intake';
import type { Dataset, Problem } from './schema';
import type { IUi } from './ui';
import { ProblemView, Progress, useAction } from './ui';
import { FIRST_STEP } from './what';

const AS_BEFORE = '';
const RECOGNISE = '?';

interface IProps {
  ui: IUi;
  dataset: Dataset;
}

/** How far what is being made of a dataset is; nothing while nothing is. A first import can be called off. */
export function Importing({ ui, dataset }: IProps): JSX.Element | null {
  const { model, trans } = ui;
  if (dataset.status !== 'importing') {
    return null;
  }
  return (
    <div className="retinue-Importing">
      <Progress value={dataset.progress} label={trans.__('Import of %1', dataset.name)} />
      <small aria-live="polite">{stageWord(dataset.stage, trans)}</small>
      {!dataset.versions.length && model.canWrite && (
        <button
          className="retinue-Link"
          aria-label={trans.__('Cancel the import of %1', dataset.name)}
          onClick={() => void confirmImportCancel(dataset, trans, () => model.deleteDataset(dataset.id))}
        >
          {trans.__('Cancel')}
        </button>
      )}
    </div>
  );
}

function stageWord(stage: string, trans: IUi['trans']): string {
  const words: Record<string, string> = {
    waiting: trans.__('Waiting for its turn'),
    fetching: trans.__('Fetching'),
    copying: trans.__('Copying'),
    unpacking: trans.__('Unpacking'),
    frames: trans.__('Taking frames of the video'),
    reading: trans.__('Reading'),
    storing: trans.__('Storing')
  };
  return words[stage] ?? stage;
}

/** Why an import or an addition failed: it can be tried again in another format or with other frames, put away, or deleted. */
export function Failed(props: IProps): JSX.Element | null {
  return props.dataset.problem && <FailedForm {...props} />;
}

function FailedForm({ ui, dataset }: IProps): JSX.Element {
  const { model, trans } = ui;
  const formats = useFormats(ui);
  const [format, setFormat] = React.useState(AS_BEFORE);
  const [step, setStep] = React.useState(FIRST_STEP);
  const { busy, problem, run } = useAction();
  const failure = dataset.problem as unknown as Problem;
  const video = failure.code.startsWith('video_');
  const whole = dataset.status === 'failed';
  const dismiss = () => run(() => model.api.deleteProblem(dataset.id));
  const again = (event: React.FormEvent) => {
    event.preventDefault();
    const reading = format === AS_BEFORE ? {} : { format: format === RECOGNISE ? null : format };
    run(() => model.retry(dataset, video ? step : reading));
  };
  return (
    <div className="retinue-Failed">
      <ProblemView
        problem={failure}
        trans={trans}
        onDismiss={whole || !model.canWrite ? undefined : dismiss}
      />
      {problem && <ProblemView problem={problem} trans={trans} />}
      {model.canWrite && (
        <form onSubmit={again}>
          {video ? (
            <Frames trans={trans} step={step} set={setStep} />
          ) : (
            <FormatSelect
              formats={[{ name: RECOGNISE, title: trans.__('Recognise it') }, ...formats]}
              none={trans.__('As before')}
              label={trans.__('Read it as')}
              value={format}
              choose={setFormat}
            />
          )}
          <button
            className="jp-mod-styled"
            disabled={busy}
            aria-label={trans.__('Try the import of %1 again', dataset.name)}
          >
            {trans.__('Try again')}
          </button>
          {whole && (
            <button
              type="button"
              className="retinue-Link"
              aria-label={trans.__('Delete %1', dataset.name)}
              onClick={() => void confirmDelete(dataset, trans, () => model.deleteDataset(dataset.id))}
            >
              {trans.__('Delete')}
            </button>
          )}
        </form>
      )}
    </div>
  );
}
