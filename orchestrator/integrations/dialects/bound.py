"""What only some dialects understand: parameters that stay behind when a request moves to a provider of another one."""

from __future__ import annotations

from functools import cache

__all__ = ["OWN_PARAMS", "foreign_to"]

_OPENAI = "prompt_cache_key prompt_cache_retention safety_identifier service_tier store verbosity"
OWN_PARAMS: dict[str, frozenset[str]] = {
    dialect: frozenset(names.split())
    for dialect, names in {
        # other services speak this dialect too, some of them with Anthropic's word for thinking
        "OpenAIChat": f"{_OPENAI} audio logit_bias modalities prediction thinking web_search_options",
        "OpenAIResponses": f"{_OPENAI} background conversation include max_tool_calls previous_response_id reasoning "
        "text truncation",
        "Anthropic": "cache_control container context_management mcp_servers output_config service_tier thinking",
        "Google": "cachedContent cached_content generationConfig generation_config labels safetySettings "
        "safety_settings toolConfig tool_config",
        "Ollama": "keep_alive logit_bias num_batch num_ctx num_gpu num_keep num_predict num_thread options think",
        "TextGeneration": "decoder_input_details details do_sample max_new_tokens return_full_text typical_p watermark",
    }.items()
}
"""By dialect, the parameters that not every other one takes; what is in no row is forwarded to all."""


@cache
def foreign_to(dialect: str) -> frozenset[str]:
    """The parameters that others understand and this dialect does not; none for a dialect we do not know.

    >>> "safety_settings" in foreign_to("Anthropic"), "thinking" in foreign_to("Anthropic"), foreign_to("mine")
    (True, False, frozenset())
    """
    own = OWN_PARAMS.get(dialect)
    return frozenset() if own is None else frozenset().union(*OWN_PARAMS.values()) - own
