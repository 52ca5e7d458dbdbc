#!/usr/bin/env bash
# What a newcomer does, for real: an empty environment, the wheel, an empty folder, the demo, the tutorial line by line.
# Needs the package index.
#
#   scripts/newcomer.sh             with python3
#   PYTHON=python3.13 scripts/newcomer.sh
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset PYTHONPATH VIRTUAL_ENV

mkdir "$work/source" "$work/empty" "$work/pages"
cp -R "$root/orchestrator" "$root/pyproject.toml" "$root/README.md" "$root/LICENSE" "$work/source"
cp "$root/docs/tutorial.md" "$root/tests/docs/reader.py" "$root/tests/docs/written_pages.py" "$work/pages"
"${PYTHON:-python3}" -m venv "$work/venv"
bin="$work/venv/bin"
"$bin/python" -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir "$work/dist" "$work/source"
"$bin/python" -m pip install --quiet --disable-pip-version-check "$work"/dist/*.whl
rm -rf "$work/source"

cd "$work/empty"
"$bin/orchestrator" --version
"$bin/orchestrator" doctor
"$bin/orchestrator" demo --prompts 60 --no-plot
"$bin/python" - "$work/pages" <<'PYTHON'
import sys
from pathlib import Path

import orchestrator

pages = Path(sys.argv[1])
sys.path.insert(0, str(pages))
from reader import Reader
from written_pages import blocks_of

assert Path(orchestrator.__file__).is_relative_to(sys.prefix), orchestrator.__file__
blocks = list(blocks_of((pages / "tutorial.md").read_text(encoding="utf-8")))
with Reader("tutorial.md") as reader:
    for block in blocks:
        reader.follow(block)
        if block.kind in ("python", "bash"):
            print(f"tutorial.md:{block.line}", block.code.strip().splitlines()[0], "...")
print(len(blocks), "blocks of the tutorial did what they say")
PYTHON
