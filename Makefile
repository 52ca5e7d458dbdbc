# make run     the demo: eight emulated models, a few hundred prompts, one outage
# make test    everything CI checks: style, types, tests
# make check   style and types alone
# make site    the documentation as a site, built strictly
# make soak    two hundred callers in bad weather for ten minutes
# make test-local   models in this process, with torch for the processor alone, in an environment of its own
# make test-ray     a batch over a Ray cluster of this machine with its state in Redis, in an environment of its own
# make test-connectors   the connectors against the real clients, in two environments of their own
# make test-adapters   the engine inside frameworks and their clients as models, in the same two environments
# make test-routellm   the page about RouteLLM, both sides of it, in the environment of test-local
# make bench-peers  the engine beside other libraries, in an environment of its own: docs/reference/peers.md
# make lock    the pinned packages of CI anew; audit: known vulnerabilities in them; sbom: them as CycloneDX
.PHONY: site bench-peers lock audit sbom run test test-local test-ray test-connectors test-adapters test-routellm check bench soak clean

VENV ?= .venv
PYTHON ?= python3
BIN = $(VENV)/bin
STAMP = $(VENV)/.installed
ADAPTERS = tests/adapters tests/docs tests/test_doctests.py -k "adapters or frameworks or move-from"

run: $(VENV)/.runs
	$(BIN)/orchestrator demo

test: check site
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

# RouteLLM asks for a key when it is imported, and leaves a loop of LiteLLM's open
test-routellm: $(VENV)-local/.routellm
	OPENAI_API_KEY=none LITELLM_LOCAL_MODEL_COST_MAP=True $(VENV)-local/bin/python -m pytest \
		-W ignore::ResourceWarning -W ignore::pytest.PytestUnraisableExceptionWarning \
		'tests/docs/test_docs.py::test_every_example_runs[docs/howto/move-from-routellm.md]'

$(VENV)-local/.routellm: $(VENV)-local/.installed
	$(VENV)-local/bin/python -m pip install --quiet --disable-pip-version-check 'routellm>=0.2'
	touch $@

test-ray: $(VENV)-ray/.installed
	scripts/need.sh redis-server redis-server
	$(VENV)-ray/bin/python -m pytest tests/batch

$(VENV)-ray/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)-ray
	$(VENV)-ray/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[ray]' \
		hypothesis pytest pytest-asyncio pytest-timeout
	touch $@

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

site: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

bench: $(STAMP)
	$(BIN)/python benchmarks/overhead.py
	$(BIN)/python benchmarks/selection.py
	$(BIN)/python benchmarks/registry.py

bench-peers: $(VENV)-peers/.installed
	$(VENV)-peers/bin/python benchmarks/peers

# Portkey's gateway comes from npm: where that is not, it is left out
$(VENV)-peers/.installed: benchmarks/peers/requirements.txt
	$(PYTHON) -m venv --upgrade-deps $(VENV)-peers # older resolvers search for many minutes
	$(VENV)-peers/bin/python -m pip install --quiet --disable-pip-version-check --requirement $< --editable .
	npm install --silent --no-audit --no-fund --ignore-scripts --prefix $(VENV)-peers '@portkey-ai/gateway@^1.15' || \
		echo "left out: Portkey (npm cannot install it here)"
	touch $@

lock: $(VENV)-trust/.installed
	BIN=$(VENV)-trust/bin scripts/lock.sh

audit: $(VENV)-trust/.installed
	@BIN=$(VENV)-trust/bin scripts/audit.sh

sbom: $(VENV)-trust/.installed
	mkdir -p dist
	$(VENV)-trust/bin/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible \
		--output-file dist/sbom.cdx.json requirements/ci.txt

$(VENV)-trust/.installed:
	$(PYTHON) -m venv $(VENV)-trust
	$(VENV)-trust/bin/python -m pip install --quiet --disable-pip-version-check \
		'cyclonedx-bom>=7' 'pip-audit>=2.9' 'pip-tools>=7.5'
	touch $@

soak: $(STAMP)
	$(BIN)/python -W error benchmarks/soak.py

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runs: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[plot]'
	touch $@

# LOCKED=1: nothing but the packages of the lock, each with its hash
$(STAMP): $(VENV)/bin/python pyproject.toml $(if $(LOCKED),requirements/ci.txt)
ifdef LOCKED
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/ci.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
else
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
endif
	touch $@ $(VENV)/.runs

clean:
	rm -rf $(VENV) $(VENV)-latest $(VENV)-litellm $(VENV)-local $(VENV)-peers $(VENV)-ray $(VENV)-trust build dist site *.egg-info
