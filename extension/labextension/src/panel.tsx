/** The left side panel: the project, its datasets and its jobs. */
import { addIcon, LabIcon, ReactWidget, refreshIcon, UseSignal } from '@jupyterlab/ui-components';
import React from 'react';

import iconSvg from '../style/retinue.svg';
import { Datasets } from './datasets';
import { Jobs } from './jobs';
import { CommandIDs } from './tokens';
import type { IUi } from './ui';
import { ProblemView } from './ui';

export const retinueIcon = new LabIcon({ name: 'retinue:icon', svgstr: iconSvg });

export class Panel extends ReactWidget {
  constructor(private readonly _ui: IUi) {
    super();
    const { trans } = _ui;
    this.id = 'retinue-panel';
    this.addClass('retinue-Panel');
    this.title.icon = retinueIcon;
    this.title.caption = trans.__('Retinue: datasets and trainings');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', this.title.caption);
  }

  protected onAfterShow(): void {
    if (!this._ui.model.loaded) {
      void this._ui.model.refresh();
    }
  }

  protected render(): JSX.Element {
    return <UseSignal signal={this._ui.model.changed}>{() => <Body {...this._ui} />}</UseSignal>;
  }
}

function Body(ui: IUi): JSX.Element {
  const { model, trans } = ui;
  return (
    <>
      <Header {...ui} />
      <Connection {...ui} />
      {model.problem && (
        <ProblemView problem={model.problem} trans={trans} onDismiss={() => model.dismiss()} />
      )}
      {model.project && (
        <>
          <Datasets {...ui} />
          <Jobs {...ui} />
        </>
      )}
      {model.loaded && !model.projects.length && <FirstProject {...ui} />}
    </>
  );
}

function Header({ model, commands, trans }: IUi): JSX.Element {
  const create = () => void commands.execute(CommandIDs.createProject);
  return (
    <div className="retinue-Panel-header">
      <label className="retinue-Panel-project">
        <span>{trans.__('Project')}</span>
        <select
          className="jp-mod-styled"
          value={model.project?.id ?? ''}
          disabled={!model.projects.length}
          onChange={event => void model.select(event.target.value)}
        >
          {!model.projects.length && <option value="">{trans.__('None yet')}</option>}
          {model.projects.map(project => (
            <option key={project.id} value={project.id}>
              {project.name}
            </option>
          ))}
        </select>
      </label>
      <IconButton icon={addIcon} label={trans.__('New project')} onClick={create} />
      <IconButton icon={refreshIcon} label={trans.__('Refresh')} onClick={() => void model.refresh()} />
    </div>
  );
}

function IconButton({ icon, label, onClick }: { icon: LabIcon; label: string; onClick: () => void }) {
  return (
    <button className="retinue-IconButton" title={label} aria-label={label} onClick={onClick}>
      <icon.react tag="span" />
    </button>
  );
}

function FirstProject({ commands, trans }: IUi): JSX.Element {
  return (
    <div className="retinue-Empty">
      <p>{trans.__('A project holds datasets and trainings. Make one to begin.')}</p>
      <button
        className="jp-mod-styled jp-mod-accept"
        onClick={() => void commands.execute(CommandIDs.createProject)}
      >
        {trans.__('Create a project')}
      </button>
    </div>
  );
}

function Connection({ model, trans }: IUi): JSX.Element {
  const waiting = model.socket.state === 'waiting';
  const why = model.socket.problem;
  return (
    <div className="retinue-Connection" role="status" aria-live="polite">
      {waiting && (
        <>
          {why ? `${why.message} ${why.hint}` : trans.__('Live updates are interrupted; trying again…')}{' '}
          <button className="retinue-Link" onClick={() => model.socket.retry()}>
            {trans.__('Try now')}
          </button>
        </>
      )}
    </div>
  );
}
