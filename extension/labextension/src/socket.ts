/** One live connection per page: subscriptions with cursors, which survive every break of it. */
import type { IDisposable } from '@lumino/disposable';
import { DisposableDelegate } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import type { IPoint } from './series';
import type { Dataset, Job, Problem } from './schema';

/** What the platform sends. */
export type Frame =
  | { topic: string; type: 'job'; job: Job }
  | { topic: string; type: 'dataset'; dataset: Dataset }
  | { topic: string; type: 'deleted'; id: string }
  | { topic: string; type: 'points'; attempt: number; after: number; seq: number; points: IPoint[] }
  | { topic: string; type: 'attempt'; attempt: number }
  | { topic: string; type: 'log'; after: number; next: number; text: string }
  | { topic: string; type: 'live' | 'resync' }
  | { topic: string | null; type: 'error'; problem: Problem };

export interface ISubscription {
  topic: string;
  /** Where to go on from, asked at every (re)connection. */
  after?(): unknown;
  receive(frame: Frame): void;
}

export type Connection = 'idle' | 'connecting' | 'open' | 'waiting';

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;

export class LiveSocket implements IDisposable {
  constructor(private readonly _connect: () => WebSocket) {}

  get state(): Connection {
    return this._state;
  }

  /** Why there is no connection, when the server said so. */
  get problem(): Problem | null {
    return this._problem;
  }

  /** Since when nothing has come any more; null while all is well. */
  get lostSince(): Date | null {
    return this._lostSince;
  }

  get stateChanged(): ISignal<this, Connection> {
    return this._stateChanged;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  subscribe(subscription: ISubscription): IDisposable {
    const { topic } = subscription;
    this._subscriptions.set(topic, subscription);
    if (this._state === 'open') {
      this._ask(subscription);
    } else if (this._state === 'idle') {
      this._open();
    }
    return new DisposableDelegate(() => {
      if (this._subscriptions.get(topic) === subscription) {
        this._subscriptions.delete(topic);
        this._send({ op: 'unsubscribe', topic });
      }
    });
  }

  /** Asks again from the cursor: after a gap, or when told that we were too slow. */
  resubscribe(topic: string): void {
    const subscription = this._subscriptions.get(topic);
    if (subscription) {
      this._ask(subscription);
    }
  }

  /** Tries at once instead of waiting. */
  retry(): void {
    if (this._state === 'waiting') {
      this._open();
    }
  }

  dispose(): void {
    this._disposed = true;
    clearTimeout(this._timer);
    this._subscriptions.clear();
    this._socket?.close();
    Signal.clearData(this);
  }

  private _open(): void {
    clearTimeout(this._timer);
    this._setState('connecting');
    const socket = (this._socket = this._connect());
    socket.onopen = () => {
      this._setState('open');
      this._subscriptions.forEach(subscription => this._ask(subscription));
    };
    socket.onmessage = event => {
      if (socket === this._socket) {
        this._dispatch(JSON.parse(event.data as string) as Frame);
      }
    };
    socket.onclose = () => {
      if (socket === this._socket && !this._disposed) {
        this._wait();
      }
    };
  }

  private _wait(): void {
    this._lostSince ??= new Date();
    this._setState('waiting');
    this._timer = setTimeout(() => this._open(), this._delay * (0.75 + Math.random() / 2));
    this._delay = Math.min(this._delay * 2, LONGEST_WAIT_MS);
  }

  private _dispatch(frame: Frame): void {
    if (frame.topic === null) {
      this._problem = frame.type === 'error' ? frame.problem : null;
      this._stateChanged.emit(this._state);
      return;
    }
    // only a real answer counts as a connection: a bridge without a platform behind it opens and closes again
    this._delay = FIRST_WAIT_MS;
    this._problem = null;
    if (this._lostSince) {
      this._lostSince = null;
      this._stateChanged.emit(this._state);
    }
    if (frame.type === 'resync') {
      this.resubscribe(frame.topic);
    } else {
      this._subscriptions.get(frame.topic)?.receive(frame);
    }
  }

  private _ask({ topic, after }: ISubscription): void {
    const cursor = after?.();
    this._send({ op: 'subscribe', topic, ...(cursor === undefined ? {} : { after: cursor }) });
  }

  private _send(message: object): void {
    if (this._socket?.readyState === 1) {
      this._socket.send(JSON.stringify(message));
    }
  }

  private _setState(state: Connection): void {
    this._state = state;
    this._stateChanged.emit(state);
  }

  private _socket: WebSocket | null = null;
  private _subscriptions = new Map<string, ISubscription>();
  private _state: Connection = 'idle';
  private _problem: Problem | null = null;
  private _lostSince: Date | null = null;
  private _delay = FIRST_WAIT_MS;
  private _timer: ReturnType<typeof setTimeout> | undefined;
  private _disposed = false;
  private _stateChanged = new Signal<this, Connection>(this);
}
