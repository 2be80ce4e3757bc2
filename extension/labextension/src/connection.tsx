/** Says when live updates are interrupted: since when, and why. They come back by themselves. */
import type { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import type { LiveSocket } from './socket';

export function lostWords(since: Date, trans: TranslationBundle): string {
  return trans.__('Connection lost; trying again since %1.', since.toLocaleTimeString());
}

export function Connection({ socket, trans }: { socket: LiveSocket; trans: TranslationBundle }): JSX.Element {
  const { lostSince, problem } = socket;
  return (
    <div className="retinue-Lost" role="status" aria-live="polite">
      {lostSince && (
        <>
          {lostWords(lostSince, trans)} {trans.__('What is shown may be out of date.')}{' '}
          {problem && `${problem.message} ${problem.hint} `}
          <button className="retinue-Link" onClick={() => socket.retry()}>
            {trans.__('Try now')}
          </button>
        </>
      )}
    </div>
  );
}
