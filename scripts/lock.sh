#!/usr/bin/env bash
# What CI installs, down to the last package and its hashes: requirements/ci.txt, for the oldest Python that is
# supported. `make lock` writes it anew; pins that still fit stay unless LOCK_OPTIONS=--upgrade.
set -euo pipefail

cd "$(dirname "$0")/.."
mkdir -p requirements
export CUSTOM_COMPILE_COMMAND="make lock"
"${BIN:?the folder of pip-compile}"/pip-compile --quiet --strip-extras --allow-unsafe --generate-hashes \
    --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --extra dev \
    ${LOCK_OPTIONS:-} --output-file requirements/ci.txt pyproject.toml
