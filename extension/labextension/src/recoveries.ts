/** Uploads that outlive their page: kept in the browser until they are done, and found again by the next page. */
import type { Origin } from './parcel';
import type { IPurpose } from './upload';

export interface IRecord {
  key: string;
  /** The platform's id; null when it does not know of it yet. */
  id: string | null;
  origin: Origin;
  purpose: IPurpose;
  sent: number;
  size: number | null;
}

export class Recoveries {
  /** `place` keeps people apart who use servers of one hub in one browser. */
  constructor(
    private readonly _storage: Storage,
    place: string
  ) {
    this._prefix = `retinue:upload:${place}:`;
  }

  save(record: IRecord): void {
    this._storage.setItem(this._prefix + record.key, JSON.stringify(record));
  }

  remove(key: string): void {
    this._storage.removeItem(this._prefix + key);
  }

  /** Those that no page holds any more. */
  async abandoned(): Promise<IRecord[]> {
    // browsers have locks over https and on localhost; elsewhere another page's upload is offered here too
    const held = new Set((await navigator.locks?.query())?.held?.map(lock => lock.name));
    return Object.keys(this._storage)
      .filter(name => name.startsWith(this._prefix) && !held.has(name))
      .map(name => JSON.parse(this._storage.getItem(name) as string) as IRecord);
  }

  /** Marks one as this page's for as long as it lives, or until what is returned is called. */
  hold(key: string): () => void {
    const done = new AbortController();
    const released = new Promise<void>(resolve => done.signal.addEventListener('abort', () => resolve()));
    void navigator.locks?.request(this._prefix + key, () => released);
    return () => done.abort();
  }

  private readonly _prefix: string;
}
