"""Hugging Face: the inference router, a text-generation-inference server of your own, or this process."""

from __future__ import annotations

from typing import Any, Literal, Self

from orchestrator.core.info import ModelInfo
from orchestrator.errors import ModelProviderError, ProviderConfigError
from orchestrator.integrations.dialects.openai_chat import OpenAIChat
from orchestrator.integrations.dialects.tgi import TextGeneration
from orchestrator.integrations.http_model import HTTPModel
from orchestrator.integrations.service import Service

__all__ = ["HuggingFaceModel"]

_KEYS = ("HF_TOKEN", "HUGGINGFACE_API_KEY", "HUGGING_FACE_HUB_TOKEN")
_APIS = {
    "router": Service(
        provider="huggingface", base_url="https://router.huggingface.co/v1", dialect=OpenAIChat(), key_vars=_KEYS
    ),
    "tgi": Service(provider="huggingface", base_url=None, dialect=TextGeneration(), key_vars=_KEYS, key_needed=False),
}


class HuggingFaceModel(HTTPModel):
    """A model on the Hugging Face router; `api="tgi"` with `base_url=` speaks to a server of your own.

    `model_path` is the name on the hub where it differs from `name`. With `device=` ("cpu", "cuda", ...) the model
    runs in this process: then it is a folder or that name, and the arguments are those of `LocalHuggingFaceModel`.

    >>> HuggingFaceModel("gemma", model_path="google/gemma-3-27b-it").id
    'huggingface/gemma'
    """

    service = _APIS["router"]

    def __new__(cls, name: str | None = None, *, info: ModelInfo | None = None, **options: Any) -> Self:  # noqa: ARG004 - for __init__
        """A model in this process where a device is given, or where its description tells of one."""
        is_here = options.get("device") is not None or (
            info is not None and info.base_url is None and "transformers" in info.connector_metadata
        )
        if cls is HuggingFaceModel and is_here:
            from orchestrator.integrations.local.model import LocalHuggingFaceModel

            return super().__new__(LocalHuggingFaceModel)  # type: ignore[return-value]  # a subclass, which Self cannot say
        return super().__new__(cls)

    def __init__(
        self,
        name: str | None = None,
        *,
        api: Literal["router", "tgi"] = "router",
        model_path: str | None = None,
        **options: Any,
    ) -> None:
        if api not in _APIS:
            raise ProviderConfigError(f"api={api!r}: Hugging Face is spoken to by {' or '.join(map(repr, _APIS))}")
        super().__init__(name or model_path, service=_APIS[api], **options)
        self.model_path = model_path or self.name

    @property
    def wire_name(self) -> str:
        """The name on the hub."""
        return self.model_path

    async def initialize(self) -> None:
        """Find out early whether the model can be called at all."""
        issue = self.setup_issue()
        if issue is not None:
            raise ModelProviderError(issue)
