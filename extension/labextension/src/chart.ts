/** The one chart renderer, for Lab pages, saved notebooks and the kernel's widget: a grid of uPlot plots, one per quantity. */
import uPlot from 'uplot';

import { align, groupKeys, readable, SeriesStore } from './series';
import type { Aligned, IPoint, SeriesMap, Snapshot } from './series';
import { Zoom } from './zoom';
import type { Range } from './zoom';

export interface IChartOptions {
  /** `auto` follows JupyterLab's theme where there is one, otherwise the system's. */
  theme?: 'auto' | 'light' | 'dark';
  /** Where the points are kept, when someone else fills it and calls `refresh`. */
  store?: SeriesStore;
  labels?: Partial<IChartLabels>;
}

export interface IChartLabels {
  empty: string;
  step: string;
  reset: string;
  chart: string;
  help: string;
}

/** How tests and tools find the chart of a node. */
export interface IChartNode extends HTMLElement {
  chart?: Chart;
}

interface IPlot {
  plot: uPlot;
  keys: string[];
  node: HTMLElement;
}

const LABELS: IChartLabels = {
  empty: 'No points yet.',
  step: 'step',
  reset: 'Reset zoom',
  chart: 'Chart of %1',
  help: 'Drag to zoom, double-click to reset; with the keyboard + and - zoom, arrows move, 0 resets.'
};
const HEIGHT = 190;
const COLOURS = 8;
const DRAW_INTERVAL_MS = 150;

export class Chart {
  /** Which steps are shown. */
  readonly zoom = new Zoom(() => this._onZoom());

  constructor(node: HTMLElement, options: IChartOptions = {}) {
    this._node = node;
    this._store = options.store ?? new SeriesStore();
    this._labels = { ...LABELS, ...options.labels };
    node.classList.add('retinue-Chart');
    node.dataset.retinueTheme = options.theme ?? 'auto';
    node.tabIndex = 0;
    node.setAttribute('role', 'group');
    node.title = this._labels.help;
    node.addEventListener('keydown', this._onKey);
    (node as IChartNode).chart = this;
    this._resize = new ResizeObserver(() => {
      this._fit();
      this.refresh([]);
    });
    this._resize.observe(node);
    this._theme = new MutationObserver(() => this._rebuild(groupKeys(Object.keys(this.data))));
    this._theme.observe(document.body, {
      attributeFilter: ['data-jp-theme-name', 'data-jp-theme-light']
    });
    this.refresh();
  }

  get store(): SeriesStore {
    return this._store;
  }

  /** All points, per series: the chart's own arrays. */
  get data(): SeriesMap {
    return this._store.data;
  }

  /** What each plot shows of the steps, by its name. */
  get shown(): Record<string, Range> {
    const ranges = [...this._plots].map(([name, { plot }]) => {
      return [name, [plot.scales.x.min, plot.scales.x.max]];
    });
    return Object.fromEntries(ranges);
  }

  /** Shows the points of another store from now on, zoomed as before. */
  use(store: SeriesStore): void {
    this._store = store;
    this.refresh();
  }

  append(points: readonly IPoint[]): void {
    this.refresh(this._store.append(points));
  }

  load(snapshot: Snapshot): void {
    this._store.load(snapshot);
    this.refresh();
  }

  clear(): void {
    this._store.clear();
    this.refresh();
  }

  /** Draws soon what changed in the store; everything when it is not said what. */
  refresh(keys: Iterable<string> = Object.keys(this.data)): void {
    for (const key of keys) {
      this._stale.add(key);
    }
    if (!this._timer) {
      const wait = this._drawn + DRAW_INTERVAL_MS - performance.now();
      this._timer = window.setTimeout(() => this._draw(), Math.max(0, wait));
    }
  }

  dispose(): void {
    window.clearTimeout(this._timer);
    this._resize.disconnect();
    this._theme.disconnect();
    this._node.removeEventListener('keydown', this._onKey);
    this._plots.forEach(({ plot }) => plot.destroy());
    this._plots.clear();
    delete (this._node as IChartNode).chart;
  }

  private _draw(): void {
    this._timer = 0;
    if (!this._node.isConnected) {
      return; // colours and sizes are the page's: drawn once it is there
    }
    this._drawn = performance.now();
    const stale = this._stale;
    this._stale = new Set();
    const groups = groupKeys(Object.keys(this.data));
    if (!this._sameLayout(groups)) {
      this._rebuild(groups);
      return;
    }
    for (const { plot, keys } of this._plots.values()) {
      if (keys.some(key => stale.has(key))) {
        plot.setData(this._align(keys) as uPlot.AlignedData);
      }
    }
    this._describe();
  }

  private _sameLayout(groups: Map<string, string[]>): boolean {
    return (
      this._built &&
      groups.size === this._plots.size &&
      [...groups].every(([name, keys]) => {
        return this._plots.get(name)?.keys.join() === keys.join();
      })
    );
  }

  private _rebuild(groups: Map<string, string[]>): void {
    this._built = true;
    this._plots.forEach(({ plot }) => plot.destroy());
    this._plots.clear();
    this._node.replaceChildren();
    if (groups.size === 0) {
      const empty = document.createElement('p');
      empty.className = 'retinue-Chart-empty';
      empty.textContent = this._labels.empty;
      this._node.append(empty);
    }
    for (const [name, keys] of groups) {
      const node = document.createElement('figure');
      node.className = 'retinue-Chart-plot';
      this._node.append(node);
      this._plots.set(name, { node, keys, plot: this._plot(node, name, keys) });
    }
    this._reset = document.createElement('button');
    this._reset.type = 'button';
    this._reset.className = 'retinue-Chart-reset';
    this._reset.textContent = this._labels.reset;
    this._reset.onclick = () => this.zoom.show(null);
    this._reset.hidden = this.zoom.range === null;
    this._node.append(this._reset);
    this._describe();
    this._fit();
  }

  private _plot(node: HTMLElement, title: string, keys: string[]): uPlot {
    const axis = {
      stroke: () => this._css('--retinue-chart-text'),
      grid: { stroke: () => this._css('--retinue-chart-grid'), width: 1 },
      ticks: { stroke: () => this._css('--retinue-chart-grid'), width: 1 },
      font: '11px system-ui, sans-serif'
    };
    const options: uPlot.Options = {
      title,
      width: Math.max(160, node.clientWidth),
      height: HEIGHT,
      scales: { x: this.zoom.scale },
      axes: [
        { ...axis, space: 60, size: 30 },
        { ...axis, size: 58, values: (_, splits) => splits.map(value => readable(value)) }
      ],
      cursor: { ...this.zoom.cursor(this._sync), points: { size: 7 } },
      series: [
        { label: this._labels.step, value: (_, step) => String(step ?? '–') },
        ...keys.map((key, index) => this._series(key, index))
      ],
      hooks: { setSelect: [selected => this.zoom.take(selected)] }
    };
    const data = this._align(keys) as uPlot.AlignedData;
    const plot = new uPlot(options, data, node);
    plot.over.addEventListener('dblclick', () => this.zoom.show(null));
    return plot;
  }

  private _series(key: string, index: number): uPlot.Series {
    return {
      label: key,
      stroke: () => this._css(`--retinue-chart-${(index % COLOURS) + 1}`),
      dash: index % 2 ? [6, 3] : undefined,
      width: 1.75,
      // without a cursor over the plot the legend shows the newest value
      value: (_, value, __, index) => {
        const shown = index === null ? this.data[key]?.value.at(-1) : value;
        return shown === null || shown === undefined ? '–' : readable(shown);
      }
    };
  }

  private _align(keys: string[]): Aligned {
    return align(keys.map(key => this.data[key]));
  }

  private _css(name: string): string {
    return getComputedStyle(this._node).getPropertyValue(name).trim() || '#888';
  }

  private _fit(): void {
    for (const { plot, node } of this._plots.values()) {
      const width = Math.max(160, node.clientWidth);
      if (width !== plot.width) {
        plot.setSize({ width, height: HEIGHT });
      }
    }
  }

  private _onZoom(): void {
    this._plots.forEach(({ plot }) => plot.setData(plot.data));
    if (this._reset) {
      this._reset.hidden = this.zoom.range === null;
    }
  }

  /** All steps there are. */
  private _whole(): Range {
    const steps = [...this._plots.values()].map(({ plot }) => plot.data[0]);
    return [Math.min(...steps.map(x => x[0])), Math.max(...steps.map(x => x[x.length - 1]))];
  }

  /** Screen readers get the newest values in words. */
  private _describe(): void {
    const newest = Object.entries(this.data).map(
      ([key, { value }]) => `${key} ${readable(value[value.length - 1])}`
    );
    const text = this._labels.chart.replace('%1', newest.join(', '));
    this._node.setAttribute('aria-label', newest.length ? text : LABELS.empty);
  }

  private _onKey = (event: KeyboardEvent): void => {
    const ours = event.target === this._node || event.key === '0';
    if (ours && this._plots.size && this.zoom.press(event.key, this._whole())) {
      event.preventDefault();
      event.stopPropagation();
    }
  };

  private _store: SeriesStore;
  private _node: HTMLElement;
  private _labels: IChartLabels;
  private _plots = new Map<string, IPlot>();
  private _stale = new Set<string>();
  private _timer = 0;
  private _drawn = -Infinity;
  private _built = false;
  private _reset: HTMLButtonElement | null = null;
  private _resize: ResizeObserver;
  private _theme: MutationObserver;
  private readonly _sync = `retinue-${Math.random().toString(36).slice(2)}`;
}
