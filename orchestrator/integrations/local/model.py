"""Models that run in this process, as the engine sees them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from orchestrator.core.clock import SYSTEM_CLOCK, Clock
from orchestrator.core.info import ModelInfo
from orchestrator.core.messages import Chunk, Embeddings, Reply, Request
from orchestrator.core.model import Model
from orchestrator.errors import ModelProviderError, ProviderConfigError
from orchestrator.integrations.dialects.listing import Listing
from orchestrator.integrations.dialects.openai_chat import OpenAIChat
from orchestrator.integrations.http_model import HTTPModel
from orchestrator.integrations.huggingface_model import HuggingFaceModel
from orchestrator.integrations.local.placement import Placement
from orchestrator.integrations.local.residence import Residence
from orchestrator.integrations.service import Service

__all__ = ["LazyHuggingFaceModel", "LocalHuggingFaceModel"]

_CLIENT = "transformers"  # under this name its description tells how it is loaded
_ABLE = dict.fromkeys(("text_generation", "streaming"), True) | dict.fromkeys(  # whatever its family can do elsewhere
    ("vision", "audio", "function_calling", "structured_output", "embeddings"), False
)


class LocalHuggingFaceModel(HuggingFaceModel):
    """A transformers model in this process; `HuggingFaceModel(..., device=...)` makes one.

    `model_path` is a folder or a name on the hub. Weights come into memory in `initialize()` or at the first call, in
    a thread of the model's own, and go `idle_s` seconds after the last call, if that is given. `constraints` with
    `required_memory_gb` or `required_gpu_memory_gb` refuse weights that are larger. Needs the extra `[huggingface]`.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        info: ModelInfo | None = None,
        model_path: str | None = None,
        device: str | None = None,
        device_map: Any = None,
        quantization: str | None = None,
        local_files_only: bool = False,
        idle_s: float | None = None,
        clock: Clock = SYSTEM_CLOCK,
        **facts: Any,
    ) -> None:
        if idle_s is not None and not idle_s > 0:
            raise ProviderConfigError(f"idle_s={idle_s!r}: give seconds above 0, or None to keep the weights in memory")
        told: Mapping[str, Any] = {} if info is None else info.connector_metadata.get(_CLIENT, {})
        path = model_path or told.get("model_path") or name or (info.name if info is not None else "")
        placement = Placement(
            str(path),
            device or told.get("device"),
            device_map if device_map is not None else told.get("device_map"),
            quantization or told.get("quantization"),
            local_files_only,
        )
        if info is None:
            facts["connector_metadata"] = {**facts.get("connector_metadata", {}), _CLIENT: placement.facts}
            facts.setdefault("capabilities", _ABLE)
        HTTPModel.__init__(self, name or str(path), info=info, service=_HERE, clock=clock, **facts)
        self.model_path, self.device = str(path), placement.device
        self.residence = Residence(self.id, placement, self.constraints, idle_s=idle_s, clock=clock)

    @property
    def is_loaded(self) -> bool:
        """True while its weights are in memory."""
        return self.residence.is_loaded

    async def send(self, request: Request) -> Reply:
        """One answer; others wait for their turn in the model's thread."""
        return await self.residence.send(request)

    def open_stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        """The answer word by word, as it is made."""
        return self.residence.open_stream(request)

    async def initialize(self) -> None:
        """Bring the weights into memory before the first call."""
        await self.residence.load()

    async def unload(self) -> None:
        """Let go of the weights; the next call loads them again."""
        await self.residence.unload()

    async def cleanup(self) -> None:
        """Let go of weights and thread; calls under way end with an error."""
        await self.residence.unload()

    def setup_issue(self) -> str | None:
        """What to install, or None."""
        return self.residence.setup_issue()

    async def probe(self) -> None:
        """Raise what is known to be wrong; nothing is loaded to find out."""
        issue = self.setup_issue()
        if issue is not None:
            raise ModelProviderError(issue)

    async def list_models(self) -> Listing:
        """Nothing but itself is here to be listed."""
        raise ModelProviderError(f"{self.id!r} runs in this process and lists no models; its own facts are in .info")

    async def send_embeddings(self, texts: Sequence[str], params: dict[str, Any]) -> Embeddings:
        """It has none."""
        return await Model.send_embeddings(self, texts, params)

    @property
    def key_id(self) -> str:
        """No key is shared with anybody."""
        return self.id


class LazyHuggingFaceModel(LocalHuggingFaceModel):
    """The same, with nothing imported, fetched or loaded before the first call, whoever initializes it.

    Twenty callers that race load it once; a load that failed is tried again by the next call.

    >>> model = LazyHuggingFaceModel("small", model_path="Qwen/Qwen3-0.6B", quantization="int8")
    >>> model.id, model.is_local, model.is_loaded
    ('huggingface/small', True, False)
    """

    def __init__(
        self,
        name: str | None = None,
        model_path: str | None = None,
        quantization: str | None = "int8",
        device_map: Any = "auto",
        **options: Any,
    ) -> None:
        if options.get("device") is not None:
            device_map = None
        super().__init__(name, model_path=model_path, quantization=quantization, device_map=device_map, **options)

    async def initialize(self) -> None:
        """Nothing yet: the first call loads."""


_HERE = Service(
    provider="huggingface", base_url=None, dialect=OpenAIChat(), key_vars=(), key_needed=False, is_local=True
)
