/** The launch form: dataset, model, parameters; what the server would refuse is shown before anything starts. */
import { ReactWidget } from '@jupyterlab/ui-components';
import { UUID } from '@lumino/coreutils';
import React from 'react';

import { toProblem } from './problem';
import { ParameterForm } from './form';
import {
  useCatalogue,
  useChosen,
  useDataset,
  useDatasets,
  useParameters,
  useValidation
} from './launchhooks';
import { changed, parameterOf } from './params';
import type { IParameterSchema } from './params';
import { ModelPicker } from './picker';
import { useLoads } from './reload';
import type { Dataset, Job, JobCreate, Problem } from './schema';
import type { IUi } from './ui';
import { ProblemView } from './ui';

export interface ILaunchArgs {
  datasetId?: string;
  framework?: string;
  model?: string;
}

const SEED_MAX = 2 ** 31 - 1;

export class LaunchForm extends ReactWidget {
  constructor(
    private readonly _ui: IUi,
    readonly args: ILaunchArgs,
    private readonly _onStarted: (job: Job) => void
  ) {
    super();
    this.addClass('retinue-Launch');
  }

  protected render(): JSX.Element {
    return <Launch ui={this._ui} args={this.args} onStarted={this._onStarted} />;
  }
}

interface ILaunchProps {
  ui: IUi;
  args: ILaunchArgs;
  onStarted(job: Job): void;
}

function Launch({ ui, args, onStarted }: ILaunchProps): JSX.Element {
  const datasets = useDatasets(ui);
  const [dataset, setDatasetId] = useDataset(datasets, args.datasetId);
  const task = dataset?.versions[0].tasks[0];
  const [{ name, seed }, setNamed] = React.useState({ name: '', seed: 0 });
  const [failure, setFailure] = React.useState<Problem | null>(null);
  const catalogue = useCatalogue(ui, task, setFailure);
  const [chosen, setChosen] = useChosen(catalogue, args);
  const parameters = useParameters(ui, chosen, task, setFailure);
  const { schema } = parameters;
  const request = schema &&
    dataset && {
      name: name.trim() || null,
      framework: chosen?.framework,
      model: chosen?.name,
      task,
      dataset_id: dataset.id,
      parameters: changed(schema, parameters.values),
      seed
    };
  const problems = useValidation(ui, dataset?.project_id, request, setFailure);
  const loads = useLoads(ui);
  React.useEffect(() => setFailure(null), [loads]);

  if (datasets.length === 0) {
    const text = ui.model.loaded
      ? ui.trans.__('There is no dataset to train on yet. Add one in the Retinue panel.')
      : ui.trans.__('Waiting for the platform; the Retinue panel says what is the matter.');
    return <p className="retinue-Empty">{text}</p>;
  }
  const blocked = !parameters.valid || problems.length > 0;
  return (
    <div className="retinue-Launch-body">
      <h1>{ui.trans.__('New training')}</h1>
      <DatasetField datasets={datasets} dataset={dataset} trans={ui.trans} onChoose={setDatasetId} />
      <ModelPicker catalogue={catalogue} chosen={chosen} trans={ui.trans} onChoose={setChosen} />
      <NameAndSeed
        name={name}
        seed={seed}
        placeholder={chosen && dataset ? `${chosen.name}, ${dataset.name}` : ''}
        trans={ui.trans}
        onChange={setNamed}
      />
      {parameters.left.length > 0 && (
        <small role="status">
          {ui.trans.__(
            'Edited for another model, and not taken by this one: %1. They come back with a model that takes them.',
            parameters.left.join(', ')
          )}
        </small>
      )}
      {schema && (
        <ParameterForm
          schema={schema}
          values={parameters.values}
          problems={problems}
          trans={ui.trans}
          onChange={parameters.set}
        />
      )}
      <Foot ui={ui} projectId={dataset?.project_id} request={request} blocked={blocked} onStarted={onStarted}>
        {schema && <Elsewhere problems={problems} schema={schema} trans={ui.trans} />}
        {failure && <ProblemView problem={failure} trans={ui.trans} onDismiss={() => setFailure(null)} />}
      </Foot>
    </div>
  );
}

interface IElsewhereProps {
  problems: Problem[];
  schema: IParameterSchema;
  trans: IUi['trans'];
}

/** The problems that belong to no field. */
function Elsewhere({ problems, schema, trans }: IElsewhereProps): JSX.Element {
  const shown = problems.filter(problem => !parameterOf(problem, schema));
  return (
    <>
      {shown.map(problem => (
        <ProblemView key={problem.code + problem.where} problem={problem} trans={trans} />
      ))}
    </>
  );
}

interface IDatasetFieldProps {
  datasets: Dataset[];
  dataset: Dataset | undefined;
  trans: IUi['trans'];
  onChoose(id: string): void;
}

function DatasetField({ datasets, dataset, trans, onChoose }: IDatasetFieldProps): JSX.Element {
  return (
    <label className="retinue-Launch-line">
      {trans.__('Dataset')}
      <select
        className="jp-mod-styled"
        value={dataset?.id ?? ''}
        onChange={event => onChoose(event.target.value)}
      >
        {!dataset && <option value="">{trans.__('Choose one: the one chosen before is not here')}</option>}
        {datasets.map(d => (
          <option key={d.id} value={d.id}>
            {`${d.name} (${d.versions[0].tasks.join(', ')})`}
          </option>
        ))}
      </select>
    </label>
  );
}

interface INamed {
  name: string;
  seed: number;
}

interface INameAndSeedProps extends INamed {
  placeholder: string;
  trans: IUi['trans'];
  onChange(named: INamed): void;
}

function NameAndSeed({ name, seed, placeholder, trans, onChange }: INameAndSeedProps): JSX.Element {
  return (
    <div className="retinue-Launch-named">
      <label className="retinue-Launch-line">
        {trans.__('Name')}
        <input
          className="jp-mod-styled"
          value={name}
          maxLength={120}
          placeholder={placeholder || trans.__('Chosen for you when left empty')}
          onChange={event => onChange({ name: event.target.value, seed })}
        />
      </label>
      <label className="retinue-Launch-line" title={trans.__('Of all randomness in this training')}>
        {trans.__('Seed')}
        <input
          className="jp-mod-styled"
          type="number"
          min={0}
          max={SEED_MAX}
          step={1}
          value={seed}
          onChange={event => onChange({ name, seed: toSeed(event.target.value) })}
        />
      </label>
    </div>
  );
}

function toSeed(text: string): number {
  return Math.min(SEED_MAX, Math.max(0, Math.trunc(Number(text)) || 0));
}

interface IFootProps {
  ui: IUi;
  projectId: string | undefined;
  request: Partial<JobCreate> | null | undefined;
  blocked: boolean;
  children: React.ReactNode;
  onStarted(job: Job): void;
}

/** The way to start, and what stands in it. The same request sent twice is one job; another one is another. */
function Foot({ ui, projectId, request, blocked, children, onStarted }: IFootProps): JSX.Element {
  const { trans, model } = ui;
  const [busy, setBusy] = React.useState(false);
  const [refused, setRefused] = React.useState<Problem | null>(null);
  const body = JSON.stringify(request);
  const key = React.useMemo(() => UUID.uuid4(), [body]);
  React.useEffect(() => setRefused(null), [body]);
  const start = async () => {
    setBusy(true);
    try {
      onStarted(await model.api.createJob(projectId as string, request as Partial<JobCreate>, key));
    } catch (error) {
      setRefused(toProblem(error));
      setBusy(false);
    }
  };
  return (
    <div className="retinue-Launch-foot">
      {children}
      {refused && <ProblemView problem={refused} trans={trans} onDismiss={() => setRefused(null)} />}
      <button
        className="jp-mod-styled jp-mod-accept"
        disabled={!request || busy || blocked}
        onClick={() => void start()}
      >
        {trans.__('Start training')}
      </button>
      {!request && <small>{trans.__('Choose a dataset and a model first.')}</small>}
      {blocked && <small role="status">{trans.__('Correct what is marked above.')}</small>}
    </div>
  );
}
