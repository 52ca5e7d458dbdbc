"""What answers from here: the list of models of each provider that is set up, and of Ollama."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping

from orchestrator.cli.discovery import WELL_KNOWN, listing, ollama_address
from orchestrator.cli.doctor.finding import Finding

__all__ = ["providers"]


async def providers(environ: Mapping[str, str] | None = None) -> AsyncIterator[Finding]:
    """Ask every provider with a key, and Ollama, for its list: nothing is paid for."""
    from orchestrator.core.info import ModelInfo
    from orchestrator.core.model import Model
    from orchestrator.integrations.ollama_model import OllamaModel
    from orchestrator.integrations.providers import model_from

    known = [model_from(ModelInfo.model_validate({"id": name})) for name in WELL_KNOWN]
    asked: list[Model] = [model for model in known if model.setup_issue() is None]
    for name, found in (await listing(asked)).items():
        well = not isinstance(found, str)
        words = f"{len(found)} models" if well else str(found)
        yield Finding("reachable", name, "well" if well else "wrong", words)
    address = ollama_address(os.environ if environ is None else environ)
    for name, found in (await listing([OllamaModel("any", base_url=address)])).items():
        if isinstance(found, str):
            yield Finding("reachable", name, "absent", f"nothing answers at {address}")
        else:
            yield Finding("reachable", name, "well", f"{len(found)} models at {address}")
