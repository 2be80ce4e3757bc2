/** What the launch form asks the server: catalogue, datasets, a model's parameters, and whether a request would be taken. */
import React from 'react';

import { matches } from './form';
import { carried, defaults, remembered } from './params';
import type { IParameterSchema, Values } from './params';
import { toProblem } from './problem';
import { useLoads } from './reload';
import type { Catalogue, Dataset, JobCreate, ModelInfo, Problem, Task } from './schema';
import type { IUi } from './ui';

const VALIDATE_AFTER_MS = 400;
const CATALOGUE_AGAIN_MS = 3000;

type OnProblem = (problem: Problem | null) => void;

/** Models for a task. A trainer that is still filling in details is asked again, only for as long as it says so. */
export function useCatalogue(ui: IUi, task: Task | undefined, onProblem: OnProblem): Catalogue | null {
  const [catalogue, setCatalogue] = React.useState<Catalogue | null>(null);
  const loads = useLoads(ui);
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
  }, [task, loads]);
  return catalogue;
}

/** The ready datasets of the project that was shown at first, whenever the panel's model learns of a new one. */
export function useDatasets(ui: IUi): Dataset[] {
  const ready = () => ui.model.datasets.filter(dataset => dataset.versions.length > 0);
  const [datasets, setDatasets] = React.useState(ready);
  const project = React.useRef<string>();
  React.useEffect(() => {
    const update = () => {
      project.current ??= ui.model.project?.id;
      if (project.current === ui.model.project?.id) {
        setDatasets(ready());
      }
    };
    ui.model.changed.connect(update);
    update();
    return () => void ui.model.changed.disconnect(update);
  }, []);
  return datasets;
}

/** The dataset chosen; at first the one that was asked for, else the newest, which then stays when newer ones come. */
export function useDataset(datasets: Dataset[], asked: string | undefined) {
  const [id, choose] = React.useState(asked);
  const newest = datasets[0]?.id;
  React.useEffect(() => choose(before => before ?? newest), [newest]);
  // one that was chosen and then deleted is not replaced by another behind the person's back
  return [datasets.find(dataset => dataset.id === (id ?? newest)), choose] as const;
}

/** The model chosen; at first the one that was asked for, once the catalogue has it. */
export function useChosen(catalogue: Catalogue | null, asked: { framework?: string; model?: string }) {
  const [chosen, setChosen] = React.useState<ModelInfo | null>(null);
  const wanted = catalogue?.models.find(m => m.framework === asked.framework && m.name === asked.model);
  React.useEffect(() => setChosen(before => before ?? wanted ?? null), [wanted]);
  return [chosen, setChosen] as const;
}

export interface IParameters {
  schema: IParameterSchema | null;
  values: Values;
  valid: boolean;
  /** Names of what was edited for another model, and this one does not take. */
  left: string[];
  set(values: Values, valid: boolean): void;
}

type Loaded = Omit<IParameters, 'set' | 'schema'> & { key: string; schema: IParameterSchema };

function begin(key: string, schema: IParameterSchema, edits: Values): Loaded {
  const kept = carried(edits, schema, matches);
  const left = Object.keys(edits).filter(name => !(name in kept));
  return { key, schema, values: { ...defaults(schema), ...kept }, valid: true, left };
}

/** The chosen model's parameters, at their defaults until they are changed; what is changed is kept for the next model. */
export function useParameters(
  ui: IUi,
  chosen: ModelInfo | null,
  task: Task | undefined,
  onProblem: OnProblem
): IParameters {
  const [loaded, setLoaded] = React.useState<Loaded | null>(null);
  const edits = React.useRef<Values>({});
  const loads = useLoads(ui);
  const key = chosen && task ? `${chosen.framework}/${chosen.name} ${task}` : null;
  React.useEffect(() => {
    if (!key || !chosen || !task) {
      return;
    }
    let stopped = false;
    ui.model.api.modelSchema(chosen.framework, chosen.name, task).then(
      answer => {
        if (!stopped) {
          const schema = answer as unknown as IParameterSchema;
          setLoaded(before =>
            before?.key === key ? { ...before, schema } : begin(key, schema, edits.current)
          );
          onProblem(null);
        }
      },
      error => !stopped && onProblem(toProblem(error))
    );
    return () => {
      stopped = true;
    };
  }, [key, loads]);
  if (loaded?.key !== key || !loaded) {
    return { schema: null, values: {}, valid: true, left: [], set: () => undefined };
  }
  const set = (values: Values, valid: boolean) => {
    edits.current = remembered(edits.current, loaded.schema, loaded.values, values);
    const left = loaded.left.filter(name => values[name] === loaded.values[name]);
    setLoaded({ ...loaded, values, valid, left });
  };
  return { ...loaded, set };
}

/** What the server would refuse in this request, asked once typing has paused. */
export function useValidation(
  ui: IUi,
  projectId: string | undefined,
  request: Partial<JobCreate> | null | undefined,
  onProblem: OnProblem
): Problem[] {
  const [problems, setProblems] = React.useState<Problem[]>([]);
  const loads = useLoads(ui);
  const body = request && JSON.stringify(request);
  React.useEffect(() => {
    if (!body || !projectId) {
      setProblems([]);
      return;
    }
    let stopped = false;
    const timer = window.setTimeout(async () => {
      try {
        const found = await ui.model.api.validateJob(projectId, JSON.parse(body));
        if (!stopped) {
          setProblems(found);
          onProblem(null);
        }
      } catch (error) {
        if (!stopped) {
          onProblem(toProblem(error));
        }
      }
    }, VALIDATE_AFTER_MS);
    return () => {
      stopped = true;
      window.clearTimeout(timer);
    };
  }, [body, projectId, loads]);
  return problems;
}
