/** What a view loads for itself, and loads again whenever the model has: after an outage, or when told to refresh. */
import React from 'react';

import type { IUi } from './ui';

/** How often the model has loaded everything; for the dependencies of an effect that loads. */
export function useLoads({ model }: Pick<IUi, 'model'>): number {
  const [loads, setLoads] = React.useState(model.loads);
  React.useEffect(() => {
    const update = () => setLoads(model.loads);
    update();
    model.changed.connect(update);
    return () => void model.changed.disconnect(update);
  }, [model]);
  return loads;
}

/** A list of the platform's; `first` until it is known. */
export function useLoaded<T>(ui: IUi, load: () => Promise<T>, first: T): T {
  const [loaded, setLoaded] = React.useState(first);
  const loads = useLoads(ui);
  React.useEffect(() => {
    let shown = true;
    load().then(
      found => shown && setLoaded(found),
      error => ui.model.tell(error)
    );
    return () => {
      shown = false;
    };
  }, [ui.model, loads]);
  return loaded;
}
