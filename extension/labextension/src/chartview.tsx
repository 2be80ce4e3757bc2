/** The chart of a job inside a React tree: React owns the node, the chart what is in it. */
import React from 'react';

import { Chart } from './chart';
import type { JobModel } from './jobmodel';
import type { IUi } from './ui';

export function chartLabels(trans: IUi['trans']) {
  return {
    empty: trans.__('No points: the chart grows as a training reports them.'),
    step: trans.__('step'),
    reset: trans.__('Reset zoom'),
    chart: trans.__('Chart of %1', '%1'),
    help: trans.__(
      'Drag to zoom, double-click to reset; with the keyboard + and - zoom, arrows move, 0 resets.'
    )
  };
}

export function ChartView({ model, trans }: { model: JobModel; trans: IUi['trans'] }): JSX.Element {
  const node = React.useRef<HTMLDivElement>(null);
  React.useEffect(() => {
    const chart = new Chart(node.current as HTMLElement, { store: model.store, labels: chartLabels(trans) });
    const grow = (_: JobModel, keys: Set<string> | null) => chart.refresh(keys ?? undefined);
    model.pointsChanged.connect(grow);
    return () => {
      model.pointsChanged.disconnect(grow);
      chart.dispose();
    };
  }, [model]);
  return <div ref={node} data-retinue-chart={model.id} />;
}
