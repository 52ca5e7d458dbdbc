# make run     the demo: eight emulated models, a few hundred prompts, one outage
# make test    everything CI checks: style, types, tests
# make check   style and types alone
# make soak    two hundred callers in bad weather for ten minutes
# make test-local   models in this process, with torch for the processor alone, in an environment of its own
# make test-connectors   the connectors against the real clients, in two environments of their own
# make test-adapters   the engine inside frameworks and their clients as models, in the same two environments
.PHONY: run test test-local test-connectors test-adapters check bench soak clean

VENV ?= .venv
PYTHON ?= python3
BIN = $(VENV)/bin
STAMP = $(VENV)/.installed
ADAPTERS = tests/adapters tests/docs tests/test_doctests.py -k "adapters or frameworks"

run: $(VENV)/.runs
	$(BIN)/orchestrator demo

test: check
	scripts/need.sh redis-server redis-server
	scripts/need.sh chromium chromium
	$(BIN)/python -m pytest

# LiteLLM would fetch its price list while it is imported
test-connectors: $(VENV)-latest/.installed $(VENV)-litellm/.installed
	$(VENV)-latest/bin/python -m pytest tests/catalog/test_connectors.py
	LITELLM_LOCAL_MODEL_COST_MAP=True $(VENV)-litellm/bin/python -m pytest tests/catalog/test_connectors.py

test-adapters: $(VENV)-latest/.installed $(VENV)-litellm/.installed
	$(VENV)-latest/bin/python -m pytest $(ADAPTERS)
	LITELLM_LOCAL_MODEL_COST_MAP=True $(VENV)-litellm/bin/python -m pytest $(ADAPTERS)

test-local: $(VENV)-local/.installed
	$(VENV)-local/bin/python -m pytest tests/local

# torch for the processor alone is a tenth of the other: from where pip looks anyway, else from its own index
$(VENV)-local/.installed: tests/local/requirements.txt
	$(PYTHON) -m venv $(VENV)-local
	$(VENV)-local/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0+cpu || \
		$(VENV)-local/bin/python -m pip install --quiet --disable-pip-version-check torch \
		--index-url https://download.pytorch.org/whl/cpu
	$(VENV)-local/bin/python -m pip install --quiet --disable-pip-version-check --requirement $< \
		--editable . hypothesis pytest pytest-asyncio pytest-timeout
	touch $@

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

soak: $(STAMP)
	$(BIN)/python -W error benchmarks/soak.py

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runs: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[plot]'
	touch $@

$(STAMP): $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@ $(VENV)/.runs

clean:
	rm -rf $(VENV) $(VENV)-latest $(VENV)-litellm $(VENV)-local build dist *.egg-info
