/**
 * The kernel's chart widget (anywidget). The page says what it has ({type: "hello", after: seq}); the kernel answers with
 * {type: "points", points} and {type: "attempt"}. Bundled with its style into one file, so that nothing is fetched.
 */
import uPlotStyle from 'uplot/dist/uPlot.min.css';

import chartStyle from '../style/chart.css';
import { Chart } from './chart';
import type { IPoint, Snapshot } from './series';

type Callback = (message: any) => void;

interface IModel {
  get(name: string): unknown;
  on(name: string, callback: Callback): void;
  off(name: string, callback: Callback): void;
  send(message: object): void;
}

interface IMessage {
  type: 'points' | 'attempt';
  points?: IPoint[];
}

const SHOWN = ['title', 'status', 'error'];

function element(name: string, className: string): HTMLElement {
  const node = document.createElement(name);
  node.className = className;
  return node;
}

function render({ model, el }: { model: IModel; el: HTMLElement }): () => void {
  const style = document.createElement('style');
  style.textContent = uPlotStyle + chartStyle;
  const head = element('div', 'retinue-Chart-head');
  head.setAttribute('role', 'status');
  const node = element('div', '');
  el.append(style, head, node);
  const chart = new Chart(node);
  const describe = () => {
    head.textContent = SHOWN.map(name => model.get(name)).filter(Boolean).join(' · '); // prettier-ignore
  };
  const receive = (message: IMessage) => {
    if (message.type === 'points') {
      chart.append(message.points ?? []);
    } else if (message.type === 'attempt') {
      chart.clear();
    }
  };
  const snapshot = model.get('snapshot') as Snapshot | undefined;
  if (snapshot) {
    chart.load(snapshot);
  }
  describe();
  SHOWN.forEach(name => model.on(`change:${name}`, describe));
  model.on('msg:custom', receive);
  model.send({ type: 'hello', after: chart.store.seq });
  return () => {
    SHOWN.forEach(name => model.off(`change:${name}`, describe));
    model.off('msg:custom', receive);
    chart.dispose();
  };
}

export default { render };
