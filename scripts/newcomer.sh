#!/usr/bin/env bash
# What a newcomer does, for real: an empty environment, pip, an empty folder, the demo. Needs the package index.
#
#   scripts/newcomer.sh             with python3
#   PYTHON=python3.13 scripts/newcomer.sh
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mkdir "$work/source" "$work/empty"
cp -R "$root/orchestrator" "$root/pyproject.toml" "$root/README.md" "$root/LICENSE" "$work/source"
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check "$work/source"

cd "$work/empty"
"$work/venv/bin/orchestrator" --version
"$work/venv/bin/orchestrator" demo --prompts 60 --no-plot
"$work/venv/bin/python" - <<'PYTHON'
import asyncio
from orchestrator import ModelRegistry, OpenAIModel
from orchestrator.testing import EmulatedModel, Emulator


async def main():
    async with Emulator([EmulatedModel("gpt-4o-mini")]) as emulator, ModelRegistry() as registry:
        address = emulator.base_url("openai")
        registry.register_model(OpenAIModel(name="gpt-4o-mini", api_key="any", base_url=address))
        print(await registry.generate_response("What is 17 plus 23?", max_cost=0.01))


asyncio.run(main())
PYTHON
