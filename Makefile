# `make help` lists what there is. Python 3.11 or newer and make are all a machine needs.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
PORT ?= 8000
HOST ?= 127.0.0.1
WORKERS ?= 1
SEED ?=
ROUNDS ?= 200
TESTS ?= tests
PEERS ?=
export PORT HOST WORKERS SEED ROUNDS PEERS
VENV := .venv
PY := $(VENV)/bin/python
WEB := api/web/.built

.PHONY: help setup run test lint types hammer bench lock schema tables clean

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

setup: $(VENV)/.installed $(WEB) ## sets up what the others begin with

$(VENV)/.installed: requirements-dev.lock
	$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed: make PYTHON=...")'
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	touch $@

$(WEB): $(VENV)/.installed $(shell find web -name node_modules -prune -o -name __pycache__ -prune -o -type f -print 2>/dev/null)
	$(PY) web/build.py
	touch $@

run: setup ## serves on http://127.0.0.1:8000 with the sandbox on (PORT=..., and every setting)
	SANDBOX=$${SANDBOX:-on} $(PY) -m api serve --host $(HOST) --port $(PORT) --workers $(WORKERS)

test: setup ## runs all tests (TESTS=tests/flows for some)
	$(PY) -m pytest -n 2 --dist loadgroup $(TESTS)

lint: setup ## ruff and mypy
	$(PY) -m ruff check api tests bench web
	$(PY) -m ruff format --check api tests bench web
	$(PY) -m mypy

hammer: setup ## the long run of races, kills and random operations (SEED=... ROUNDS=...)
	$(PY) -m tests.hammer
	FLOOD=$${FLOOD:-1000} $(PY) -m pytest -q tests/hammer/test_processor_calls.py -k flood
	STEPS=$${STEPS:-1000} RACES=$${RACES:-$(ROUNDS)} $(PY) -m pytest -q -s tests/flows/test_model.py tests/flows/test_closing_races.py tests/flows/test_unsubscribing_races.py

bench: setup ## the benchmarks; they never gate (PEERS=folder of other servers to measure beside)
	$(PY) -m bench

tables: setup ## writes the tables of docs/checklists from the tests' marks
	$(PY) -m tests.checklists

schema: setup ## writes schema.graphql from the code
	$(PY) -m api schema > schema.graphql.new && mv schema.graphql.new schema.graphql

lock: ## resolves the dependencies anew into the two lock files (needs uv on PATH)
	uv pip compile --generate-hashes --universal --python-version 3.11 --no-header --no-emit-index-url -o requirements.lock pyproject.toml
	uv pip compile --generate-hashes --universal --python-version 3.11 --no-header --no-emit-index-url --extra dev -c requirements.lock -o requirements-dev.lock pyproject.toml

clean: ## removes what was built, not the data
	rm -rf $(VENV) api/web web/node_modules .mypy_cache .ruff_cache .pytest_cache
