"""What every model behind somebody else's client shares: the client is borrowed, and stays out of pickles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from orchestrator.adapters.clients.failures import failure_of
from orchestrator.core.info import ModelInfo
from orchestrator.core.messages import Request
from orchestrator.core.model import Model
from orchestrator.errors import ModelProviderError, ProviderAPIError, ProviderConnectionError, StreamTruncatedError
from orchestrator.integrations.families import completed
from orchestrator.integrations.line import signed

__all__ = ["ClientModel"]


class ClientModel(Model):
    """A model of ours that asks through a client of theirs; whoever made the client closes it."""

    _client: Any

    def __init__(self, client: Any, *, name: str | None, provider: str, **facts: Any) -> None:
        if not name:
            raise TypeError(f"model_of needs name=: which model is {type(client).__name__} to ask?")
        super().__init__(completed(ModelInfo(**{"name": name, "provider": provider, **facts})))
        self._client = client

    def setup_issue(self) -> str | None:
        """A model that came out of a pickle has no client."""
        if self._client is None:
            return f"the client of {self.id!r} stayed behind when it was pickled: wrap one again with model_of"
        return None

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the client, which may hold a key and surely holds sockets."""
        return {**super().__getstate__(), "_client": None}

    @property
    def client(self) -> Any:
        """The client; ModelProviderError where it is gone."""
        issue = self.setup_issue()
        if issue is not None:
            raise ModelProviderError(issue)
        return self._client

    @contextmanager
    def _in_our_words(self, request: Request | None, said: Callable[[], str] = str) -> Iterator[None]:
        """What the client raises inside, as ours, without words of the prompt; `said` is what a stream has brought."""
        try:
            yield
        except Exception as error:
            found = failure_of(error, provider=self.provider, private=self._private(request))
            if said() and isinstance(found, ProviderConnectionError):  # a road that breaks in an answer has cut it
                found = StreamTruncatedError(f"the stream of {self.provider} broke before the answer ended")
            if isinstance(found, ProviderAPIError):
                found.text_so_far = found.text_so_far or said()
                signed(found, self.id, self._private(request))
            if found is error:
                raise
            raise found from error

    def _private(self, request: Request | None) -> list[str]:
        return [] if request is None else [message.text for message in request.messages]
