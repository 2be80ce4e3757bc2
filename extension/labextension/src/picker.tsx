/** Choice of a model out of the catalogues of all trainers: search, framework, size. */
import React from 'react';

import type { Catalogue, ModelInfo, TrainerState } from './schema';
import type { IUi } from './ui';

interface IPickerProps {
  catalogue: Catalogue | null;
  chosen: ModelInfo | null;
  trans: IUi['trans'];
  onChoose(model: ModelInfo): void;
}

const SHOWN = 400;

export function modelKey(model: { framework: string; name: string }): string {
  return `${model.framework}/${model.name}`;
}

/** Models that match every word of the search; first those whose name begins with one. */
export function search(models: readonly ModelInfo[], framework: string, words: string): ModelInfo[] {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  const begins = (model: ModelInfo) => wanted.some(word => model.name.toLowerCase().startsWith(word));
  const matching = models.filter(
    model =>
      (!framework || model.framework === framework) &&
      wanted.every(word => modelKey(model).toLowerCase().includes(word))
  );
  return matching.sort((a, b) => Number(begins(b)) - Number(begins(a)));
}

function describe(model: ModelInfo): string {
  const facts = [
    model.framework,
    model.parameters_m ? `${model.parameters_m.toPrecision(3)} M` : '',
    model.input_size ? `${model.input_size} px` : '',
    model.licence ?? ''
  ];
  return `${model.name} — ${facts.filter(Boolean).join(' · ')}`;
}

export function ModelPicker({ catalogue, chosen, trans, onChoose }: IPickerProps): JSX.Element {
  const [framework, setFramework] = React.useState(chosen?.framework ?? '');
  const [words, setWords] = React.useState('');
  const models = search(catalogue?.models ?? [], framework, words);
  const more = models.length - SHOWN;
  return (
    <div className="retinue-Picker">
      <div className="retinue-Picker-filters">
        <label>
          {trans.__('Framework')}
          <select
            className="jp-mod-styled"
            value={framework}
            onChange={event => setFramework(event.target.value)}
          >
            <option value="">{trans.__('All')}</option>
            {(catalogue?.trainers ?? []).map(trainer => (
              <option key={trainer.framework}>{trainer.framework}</option>
            ))}
          </select>
        </label>
        <label className="retinue-Picker-search">
          {trans.__('Search models')}
          <input
            className="jp-mod-styled"
            type="search"
            value={words}
            placeholder={trans.__('for example resnet 18')}
            onChange={event => setWords(event.target.value)}
          />
        </label>
      </div>
      <select
        className="retinue-Picker-list"
        size={8}
        aria-label={trans.__('Models')}
        value={chosen ? modelKey(chosen) : ''}
        onChange={event => {
          const model = models.find(m => modelKey(m) === event.target.value);
          if (model) {
            onChoose(model);
          }
        }}
      >
        {models.slice(0, SHOWN).map(model => (
          <option key={modelKey(model)} value={modelKey(model)}>
            {describe(model)}
          </option>
        ))}
      </select>
      <small role="status">
        {catalogue
          ? trans._n('%1 model', '%1 models', models.length, models.length)
          : trans.__('Loading the catalogue…')}
        {more > 0 && ` · ${trans.__('%1 more: search for them', more)}`}
      </small>
      {(catalogue?.trainers ?? [])
        .filter(trainer => !trainer.reachable || !trainer.complete)
        .map(trainer => (
          <TrainerNote key={trainer.framework} trainer={trainer} trans={trans} />
        ))}
    </div>
  );
}

function TrainerNote({ trainer, trans }: { trainer: TrainerState; trans: IUi['trans'] }): JSX.Element {
  const { framework, since } = trainer;
  const when = since ? new Date(since).toLocaleTimeString() : '';
  const text = trainer.reachable
    ? trans.__('%1 is still filling in details of its models.', framework)
    : trans.__('%1 does not answer since %2; its trainings cannot be started now.', framework, when);
  return <small className={trainer.reachable ? undefined : 'retinue-Note'}>{text}</small>;
}
