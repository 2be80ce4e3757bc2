/** Metric points in memory: appended in order of their sequence number, each exactly once. No DOM, no JupyterLab. */

export interface IPoint {
  seq: number;
  step: number;
  values: Record<string, number | string | null>;
}

export interface ISeriesData {
  step: number[];
  value: number[];
  seq: number[];
}

export type SeriesMap = Record<string, ISeriesData>;

/** As saved in notebooks and sent by the kernel; `seq` may be missing there. */
export type Snapshot = Record<string, { step: number[]; value: (number | string | null)[]; seq?: number[] }>;

/** JSON has no NaN or infinity: they travel as words. */
export function toNumber(value: number | string | null): number {
  return value === null ? NaN : Number(value);
}

export class SeriesStore {
  data: SeriesMap = {};

  /** Sequence number of the newest point: the cursor to go on from. */
  get seq(): number {
    return this._seq;
  }

  get size(): number {
    return Object.values(this.data).reduce((n, s) => n + s.step.length, 0);
  }

  /** Adds the points not yet here and tells which series grew. */
  append(points: readonly IPoint[]): Set<string> {
    const grown = new Set<string>();
    for (const point of points) {
      if (point.seq <= this._seq) {
        continue;
      }
      this._seq = point.seq;
      for (const [key, value] of Object.entries(point.values)) {
        const series = (this.data[key] ??= { step: [], value: [], seq: [] });
        series.step.push(point.step);
        series.value.push(toNumber(value));
        series.seq.push(point.seq);
        grown.add(key);
      }
    }
    return grown;
  }

  /** The server has sent everything up to here, points or not. */
  advance(seq: number): void {
    this._seq = Math.max(this._seq, seq);
  }

  /** Replaces everything. */
  load(snapshot: Snapshot): void {
    this.clear();
    for (const [key, { step, value, seq }] of Object.entries(snapshot)) {
      this.data[key] = {
        step: [...step],
        value: value.map(toNumber),
        seq: seq ? [...seq] : step.map((_, index) => index + 1)
      };
      this._seq = Math.max(this._seq, this.data[key].seq.at(-1) ?? 0);
    }
  }

  clear(): void {
    this.data = {};
    this._seq = 0;
  }

  private _seq = 0;
}

/** Four significant digits, without needless zeros. */
export function readable(value: number): string {
  return Number.isFinite(value) ? String(Number(value.toPrecision(4))) : String(value);
}

/** `train/loss` and `val/loss` belong into one plot, called `loss`. */
export function plotOf(key: string): string {
  return key.slice(key.lastIndexOf('/') + 1);
}

/** Keys by plot: losses first, learning rates last, otherwise by name. */
export function groupKeys(keys: readonly string[]): Map<string, string[]> {
  const rank = (name: string) => (name.includes('loss') ? 0 : /^(lr|pg\d)/.test(name) ? 2 : 1);
  const names = [...new Set(keys.map(plotOf))].sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
  return new Map(names.map(name => [name, keys.filter(key => plotOf(key) === name).sort()]));
}

interface IColumn {
  x: number[];
  y: number[];
}

/** Steps ascending and unique; of several values at one step the newest stays. */
function ascending({ step, value }: ISeriesData): IColumn {
  let sorted = true;
  for (let i = 1; i < step.length && sorted; i++) {
    sorted = step[i - 1] < step[i];
  }
  if (sorted) {
    return { x: step, y: value };
  }
  const newest = new Map<number, number>();
  step.forEach((x, i) => newest.set(x, value[i]));
  const x = [...newest.keys()].sort((a, b) => a - b);
  return { x, y: x.map(key => newest.get(key) as number) };
}

type Row = (number | null | undefined)[];
export type Aligned = [number[], ...Row[]];

/**
 * Joins series over the union of their steps. `undefined` means no point at this step (the line goes on), `null` a point that
 * cannot be drawn (NaN or infinite: the line breaks).
 */
export function align(series: readonly ISeriesData[]): Aligned {
  const columns = series.map(ascending);
  const at = columns.map(() => 0);
  const steps: number[] = [];
  const rows: Row[] = columns.map(() => []);
  for (;;) {
    let x = Infinity;
    columns.forEach((column, i) => {
      x = Math.min(x, column.x[at[i]] ?? Infinity);
    });
    if (x === Infinity) {
      return [steps, ...rows];
    }
    steps.push(x);
    columns.forEach((column, i) => {
      const y = column.x[at[i]] === x ? column.y[at[i]++] : undefined;
      rows[i].push(y === undefined || Number.isFinite(y) ? y : null);
    });
  }
}
