"""Google: Gemini by API key, or on Vertex AI by project, location and OAuth token."""

from __future__ import annotations

import re
from typing import Any

from orchestrator.core.messages import Prompt, Request
from orchestrator.errors import ProviderAPIError, ProviderConfigError
from orchestrator.integrations import strict_json
from orchestrator.integrations.dialects.google import Google, read_token_count
from orchestrator.integrations.http_model import HTTPModel
from orchestrator.integrations.line import signed
from orchestrator.integrations.service import Service

__all__ = ["GoogleModel"]

_GEMINI = Service(
    provider="google",
    base_url="https://generativelanguage.googleapis.com/v1beta",
    dialect=Google(),
    key_vars=("GOOGLE_API_KEY", "GEMINI_API_KEY", "GOOGLE_AI_API_KEY"),
    key_header="x-goog-api-key",
    key_prefix="",
)
_PLACE = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def _vertex(project: str, location: str) -> Service:
    """The same bodies elsewhere; the key is an OAuth access token, such as `gcloud auth print-access-token` gives."""
    for name, value in (("project", project), ("location", location)):
        if not _PLACE.fullmatch(value):
            raise ProviderConfigError(f"{name}={value!r}: lower-case letters, digits and dashes are accepted")
    host = "aiplatform.googleapis.com" if location == "global" else f"{location}-aiplatform.googleapis.com"
    return Service(
        provider="google",
        base_url=f"https://{host}/v1/projects/{project}/locations/{location}/publishers/google",
        dialect=Google(),
        key_vars=("GOOGLE_OAUTH_TOKEN", "VERTEX_ACCESS_TOKEN"),
    )


class GoogleModel(HTTPModel):
    """A Gemini model; `project=` and `location=` speak to it on Vertex AI, where `api_key` is an OAuth token.

    >>> GoogleModel("gemini-2.5-flash").context_size
    1048576
    """

    service = _GEMINI

    def __init__(
        self, name: str | None = None, *, project: str | None = None, location: str = "us-central1", **options: Any
    ) -> None:
        super().__init__(name, service=_GEMINI if project is None else _vertex(project, location), **options)

    async def count_tokens(self, prompt: Prompt, **params: Any) -> int | None:
        """How many tokens the prompt has for this model; asked of the provider, free of charge."""
        line = self._line or self._connect()
        request = Request.of(prompt, **params)
        url = line.url(line.dialect.chat_path(line.model, stream=False).replace(":generateContent", ":countTokens"))
        try:
            body = strict_json.dumps({"contents": line.written(request)["contents"]})
            return read_token_count(await line.ask(url, body, lambda: self._private(request)))
        except ProviderAPIError as error:
            raise signed(error, self.id, self._private(request))  # noqa: B904 - the very same error
