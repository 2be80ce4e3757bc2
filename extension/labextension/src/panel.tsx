/** The left side panel: the project, its datasets and its jobs. */
import { addIcon, LabIcon, ReactWidget, refreshIcon, UseSignal } from '@jupyterlab/ui-components';
import React from 'react';

import iconSvg from '../style/retinue.svg';
import { Datasets } from './datasets';
import { Jobs } from './jobs';
import type { Problem } from './schema';
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
      {!model.loaded && !model.outage.problem && !model.problem && (
        <p className="retinue-Empty">{trans.__('Loading…')}</p>
      )}
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

/** Whether the platform, or only what it says by itself, is away; both come back without the person. */
function Connection({ model, trans }: IUi): JSX.Element {
  const { outage, socket } = model;
  const why = outage.problem ?? socket.problem;
  const retry = () => {
    outage.retry();
    socket.retry();
  };
  const state = outage.problem
    ? trans.__('No connection to the platform; trying again…')
    : socket.state === 'waiting' && trans.__('Live updates are interrupted; trying again…');
  return (
    <div className="retinue-Connection" role="status" aria-live="polite">
      {state && (
        <>
          <strong>{state}</strong> {why && outageText(why, trans)}{' '}
          <button className="retinue-Link" onClick={retry}>
            {trans.__('Try now')}
          </button>
        </>
      )}
    </div>
  );
}

/** The cause as far as it can be told, and the cure where there is one besides waiting. */
function outageText({ code, message, hint }: Problem, trans: IUi['trans']): string {
  if (code === 'http_424') {
    return trans.__(
      'Your Jupyter server is not running. If it does not come back, start it from the hub’s home page.'
    );
  }
  if (code === 'connection_lost') {
    return trans.__('Your Jupyter server cannot be reached: it may be restarting, or your network is away.');
  }
  if (code.startsWith('http_')) {
    return trans.__(
      '%1 A proxy on the way has no answer from what is behind it, which may be restarting.',
      message
    );
  }
  return `${message} ${hint}`;
}
