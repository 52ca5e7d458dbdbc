"""Hugging Face: the inference router, or a text-generation-inference server of your own."""

from __future__ import annotations

from typing import Any, Literal

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

    `model_path` is the name on the hub where it differs from `name`. `device` asks for a model in this process.

    >>> HuggingFaceModel("gemma", model_path="google/gemma-3-27b-it").id
    'huggingface/gemma'
    """

    service = _APIS["router"]

    def __init__(
        self,
        name: str | None = None,
        *,
        api: Literal["router", "tgi"] = "router",
        model_path: str | None = None,
        device: str | None = None,
        **options: Any,
    ) -> None:
        if api not in _APIS:
            raise ProviderConfigError(f"api={api!r}: Hugging Face is spoken to by {' or '.join(map(repr, _APIS))}")
        super().__init__(name or model_path, service=_APIS[api], **options)
        self.model_path = model_path or self.name
        self.device = device

    @property
    def wire_name(self) -> str:
        """The name on the hub."""
        return self.model_path

    def setup_issue(self) -> str | None:
        """Which variable to set, or what to install."""
        if self.device is not None:
            return (
                f"device={self.device!r} asks for a model in this process, which needs the transformers extra: "
                "leave device= out to use the router, or pass api='tgi' and base_url= of a server"
            )
        return super().setup_issue()

    async def initialize(self) -> None:
        """Find out early whether the model can be called at all."""
        issue = self.setup_issue()
        if issue is not None:
            raise ModelProviderError(issue)
