/** The ways in for a new dataset: drop a file, choose one here or among the server's files, or import from elsewhere. */
import React from 'react';

import { FormatSelect, useFormats } from './export';
import { askReading } from './intake';
import { takeIn } from './taken';
import { CommandIDs } from './tokens';
import type { IUi } from './ui';
import { ACCEPT_NEW } from './what';

export function DropZone(ui: IUi): JSX.Element {
  const { commands, model, trans } = ui;
  const formats = useFormats(ui);
  const [format, setFormat] = React.useState('');
  const [over, setOver] = React.useState(false);
  const input = React.useRef<HTMLInputElement>(null);
  /** The format chosen, which holds for what is taken in now and for nothing after it. */
  const takeFormat = () => {
    setFormat('');
    return format || null;
  };
  const send = async (files: File[]) => {
    const format = takeFormat();
    for (const file of files) {
      const reading = await askReading(ui, file.name, format);
      if (reading) {
        await takeIn(ui, { file }, reading);
      }
    }
  };
  const drag = (event: React.DragEvent, inside: boolean) => {
    event.preventDefault();
    event.stopPropagation();
    setOver(inside);
  };
  return (
    <div
      className="retinue-Drop"
      data-over={over || undefined}
      onDragEnter={event => drag(event, true)}
      onDragOver={event => drag(event, true)}
      onDragLeave={event => drag(event, false)}
      onDrop={event => {
        drag(event, false);
        void send([...event.dataTransfer.files]);
      }}
    >
      <p>
        {model.datasets.length
          ? trans.__('Drop an archive or a video to add a dataset.')
          : trans.__(
              'Drop an archive of images here to make the first dataset: zip, tar, tar.gz or tar.zst. Or a video.'
            )}
      </p>
      <FormatSelect
        formats={formats}
        none={trans.__('Recognise it')}
        label={trans.__('Format')}
        value={format}
        choose={setFormat}
      />
      <input
        ref={input}
        type="file"
        accept={ACCEPT_NEW}
        hidden
        data-retinue="upload"
        onChange={event => {
          void send([...(event.target.files ?? [])]);
          event.target.value = '';
        }}
      />
      <div className="retinue-Drop-ways">
        <button className="jp-mod-styled" onClick={() => input.current?.click()}>
          {trans.__('Choose a file…')}
        </button>
        {ui.files && (
          <button
            className="jp-mod-styled"
            onClick={() => void commands.execute(CommandIDs.makeDataset, { format: takeFormat() })}
          >
            {trans.__('From my files…')}
          </button>
        )}
        <button className="jp-mod-styled" onClick={() => void commands.execute(CommandIDs.importDataset)}>
          {trans.__('From a URL or bucket…')}
        </button>
      </div>
      <small>{trans.__('Single images: open a dataset, then “Add images…”.')}</small>
    </div>
  );
}
