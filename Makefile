# make run     the demo: eight emulated models, a few hundred prompts, one outage
# make test    everything CI checks: style, types, tests
# make check   style and types alone
.PHONY: run test check bench clean

VENV ?= .venv
PYTHON ?= python3
BIN = $(VENV)/bin
STAMP = $(VENV)/.installed

run: $(VENV)/.runs
	$(BIN)/orchestrator demo

test: check
	scripts/need.sh redis-server redis-server
	$(BIN)/python -m pytest

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python scripts/make_prices.py --check
	$(BIN)/python scripts/make_reference.py --check

bench: $(STAMP)
	$(BIN)/python benchmarks/overhead.py
	$(BIN)/python benchmarks/selection.py

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runs: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[plot]'
	touch $@

$(STAMP): $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@ $(VENV)/.runs

clean:
	rm -rf $(VENV) build dist *.egg-info
