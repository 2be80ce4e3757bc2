/**
 * The kernel's chart widget (anywidget). The page says what it has ({type: "hello", after: seq}); the kernel answers with
 * {type: "points", after, points} and {type: "attempt"}. Bundled with its style into one file, so that nothing is fetched.
 */
import uPlotStyle from 'uplot/dist/uPlot.min.css';

import chartStyle from '../style/chart.css';
import { Chart } from './chart';
import { SeriesStore } from './series';
import type { IPoint } from './series';

type Callback = (message: any) => void;

interface IModel {
  get(name: string): unknown;
  on(name: string, callback: Callback): void;
  off(name: string, callback: Callback): void;
  send(message: object): void;
}

interface IMessage {
  type: 'points' | 'attempt';
  after?: number;
  points?: IPoint[];
}

const SHOWN = ['title', 'status', 'error'];

function element(name: string, className: string): HTMLElement {
  const node = document.createElement(name);
  node.className = className;
  return node;
}

/** What the page knows of one job. A view may be made anew at any time; what it drew is still here. */
function widget() {
  const store = new SeriesStore();
  const charts = new Set<Chart>();
  let asked = false;
  let following = false;

  function ask(model: IModel): void {
    if (!asked) {
      asked = true;
      model.send({ type: 'hello', after: store.seq });
    }
  }

  function follow(model: IModel): void {
    following = true;
    model.on('msg:custom', (message: IMessage) => {
      if (message.type === 'attempt') {
        store.clear();
      } else if ((message.after ?? 0) > store.seq) {
        ask(model); // taking these now would shut out what is missing before them
        return;
      } else {
        asked = false;
        store.append(message.points ?? []);
      }
      charts.forEach(chart => chart.refresh());
    });
    ask(model);
  }

  function render({ model, el }: { model: IModel; el: HTMLElement }): () => void {
    const style = document.createElement('style');
    style.textContent = uPlotStyle + chartStyle;
    const head = element('div', 'retinue-Chart-head');
    head.setAttribute('role', 'status');
    const node = element('div', '');
    el.append(style, head, node);
    const chart = new Chart(node, { store });
    charts.add(chart);
    const describe = () => {
      head.textContent = SHOWN.map(name => model.get(name)).filter(Boolean).join(' · '); // prettier-ignore
    };
    if (!following) {
      follow(model); // only now: where our extension draws the job, no view is made and nothing need be sent
    }
    describe();
    SHOWN.forEach(name => model.on(`change:${name}`, describe));
    return () => {
      SHOWN.forEach(name => model.off(`change:${name}`, describe));
      charts.delete(chart);
      chart.dispose();
    };
  }

  return { render };
}

export default widget; // anywidget calls it once per model
