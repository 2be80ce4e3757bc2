/** What takes something away is asked for first, and the question names what is lost; what has cost little is done at once. */
import type { TranslationBundle } from '@jupyterlab/translation';

import type { Dataset, Job, JobCancel, TrashedDataset } from './schema';
import { ask, duration, size } from './ui';
import type { UploadModel } from './upload';

const LONG_SECONDS = 600;
const MUCH_BYTES = 64 * 2 ** 20;

type Trans = TranslationBundle;

/** Seconds since then. */
function since(time: string): number {
  return (Date.now() - Date.parse(time)) / 1000;
}

/** Ends a training; one that has run for long is asked for. */
export async function confirmCancel(
  job: Job,
  when: JobCancel['when'],
  trans: Trans,
  cancel: () => Promise<void>
): Promise<void> {
  const waits = ['created', 'queued'].includes(job.status);
  const ran = waits ? 0 : since(job.started_at ?? job.created_at); // a start may be told later than what came of it
  if (ran <= LONG_SECONDS || (await askCancel(job, when, ran, trans))) {
    await cancel();
  }
}

function askCancel(job: Job, when: JobCancel['when'], ran: number, trans: Trans): Promise<boolean> {
  const now = when === 'now';
  const { progress } = job;
  const far = progress
    ? trans.__('It has run for %1 and is in epoch %2 of %3.', duration(ran), progress.epoch, progress.epochs)
    : trans.__('It has run for %1.', duration(ran));
  const lost = now
    ? trans.__(
        'What it learned since its last checkpoint is lost. Metrics, log and finished checkpoints stay.'
      )
    : trans.__(
        'It ends when the present epoch is over: the epochs after that are not trained. Results are kept.'
      );
  return ask({
    title: now ? trans.__('Cancel “%1”?', job.name) : trans.__('Stop “%1” after this epoch?', job.name),
    body: `${far} ${lost}`,
    yes: now ? trans.__('Cancel now') : trans.__('Stop after this epoch'),
    no: trans.__('Go on training'),
    warn: true
  });
}

/** Calls off a first import; one that has gone on for long is asked for. */
export async function confirmImportCancel(
  { name, created_at }: Dataset,
  trans: Trans,
  cancel: () => Promise<void>
): Promise<void> {
  const ran = since(created_at);
  const sure =
    ran <= LONG_SECONDS ||
    (await ask({
      title: trans.__('Cancel the import of “%1”?', name),
      body: trans.__(
        'It has gone on for %1; all of it is lost, and the data have to be sent again.',
        duration(ran)
      ),
      yes: trans.__('Cancel the import'),
      no: trans.__('Go on importing'),
      warn: true
    }));
  if (sure) {
    await cancel();
  }
}

/** Deletes a dataset whose first import failed. */
export async function confirmDelete(
  { name }: Dataset,
  trans: Trans,
  remove: () => Promise<void>
): Promise<void> {
  const sure = await ask({
    title: trans.__('Delete “%1”?', name),
    body: trans.__(
      'Its import failed, so it holds no images; but the import cannot be tried again then, and the data have to be sent again.'
    ),
    yes: trans.__('Delete'),
    no: trans.__('Keep it'),
    warn: true
  });
  if (sure) {
    await remove();
  }
}

export function confirmTrash(dataset: Dataset, trans: Trans): Promise<boolean> {
  return ask({
    title: trans.__('Move “%1” to the trash?', dataset.name),
    body: trans.__(
      'What goes: %1. It can be restored from the trash in the panel for a while; trainings keep the data they use.',
      content(dataset, trans)
    ),
    yes: trans.__('Move to trash'),
    no: trans.__('Keep it'),
    warn: true
  });
}

export function confirmPurge(dataset: TrashedDataset, trans: Trans): Promise<boolean> {
  return ask({
    title: trans.__('Delete “%1” for good?', dataset.name),
    body: trans.__('What goes for good: %1. This cannot be undone.', content(dataset, trans)),
    yes: trans.__('Delete for good'),
    no: trans.__('Keep it'),
    warn: true
  });
}

function content({ versions }: Dataset, trans: Trans): string {
  const [{ images, annotations }] = versions;
  const newest = trans.__(
    '%1 images and %2 annotations',
    images.toLocaleString(),
    annotations.toLocaleString()
  );
  const count = versions.length;
  return trans._n('its one version, with %2', 'all %1 versions, the newest with %2', count, newest);
}

/** Gives an upload up; one that has sent much is asked for. */
export async function confirmUploadCancel(
  { sent, parcel }: UploadModel,
  trans: Trans,
  cancel: () => Promise<void>
): Promise<void> {
  const sure =
    sent < MUCH_BYTES ||
    (await ask({
      title: trans.__('Give up the upload of “%1”?', parcel.name),
      body: trans.__('The %1 that have arrived are lost, and would have to be sent again.', size(sent)),
      yes: trans.__('Give it up'),
      no: trans.__('Keep it'),
      warn: true
    }));
  if (sure) {
    await cancel();
  }
}
