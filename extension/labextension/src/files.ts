/** The Jupyter server's files, as paths of its contents API: what is selected in the file browser, or chosen in a dialog. */
import type { IDocumentManager } from '@jupyterlab/docmanager';
import type { IFileBrowserFactory } from '@jupyterlab/filebrowser';
import { FileDialog } from '@jupyterlab/filebrowser';
import type { Contents } from '@jupyterlab/services';
import type { ITranslator, TranslationBundle } from '@jupyterlab/translation';

import { ask } from './ui';
import { isData } from './what';

export class Files {
  constructor(
    private readonly _manager: IDocumentManager,
    private readonly _browsers: IFileBrowserFactory | null,
    private readonly _translator: ITranslator
  ) {}

  /** What is selected in the file browser, when all of it may be a dataset; none otherwise. */
  get selected(): string[] {
    const items = [...(this._browsers?.tracker.currentWidget?.selectedItems() ?? [])];
    return items.every(isUsable) ? items.map(item => this._path(item)) : [];
  }

  /** Asks for folders, archives, videos or images. */
  async choose(): Promise<string[]> {
    const trans = this._translator.load('retinue');
    const answer = await FileDialog.getOpenFiles({
      manager: this._manager,
      translator: this._translator,
      title: trans.__('Choose from my files'),
      label: trans.__(
        'A folder, an archive, a video or images. When none is selected, the folder shown is taken.'
      ),
      filter: item => (isUsable(item) ? {} : null)
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

function isUsable(item: Contents.IModel): boolean {
  return item.type === 'directory' || isData(item.name);
}
