/** Names and argument schemas. Importing this file does nothing. */
import type { ReadonlyJSONObject } from '@lumino/coreutils';

export const PLUGIN_ID = 'retinue:plugin';
export const JOB_MIME_TYPE = 'application/vnd.retinue.job+json';
export const NAMESPACE = 'retinue';
/** Lab's widget views have rank -10; ours also draws without a kernel, so it goes first. */
export const JOB_MIME_RANK = -20;

export const CommandIDs = {
  openPanel: 'retinue:open-panel',
  createProject: 'retinue:create-project',
  uploadDataset: 'retinue:upload-dataset',
  makeDataset: 'retinue:make-dataset',
  importDataset: 'retinue:import-dataset',
  launch: 'retinue:launch',
  openDataset: 'retinue:open-dataset',
  openJob: 'retinue:open-job',
  cancelJob: 'retinue:cancel-job',
  refresh: 'retinue:refresh'
} as const;

function objectSchema(properties: ReadonlyJSONObject, required: string[] = []): ReadonlyJSONObject {
  return {
    type: 'object',
    properties,
    required,
    additionalProperties: false
  };
}

const id = { type: 'string', format: 'uuid' };
const name = { type: 'string', description: 'Name of the dataset; that of the data when absent' };
const format = { type: ['string', 'null'], description: 'Its format; recognised when absent' };

/** What each command takes: for the palette, for chat tools and for whoever else calls them. */
export const COMMAND_ARGS: Record<string, ReadonlyJSONObject> = {
  [CommandIDs.openPanel]: objectSchema({}),
  [CommandIDs.refresh]: objectSchema({}),
  [CommandIDs.uploadDataset]: objectSchema({}),
  [CommandIDs.makeDataset]: objectSchema({
    path: { type: 'string', description: 'A file or folder of the file browser; asked for when absent' },
    selected: { type: 'boolean', description: 'Take what is selected in the file browser' },
    name,
    format
  }),
  [CommandIDs.importDataset]: objectSchema({
    source: {
      type: 'string',
      description: 'An address: https://, s3://, gs://, az://, file:// or hf://; asked for when absent'
    },
    name,
    format
  }),
  [CommandIDs.createProject]: objectSchema({
    name: {
      type: 'string',
      description: 'Name of the project; asked for when absent'
    }
  }),
  [CommandIDs.launch]: objectSchema({
    datasetId: { ...id, description: 'Dataset to train on' },
    framework: { type: 'string' },
    model: { type: 'string' }
  }),
  [CommandIDs.openDataset]: objectSchema({ datasetId: { ...id, description: 'Dataset to show' } }, [
    'datasetId'
  ]),
  [CommandIDs.openJob]: objectSchema({ jobId: { ...id, description: 'Job to show' } }, ['jobId']),
  [CommandIDs.cancelJob]: objectSchema(
    {
      jobId: { ...id, description: 'Job to end' },
      when: {
        enum: ['now', 'epoch'],
        default: 'now',
        description: 'At once, or after this epoch keeping results'
      }
    },
    ['jobId']
  )
};
