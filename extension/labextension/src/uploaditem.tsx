/** One upload in a list: how far it is, what stopped it, and the ways on. */
import React from 'react';

import { confirmUploadCancel } from './confirm';
import { AwaitedFile } from './parcel';
import { rename } from './taken';
import type { IUi } from './ui';
import { ProblemView, Progress, size } from './ui';
import type { UploadModel } from './upload';

interface IItem {
  ui: IUi;
  upload: UploadModel;
}

export function UploadItem({ ui, upload }: IItem): JSX.Element {
  const { model, trans } = ui;
  const { parcel, state, fraction, sent, problem } = upload;
  const interrupted = state === 'interrupted';
  return (
    <div className="retinue-Item retinue-Upload" data-state={state}>
      <div className="retinue-Item-head">
        <span className="retinue-Item-name">{parcel.name}</span>
        <button
          className="retinue-Link"
          aria-label={
            interrupted
              ? trans.__('Discard the upload of %1', parcel.name)
              : trans.__('Cancel the upload of %1', parcel.name)
          }
          onClick={() => void confirmUploadCancel(upload, trans, () => model.cancelUpload(upload))}
        >
          {interrupted ? trans.__('Discard') : trans.__('Cancel')}
        </button>
      </div>
      <Progress value={fraction} label={trans.__('Upload of %1', parcel.name)} />
      <small>
        {parcel.size === null
          ? trans.__('Looking what is in it…')
          : trans.__('%1 of %2', size(sent), size(parcel.size))}
      </small>
      {interrupted && <p className="retinue-Upload-why">{why(upload, trans)}</p>}
      {problem && <ProblemView problem={problem} trans={trans} />}
      {state === 'paused' && <GoOn ui={ui} upload={upload} />}
      {interrupted && <Continue ui={ui} upload={upload} />}
    </div>
  );
}

function why({ parcel, whole }: UploadModel, trans: IUi['trans']): string {
  const ended = trans.__('Interrupted: its page was closed or reloaded.');
  return parcel instanceof AwaitedFile && !whole
    ? `${ended} ${trans.__('Continue and choose the same file again, or drop it below; what has arrived is not sent twice.')}`
    : ended;
}

function GoOn({ ui, upload }: IItem): JSX.Element {
  const { model, trans } = ui;
  const taken = upload.problem?.code === 'dataset_exists';
  return (
    <button
      className="jp-mod-styled"
      onClick={() => void (taken ? rename(ui, upload) : model.uploads.resume(upload))}
    >
      {taken ? trans.__('Choose what to do…') : trans.__('Go on')}
    </button>
  );
}

/** A page may not open a file by itself: the person gives it again. */
function Continue({ ui, upload }: IItem): JSX.Element {
  const { model, trans } = ui;
  const input = React.useRef<HTMLInputElement>(null);
  const needsFile = upload.parcel instanceof AwaitedFile && !upload.whole;
  return (
    <>
      <input
        ref={input}
        type="file"
        hidden
        aria-label={trans.__('The file of the upload of %1', upload.parcel.name)}
        onChange={event => {
          const [file] = event.target.files ?? [];
          if (file) {
            void model.uploads.proceed(upload, file);
          }
          event.target.value = '';
        }}
      />
      <button
        className="jp-mod-styled"
        aria-label={trans.__('Continue the upload of %1', upload.parcel.name)}
        onClick={() => (needsFile ? input.current?.click() : void model.uploads.resume(upload))}
      >
        {trans.__('Continue')}
      </button>
    </>
  );
}
