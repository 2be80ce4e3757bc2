/** Which steps a chart shows: all, growing with what comes, or the range that a person chose, which stays while points come. */
import type uPlot from 'uplot';

export type Range = [number, number];

/** How far a key moves the two ends, in widths of what is shown. */
const MOVES: Record<string, Range> = {
  '+': [0.2, -0.2],
  '-': [-0.34, 0.34],
  ArrowLeft: [-0.2, -0.2],
  ArrowRight: [0.2, 0.2]
};
const LEAST_DRAG = 4; // pixels; less is a click

export class Zoom {
  constructor(private readonly _changed: () => void) {}

  /** The range chosen; null when all steps are shown. */
  get range(): Range | null {
    return this._range;
  }

  /** The x scale of a plot: asked for its range whenever data or size change, so that neither can lose the zoom. */
  readonly scale: uPlot.Scale = { time: false, range: (_, min, max) => this._range ?? [min, max] };

  /** A drag chooses for all plots of the chart: only the cursor itself is shared between them. */
  cursor(key: string): uPlot.Cursor {
    return {
      drag: { x: true, y: false, setScale: false, dist: LEAST_DRAG },
      sync: { key, filters: { pub: type => type === 'mousemove' || type === 'mouseleave' } }
    };
  }

  show(range: Range | null): void {
    this._range = range;
    this._changed();
  }

  /** Takes what was dragged over in a plot. */
  take(plot: uPlot): void {
    const { left, width } = plot.select;
    if (width > 0) {
      plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
      this.show([plot.posToVal(left, 'x'), plot.posToVal(left + width, 'x')]);
    }
  }

  /** Does what a key stands for; `whole` are all steps there are. False when it stands for nothing. */
  press(key: string, whole: Range): boolean {
    if (key === '0') {
      this.show(null);
      return true;
    }
    const move = MOVES[key];
    if (!move) {
      return false;
    }
    const [min, max] = this._range ?? whole;
    const width = max - min;
    const [from, to] = [min + width * move[0], max + width * move[1]];
    this.show(from <= whole[0] && to >= whole[1] ? null : [from, to]);
    return true;
  }

  private _range: Range | null = null;
}
