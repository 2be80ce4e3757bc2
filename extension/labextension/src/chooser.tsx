/** The choice of one thing to add: from this computer, from the Jupyter server's files, or from elsewhere. */
import React from 'react';

import { SourceField } from './intake';
import type { IUi } from './ui';
import type { What } from './what';
import { ACCEPT_MORE } from './what';

type From = 'computer' | 'files' | 'elsewhere';

interface IChooser {
  ui: IUi;
  what: What | null;
  choose: (what: What | null) => void;
}

export function Chooser({ ui, what, choose }: IChooser): JSX.Element {
  const { trans } = ui;
  const [from, setFrom] = React.useState<From>('computer');
  return (
    <>
      <label>
        {trans.__('From')}{' '}
        <select
          className="jp-mod-styled"
          value={from}
          onChange={event => {
            choose(null);
            setFrom(event.target.value as From);
          }}
        >
          <option value="computer">{trans.__('This computer')}</option>
          {ui.files && <option value="files">{trans.__('My files in JupyterLab')}</option>}
          <option value="elsewhere">{trans.__('A URL or a bucket')}</option>
        </select>
      </label>
      {from === 'computer' && (
        <label>
          {trans.__('Archive, image or video')}{' '}
          <input
            type="file"
            accept={ACCEPT_MORE}
            onChange={event => choose(event.target.files?.[0] ? { file: event.target.files[0] } : null)}
          />
        </label>
      )}
      {from === 'files' && <FromFiles ui={ui} what={what} choose={choose} />}
      {from === 'elsewhere' && (
        <SourceField
          ui={ui}
          source={what && 'source' in what ? what.source : ''}
          write={source => choose(source.trim() ? { source } : null)}
        />
      )}
    </>
  );
}

function FromFiles({ ui, what, choose }: IChooser): JSX.Element {
  const { files, trans } = ui;
  const pick = async () => {
    const [path] = (await files?.choose(true)) ?? [];
    if (path !== undefined) {
      choose({ path });
    }
  };
  return (
    <p className="retinue-Add-path">
      <button type="button" className="jp-mod-styled" onClick={() => void pick()}>
        {trans.__('From my files…')}
      </button>{' '}
      {what && 'path' in what && <code>{what.path || '/'}</code>}
    </p>
  );
}
