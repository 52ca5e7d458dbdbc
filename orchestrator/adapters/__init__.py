"""The engine inside frameworks, and their models inside the engine; each needs an extra of its own name.

`orchestrator.adapters.langchain`, `.pydantic_ai`, `.dspy`, `.litellm` and `.llama_index` hold what to hand to each
framework; `model_of` takes one of their models, or a client of OpenAI or Anthropic, as ours.
"""

from __future__ import annotations

from orchestrator.adapters.clients import model_of

__all__ = ["model_of"]
