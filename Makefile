# make run     the demo: eight emulated models, a few hundred prompts, one outage
# make test    everything CI checks: style, types, tests
# make check   style and types alone
# make test-connectors   the connectors against the real clients, in two environments of their own
.PHONY: run test test-connectors check bench clean

VENV ?= .venv
PYTHON ?= python3
BIN = $(VENV)/bin
STAMP = $(VENV)/.installed

run: $(VENV)/.runs
	$(BIN)/orchestrator demo

test: check
	scripts/need.sh redis-server redis-server
	$(BIN)/python -m pytest

# LiteLLM would fetch its price list while it is imported
test-connectors: $(VENV)-latest/.installed $(VENV)-litellm/.installed
	$(VENV)-latest/bin/python -m pytest tests/catalog/test_connectors.py
	LITELLM_LOCAL_MODEL_COST_MAP=True $(VENV)-litellm/bin/python -m pytest tests/catalog/test_connectors.py

$(VENV)-%/.installed: tests/catalog/clients/%.txt
	$(PYTHON) -m venv $(VENV)-$*
	$(VENV)-$*/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	$(VENV)-$*/bin/python -m pip install --quiet --disable-pip-version-check --editable . \
		hypothesis pytest pytest-asyncio pytest-timeout
	touch $@

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python scripts/make_prices.py --check
	$(BIN)/python scripts/make_reference.py --check

bench: $(STAMP)
	$(BIN)/python benchmarks/overhead.py
	$(BIN)/python benchmarks/selection.py
	$(BIN)/python benchmarks/registry.py

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runs: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[plot]'
	touch $@

$(STAMP): $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@ $(VENV)/.runs

clean:
	rm -rf $(VENV) $(VENV)-latest $(VENV)-litellm build dist *.egg-info
