/** The Jupyter server's files, as paths of its contents API: what is selected in the file browser, or chosen in a dialog. */
import type { IDocumentManager } from '@jupyterlab/docmanager';
import type { IFileBrowserFactory } from '@jupyterlab/filebrowser';
import { FileDialog } from '@jupyterlab/filebrowser';
import type { Contents } from '@jupyterlab/services';
import type { ITranslator, TranslationBundle } from '@jupyterlab/translation';

import { ask } from './ui';
import { isData, isImage } from './what';

export class Files {
  constructor(
    private readonly _manager: IDocumentManager,
    private readonly _browsers: IFileBrowserFactory | null,
    private readonly _translator: ITranslator
  ) {}

  /** What is selected in the file browser, when a dataset can be made of each; none otherwise. */
  get selected(): string[] {
    const items = [...(this._browsers?.tracker.currentWidget?.selectedItems() ?? [])];
    return items.every(item => isUsable(item)) ? items.map(item => this._path(item)) : [];
  }

  /** Asks for folders, archives or videos; for single images too where they are added to a dataset. */
  async choose(images = false): Promise<string[]> {
    const trans = this._translator.load('retinue');
    const answer = await FileDialog.getOpenFiles({
      manager: this._manager,
      translator: this._translator,
      title: trans.__('Choose from my files'),
      label: images
        ? trans.__(
            'A folder, an archive, a video or an image. When none is selected, the folder shown is taken.'
          )
        : trans.__('A folder, an archive or a video. When none is selected, the folder shown is taken.'),
      filter: item => (isUsable(item, images) ? {} : null)
    });
    const paths = (answer.button.accept && answer.value?.map(item => this._path(item))) || [];
    return paths.includes('') && !(await askForAll(trans)) ? [] : paths;
  }

  private _path(item: Contents.IModel): string {
    return this._manager.services.contents.localPath(item.path);
  }
}

function askForAll(trans: TranslationBundle): Promise<boolean> {
  return ask({
    title: trans.__('Take all of your files?'),
    body: trans.__('No folder was chosen. Every image, label and table of your home would be sent.'),
    yes: trans.__('Take all'),
    no: trans.__('Cancel')
  });
}

function isUsable({ type, name }: Contents.IModel, images = false): boolean {
  return type === 'directory' || isData(name) || (images && isImage(name));
}
