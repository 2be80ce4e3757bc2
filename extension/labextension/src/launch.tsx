/** The launch form: dataset, model, parameters; what the server would refuse is shown before anything starts. */
import { ReactWidget } from '@jupyterlab/ui-components';
import { UUID } from '@lumino/coreutils';
import React from 'react';

import { toProblem } from './api';
import { ParameterForm } from './form';
import { changed, defaults, parameterOf } from './params';
import type { IParameterSchema, Values } from './params';
import { ModelPicker } from './picker';
import type { Catalogue, Dataset, Job, JobCreate, ModelInfo, Problem, Task } from './schema';
import type { IUi } from './ui';
import { ProblemView } from './ui';

export interface ILaunchArgs {
  datasetId?: string;
  framework?: string;
  model?: string;
}

const VALIDATE_AFTER_MS = 400;
const CATALOGUE_AGAIN_MS = 3000;

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

/** Models for a task. A trainer that is still filling in details is asked again, only for as long as it says so. */
function useCatalogue(
  ui: IUi,
  task: Task | undefined,
  onProblem: (problem: Problem) => void
): Catalogue | null {
  const [catalogue, setCatalogue] = React.useState<Catalogue | null>(null);
  React.useEffect(() => {
    let timer: number | undefined;
    let stopped = false;
    const load = async () => {
      try {
        const next = await ui.model.api.catalogue(task);
        if (!stopped) {
          setCatalogue(next);
          const again = next.trainers.some(trainer => !trainer.complete || !trainer.reachable);
          timer = again ? window.setTimeout(() => void load(), CATALOGUE_AGAIN_MS) : undefined;
        }
      } catch (error) {
        if (!stopped) {
          onProblem(toProblem(error));
        }
      }
    };
    if (task) {
      void load();
    }
    return () => {
      stopped = true;
      window.clearTimeout(timer);
    };
  }, [task]);
  return catalogue;
}

/** The ready datasets, whenever the panel's model learns of a new one. */
function useDatasets(ui: IUi): Dataset[] {
  const ready = () => ui.model.datasets.filter(dataset => dataset.versions.length > 0);
  const [datasets, setDatasets] = React.useState(ready);
  React.useEffect(() => {
    const update = () => setDatasets(ready());
    ui.model.changed.connect(update);
    update();
    return () => void ui.model.changed.disconnect(update);
  }, []);
  return datasets;
}

function Launch({
  ui,
  args,
  onStarted
}: {
  ui: IUi;
  args: ILaunchArgs;
  onStarted: (job: Job) => void;
}): JSX.Element {
  const { trans, model } = ui;
  const datasets = useDatasets(ui);
  const [datasetId, setDatasetId] = React.useState(args.datasetId ?? '');
  const dataset = datasets.find(d => d.id === datasetId) ?? datasets[0];
  const task = dataset?.versions[0].tasks[0];
  const [chosen, setChosen] = React.useState<ModelInfo | null>(null);
  const [schema, setSchema] = React.useState<IParameterSchema | null>(null);
  const [values, setValues] = React.useState<Values>({});
  const [valid, setValid] = React.useState(true);
  const [name, setName] = React.useState('');
  const [problems, setProblems] = React.useState<Problem[]>([]);
  const [failure, setFailure] = React.useState<Problem | null>(null);
  const [busy, setBusy] = React.useState(false);
  const key = React.useRef(UUID.uuid4());
  const catalogue = useCatalogue(ui, task, setFailure);

  React.useEffect(() => {
    const wanted = catalogue?.models.find(m => m.framework === args.framework && m.name === args.model);
    if (wanted && !chosen) {
      setChosen(wanted);
    }
  }, [catalogue]);

  React.useEffect(() => {
    setSchema(null);
    setProblems([]);
    if (!chosen || !task) {
      return;
    }
    let stopped = false;
    model.api.modelSchema(chosen.framework, chosen.name, task).then(
      answer => {
        if (!stopped) {
          setSchema(answer as unknown as IParameterSchema);
          setValues(defaults(answer as unknown as IParameterSchema));
          setValid(true);
          setFailure(null);
        }
      },
      error => !stopped && setFailure(toProblem(error))
    );
    return () => {
      stopped = true;
    };
  }, [chosen && `${chosen.framework}/${chosen.name}`, task]);

  const request = (): Partial<JobCreate> => ({
    name: name.trim() || null,
    framework: chosen?.framework,
    model: chosen?.name,
    task,
    dataset_id: dataset?.id,
    parameters: schema ? changed(schema, values) : {}
  });

  const body = JSON.stringify(request());
  React.useEffect(() => {
    key.current = UUID.uuid4(); // another request is another job
    if (!schema || !dataset) {
      return;
    }
    let stopped = false;
    const timer = window.setTimeout(async () => {
      try {
        const found = await model.api.validateJob(dataset.project_id, JSON.parse(body));
        if (!stopped) {
          setProblems(found);
          setFailure(null);
        }
      } catch (error) {
        if (!stopped) {
          setFailure(toProblem(error));
        }
      }
    }, VALIDATE_AFTER_MS);
    return () => {
      stopped = true;
      window.clearTimeout(timer);
    };
  }, [body, schema]);

  const start = async () => {
    setBusy(true);
    try {
      onStarted(await model.api.createJob(dataset.project_id, request(), key.current));
    } catch (error) {
      setFailure(toProblem(error));
      setBusy(false);
    }
  };

  if (!dataset) {
    return (
      <p className="retinue-Empty">
        {trans.__('There is no dataset to train on yet. Add one in the Retinue panel.')}
      </p>
    );
  }
  const elsewhere = schema ? problems.filter(problem => !parameterOf(problem, schema)) : [];
  return (
    <div className="retinue-Launch-body">
      <h1>{trans.__('New training')}</h1>
      <label className="retinue-Launch-line">
        {trans.__('Dataset')}
        <select
          className="jp-mod-styled"
          value={dataset.id}
          onChange={event => setDatasetId(event.target.value)}
        >
          {datasets.map(d => (
            <option key={d.id} value={d.id}>
              {`${d.name} (${d.versions[0].tasks.join(', ')})`}
            </option>
          ))}
        </select>
      </label>
      <ModelPicker catalogue={catalogue} chosen={chosen} trans={trans} onChoose={setChosen} />
      <label className="retinue-Launch-line">
        {trans.__('Name')}
        <input
          className="jp-mod-styled"
          value={name}
          maxLength={120}
          placeholder={
            chosen ? `${chosen.name}, ${dataset.name}` : trans.__('Chosen for you when left empty')
          }
          onChange={event => setName(event.target.value)}
        />
      </label>
      {schema && (
        <ParameterForm
          schema={schema}
          values={values}
          problems={problems}
          trans={trans}
          onChange={(next, isValid) => {
            setValues(next);
            setValid(isValid);
          }}
        />
      )}
      <div className="retinue-Launch-foot">
        {elsewhere.map(problem => (
          <ProblemView key={problem.code + problem.where} problem={problem} trans={trans} />
        ))}
        {failure && <ProblemView problem={failure} trans={trans} onDismiss={() => setFailure(null)} />}
        <button
          className="jp-mod-styled jp-mod-accept"
          disabled={!schema || busy || !valid || problems.length > 0}
          onClick={() => void start()}
        >
          {trans.__('Start training')}
        </button>
        {!chosen && <small>{trans.__('Choose a model first.')}</small>}
        {(!valid || problems.length > 0) && (
          <small role="status">{trans.__('Correct what is marked above.')}</small>
        )}
      </div>
    </div>
  );
}
