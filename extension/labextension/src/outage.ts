/** The platform, or the way to it, is away: failures tell of it, and everything is loaded again until that works. */
import { Poll } from '@lumino/polling';
import type { IPoll } from '@lumino/polling';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import type { Problem } from './schema';

const FREQUENCY: IPoll.Frequency = { interval: 1000, backoff: true, max: 15_000 };

/** Whether nobody could answer, rather than that somebody refused: a proxy, the hub or the network speaks, not the platform. */
export function isOutage({ code }: Problem): boolean {
  return /^(connection_lost|platform_unreachable|http_424|http_5\d\d)$/.test(code);
}

export class Outage {
  /** Why it is away; null when it is not, or when that is still being looked at. */
  problem: Problem | null = null;

  /** `load` loads everything, and answers false while the platform stays away. */
  constructor(load: () => Promise<boolean>, frequency = FREQUENCY) {
    this._poll = new Poll({
      auto: false,
      name: 'retinue:outage',
      standby: 'when-hidden',
      frequency,
      factory: async () => {
        if (!(await load())) {
          throw new Error('away'); // the poll waits longer then
        }
        this.end();
      }
    });
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Takes note of a failure; only one that is an outage begins it. */
  tell(problem: Problem): void {
    if (isOutage(problem)) {
      this.problem = problem;
      this._changed.emit();
      this.check();
    }
  }

  /** Loads everything until that works; for a sign that is no failure yet. */
  check(): void {
    if (!this._checking) {
      this._checking = true;
      void this._poll.start();
    }
  }

  /** Tries at once instead of waiting. */
  retry(): void {
    if (this._checking) {
      void this._poll.refresh();
    }
  }

  /** It answers again. */
  end(): void {
    if (this._checking) {
      this._checking = false;
      void this._poll.stop();
    }
    if (this.problem) {
      this.problem = null;
      this._changed.emit();
    }
  }

  private _checking = false;
  private _poll: Poll;
  private _changed = new Signal<this, void>(this);
}
