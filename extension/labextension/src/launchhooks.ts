/** What the launch form asks the server: catalogue, datasets, a model's parameters, and whether a request would be taken. */
import React from 'react';

import { toProblem } from './problem';
import { defaults } from './params';
import type { IParameterSchema, Values } from './params';
import type { Catalogue, Dataset, JobCreate, ModelInfo, Problem, Task } from './schema';
import type { IUi } from './ui';

const VALIDATE_AFTER_MS = 400;
const CATALOGUE_AGAIN_MS = 3000;

type OnProblem = (problem: Problem | null) => void;

/** Models for a task. A trainer that is still filling in details is asked again, only for as long as it says so. */
export function useCatalogue(ui: IUi, task: Task | undefined, onProblem: OnProblem): Catalogue | null {
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
export function useDatasets(ui: IUi): Dataset[] {
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
  set(values: Values, valid: boolean): void;
}

/** The chosen model's parameters, at their defaults until they are changed. */
export function useParameters(
  ui: IUi,
  chosen: ModelInfo | null,
  task: Task | undefined,
  onProblem: OnProblem
): IParameters {
  const [schema, setSchema] = React.useState<IParameterSchema | null>(null);
  const [{ values, valid }, setState] = React.useState({ values: {} as Values, valid: true });
  React.useEffect(() => {
    setSchema(null);
    if (!chosen || !task) {
      return;
    }
    let stopped = false;
    ui.model.api.modelSchema(chosen.framework, chosen.name, task).then(
      answer => {
        if (!stopped) {
          const next = answer as unknown as IParameterSchema;
          setSchema(next);
          setState({ values: defaults(next), valid: true });
          onProblem(null);
        }
      },
      error => !stopped && onProblem(toProblem(error))
    );
    return () => {
      stopped = true;
    };
  }, [chosen && `${chosen.framework}/${chosen.name}`, task]);
  return { schema, values, valid, set: (next, isValid) => setState({ values: next, valid: isValid }) };
}

/** What the server would refuse in this request, asked once typing has paused. */
export function useValidation(
  ui: IUi,
  projectId: string | undefined,
  request: Partial<JobCreate> | null | undefined,
  onProblem: OnProblem
): Problem[] {
  const [problems, setProblems] = React.useState<Problem[]>([]);
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
  }, [body, projectId]);
  return problems;
}
