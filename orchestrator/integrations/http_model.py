"""A model behind HTTP: its dialect writes and reads the bodies, its line carries them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, ClassVar, Self

from pydantic import SecretStr

from orchestrator.core.clock import SYSTEM_CLOCK, Clock
from orchestrator.core.info import ModelCapabilities, ModelConstraints, ModelInfo
from orchestrator.core.messages import Chunk, Embeddings, Reply, Request
from orchestrator.core.model import Model
from orchestrator.errors import MalformedResponseError, ModelProviderError, ProviderAPIError, RateLimitError
from orchestrator.integrations import strict_json, transport
from orchestrator.integrations.addresses import checked_base_url, with_own_path
from orchestrator.integrations.credentials import (
    GivenKeys,
    address_from_environment,
    as_secrets,
    key_digest,
    keys_from_environment,
    missing_key,
)
from orchestrator.integrations.dialects.bound import foreign_to
from orchestrator.integrations.dialects.listing import MAX_LISTED, ListedModel, Listing
from orchestrator.integrations.families import completed, described
from orchestrator.integrations.key_ring import KeyedLine, KeyRing, ring_of
from orchestrator.integrations.line import Line, signed
from orchestrator.integrations.service import Service

__all__ = ["HTTPModel"]

_MAX_PAGES = 100


class HTTPModel(Model):
    """A model of one provider's HTTP API.

    `api_key` falls back to the provider's environment variable at first use; several keys, given as a list or in
    `<VARIABLE>S` with commas between them, are used in turn. `base_url` replaces the provider's own address.
    `connect_s` bounds connecting, `first_byte_s` the wait for an answer to begin, `gap_s` the silence
    within a stream (pings are silence). `allow_http` lets a key travel unencrypted to another machine,
    `allow_private` lets a public name lead into a private network. Facts not given come from a table of well-known
    families; what is not there stays unknown.
    """

    service: ClassVar[Service]

    def __init__(
        self,
        name: str | None = None,
        *,
        info: ModelInfo | None = None,
        id: str | None = None,  # noqa: A002 - the name users expect
        api_key: GivenKeys = None,
        base_url: str | None = None,
        service: Service | None = None,
        capabilities: ModelCapabilities | Mapping[str, Any] | None = None,
        constraints: ModelConstraints | Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        first_byte_s: float = 60.0,
        gap_s: float = 30.0,
        connect_s: float = 5.0,
        allow_http: bool = False,
        allow_private: bool = False,
        clock: Clock = SYSTEM_CLOCK,
        **facts: Any,
    ) -> None:
        self._service = service or type(self).service
        if info is None:
            if not name:
                raise TypeError(f"{type(self).__name__} needs name=, the provider's own name of the model")
            given = {"id": id, "capabilities": capabilities, "constraints": constraints}
            facts |= {key: value for key, value in given.items() if value is not None}
            info = described(name, self._service, facts)
        else:
            info = completed(info)
        super().__init__(info)
        self._api_keys = as_secrets(api_key) or as_secrets(info.api_key)
        self._clock = clock
        found = address_from_environment(self._service.provider)
        self._base_url = base_url or info.base_url or found or self._service.base_url
        if self._base_url is not None:
            address = with_own_path(self._base_url, self._service.base_url)
            self._base_url = checked_base_url(address, allow_http=allow_http)
        self._extra_headers = dict(headers or {})
        self._first_byte_s, self._gap_s, self._connect_s = first_byte_s, gap_s, connect_s
        self._allow_private = allow_private
        self._line: Line | None = None
        self._ring: KeyRing | None = None  # outlives the line: what was learned about keys stays

    @classmethod
    def from_info(cls, info: ModelInfo, **options: Any) -> Self:
        """The callable model for a description."""
        return cls(info.name, info=info, **options)

    # what the engine calls

    async def send(self, request: Request) -> Reply:
        """One answer: written, sent, read; failures come as subclasses of `ProviderAPIError`."""
        line = self._line or self._connect()
        try:
            body = strict_json.dumps(line.written(request))
            return line.dialect.decode(await line.ask(line.chat_url, body, lambda: self._private(request)))
        except ProviderAPIError as error:
            raise signed(error, self.id, self._private(request))  # noqa: B904 - the very same error

    def open_stream(self, request: Request) -> AsyncGenerator[Chunk, None]:
        """The answer in pieces; a stream that breaks raises with `text_so_far`."""
        line = self._line or self._connect()
        return line.listen(request, self.id, lambda: self._private(request))

    async def send_embeddings(self, texts: Sequence[str], params: dict[str, Any]) -> Embeddings:
        """One vector a text, in order."""
        line = self._line or self._connect()
        try:
            body = strict_json.dumps(line.dialect.encode_embeddings(texts, line.model, params))
            url = line.url(line.dialect.embeddings_path(line.model))
            found = line.dialect.decode_embeddings(await line.ask(url, body, lambda: [*texts, *self._private()]))
            if len(found.vectors) != len(texts):
                raise MalformedResponseError(f"{len(found.vectors)} embeddings came for {len(texts)} texts")
        except ProviderAPIError as error:
            raise signed(error, self.id, [*texts, *self._private()])  # noqa: B904 - the very same error
        return Embeddings(found.vectors, usage=found.usage, model_id=self.id)

    async def list_models(self) -> Listing:
        """What the provider offers with this key, from all pages; `dropped` counts what could not be read."""
        line = self._line or self._connect()
        pages: list[list[ListedModel]] = []
        page: str | None = None
        for _ in range(_MAX_PAGES):
            body = await line.ask(line.url(line.dialect.models_path(page)), None, self._private)
            models, page = line.dialect.decode_models(body)
            pages.append(models)
            if page is None or sum(map(len, pages)) >= MAX_LISTED:
                break
        return Listing.joined(pages)

    async def health_check(self) -> bool:
        """True when the provider lists its models with this key; costs nothing."""
        try:
            await self.probe()
        except RateLimitError:
            return True  # it is there and knows the key
        except (ProviderAPIError, ModelProviderError):
            return False
        return True

    async def probe(self) -> None:
        """Ask for the first page of that list; raises what a call would raise."""
        line = self._line or self._connect()
        try:
            line.dialect.decode_models(await line.ask(line.url(line.dialect.models_path(None)), None, self._private))
        except ProviderAPIError as error:
            raise signed(error, self.id, self._private())  # noqa: B904 - the very same error

    def setup_issue(self) -> str | None:
        """Which variable to set, or what to pass, when key or address are missing."""
        if self._base_url is None:
            return f"no address for {self.provider}: pass base_url="
        if self._service.key_needed and not self._keys():
            return missing_key(self.provider, self._service.key_vars)
        return None

    async def cleanup(self) -> None:
        """Forget what was prepared; pooled connections are the loop's and close with it (or by `close_sessions`)."""
        self._line = None

    @property
    def rate_headers(self) -> Mapping[str, str] | None:
        """What came with the last reply over this model's line; of several keys none speaks for all."""
        return None if self._line is None or self._ring is not None else self._line.told

    @property
    def base_url(self) -> str | None:
        """Where its calls go."""
        return self._base_url

    @property
    def key_id(self) -> str:
        """A digest of provider and keys: equal for models that share them, and of no use to anyone else."""
        return key_digest(self.provider, self._base_url, self._keys())

    @property
    def key_status(self) -> dict[str, tuple[str, str | None]]:
        """Where there are several keys: each one's digest with its status and what it was refused for."""
        return {} if self._ring is None else self._ring.status()

    @property
    def api_key(self) -> SecretStr | None:
        """The key its calls carry, the first of several, behind a curtain; None when there is none."""
        return next(iter(self._keys()), None)

    @property
    def foreign_params(self) -> frozenset[str]:
        """Parameters that its dialect does not know and another one does."""
        return foreign_to(type(self._service.dialect).__name__)

    @property
    def wire_name(self) -> str:
        """The name that goes over the wire, where it differs from the one you use."""
        return self.name

    # inside

    def _keys(self) -> tuple[SecretStr, ...]:
        return self._api_keys or keys_from_environment(self._service.key_vars)

    def _private(self, request: Request | None = None) -> list[str]:
        """The texts that no error may repeat: the request's words and the keys."""
        texts = [] if request is None else [message.text for message in request.messages]
        return [*texts, *(key.get_secret_value() for key in self._keys())]

    def _connect(self) -> Line:
        """The line, made before the first call."""
        issue = self.setup_issue()
        if issue is not None:
            raise ModelProviderError(issue)
        keys = self._keys()
        if len(keys) < 2:
            self._line = self._line_with(next(iter(keys), None))
        else:
            by_id = {key_digest(self.provider, self._base_url, [key]): key for key in keys}
            lines = {key_id: self._line_with(key) for key_id, key in by_id.items()}
            self._ring = ring_of(self.provider, tuple(by_id), self._clock)
            self._line = KeyedLine(lines, self._ring)
        return self._line

    def _line_with(self, key: SecretStr | None) -> Line:
        return Line(
            provider=self.provider,
            dialect=self._service.dialect,
            model=self.wire_name,
            address=self._address,
            headers=self._headers(key),
            refused=self._look_again,
            limits=transport.Limits.of(
                first_byte_s=self._first_byte_s,
                gap_s=self._gap_s,
                connect_s=self._connect_s,
                private=self._allow_private,
            ),
        )

    def _look_again(self) -> None:
        """A key of the environment was refused: the next call reads it anew, since it may have been changed."""
        if not self._api_keys:
            self._line = None

    def _address(self, path: str) -> str:
        """The whole address of a path; services that put more into it override this."""
        return f"{self._base_url}/{path}"

    def _headers(self, key: SecretStr | None) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "User-Agent": "orchestrator", **self._service.headers}
        if key is not None:
            headers[self._service.key_header] = f"{self._service.key_prefix}{key.get_secret_value()}"
        return headers | self._extra_headers

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the key, given headers (they may hold one) and what belongs to this process."""
        state = dict(self.__dict__)
        state.update(_api_keys=(), _ring=None, _extra_headers={}, _line=None, _caller=None, cache=None)
        state["info"] = self.info.model_copy(update={"api_key": None})
        return state
