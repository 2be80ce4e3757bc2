/** What a dataset can be made of, and how it is to be read. */
import type { DatasetCreate } from './schema';

/** A file of this computer, a path among the Jupyter server's files, or an address that the platform reads itself. */
export type What = { file: File } | { path: string } | { source: string };

export type Reading = Partial<Pick<DatasetCreate, 'format' | 'every' | 'seconds' | 'in_place'>>;

/** Which frames are taken of a video: one every so many frames, or one each so many seconds. */
export type Step = Pick<DatasetCreate, 'every' | 'seconds'>;

export const FIRST_STEP: Step = { every: null, seconds: 1 };

/** For a file input: of what a dataset can be made, and with the single images that can be added to one. */
export const ACCEPT_NEW = '.zip,.tar,.tgz,.gz,.zst,video/*';
export const ACCEPT_MORE = `${ACCEPT_NEW},image/*`;

const ARCHIVE = /\.(zip|tar|tgz|tar\.gz|tar\.zst)$/i;
const IMAGE = /\.(bmp|gif|jpe?g|mpo|png|pgm|ppm|tiff?|webp)$/i;
const VIDEO = /\.(mp4|m4v|mov|avi|mkv|webm|mpe?g|mts|wmv|flv|3gp|ogv)$/i;

/** The last part of its path. */
export function nameOf(what: What): string {
  if ('file' in what) {
    return what.file.name;
  }
  // of an address, without its query and without the revision of a dataset of the Hub
  const path = 'path' in what ? what.path : what.source.trim().replace(/[?#].*$|^(hf:.*)@.*$/, '$1');
  return path.replace(/\/+$/, '').split('/').pop() ?? '';
}

export function isVideo(name: string): boolean {
  return VIDEO.test(name);
}

/** Whether it is a folder or an object store, whose images may stay there, rather than a URL or a dataset of the Hub. */
export function canStay(source: string): boolean {
  return /^(?!https?:|hf:)[a-z0-9]+:\/\//i.test(source.trim());
}

export function isImage(name: string): boolean {
  return IMAGE.test(name);
}

/** Whether a dataset can be made of a file of this name. */
export function isData(name: string): boolean {
  return ARCHIVE.test(name) || VIDEO.test(name);
}

/** What a dataset made of a file is called when nobody says. */
export function datasetName(name: string): string {
  const bare = name.replace(ARCHIVE, '').replace(VIDEO, '').replace(IMAGE, '');
  return (bare || name || 'dataset').slice(0, 120);
}
