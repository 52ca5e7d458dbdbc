"""What a caller wants, whatever the dialect: the prompt, its parameters, and what is said to the engine itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from orchestrator.core.messages import Prompt, Request
from orchestrator.core.outcome import Objective
from orchestrator.core.requirements import REQUIREMENT_NAMES
from orchestrator.errors import did_you_mean
from orchestrator.gateway.members import FLAG, checked
from orchestrator.gateway.refusals import RefusedError
from orchestrator.gateway.settings import AUTO, GatewayKey, Profile

__all__ = ["EXTENSION", "Asked", "completed"]

EXTENSION = "orchestrator"
"""The member of a body, and the beginning of the headers (`X-Orchestrator-...`), that speak to the engine."""

_HEADER = "x-orchestrator-"
CALL_OPTIONS = ("deadline_s", "max_attempts", "cache", "priority", "wait_for_capacity", "hedge", "resume")
_WEIGHTS = tuple(one.name for one in fields(Objective))
_KNOWN = (*REQUIREMENT_NAMES, *CALL_OPTIONS, "objective", "tenant")


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: `model` is an id, `auto` or a profile's name until `completed` has looked it up (None: choose).

    `needs` are capabilities that what is asked cannot do without, whoever is to answer. Several `prompts`, of which
    `prompt` is the first, get as many choices each, in their order; with `echo` each answer begins with its own.
    """

    model: str | None
    prompt: Prompt
    params: Mapping[str, Any]
    stream: bool = False
    choices: int = 1
    with_usage: bool = True
    wanted: Mapping[str, Any] = field(default_factory=dict)
    objective: Objective | None = None
    needs: tuple[str, ...] = ()
    prompts: tuple[Prompt, ...] = ()
    echo: bool = False

    def request(self, choice: int = 0) -> Request:
        """A fresh request for the road, which takes from it what it uses up."""
        return Request.of(self.prompt_of(choice), **self.params)

    def prompt_of(self, choice: int) -> Prompt:
        """What the answer of this number is an answer to."""
        return self.prompts[choice * len(self.prompts) // self.choices] if self.prompts else self.prompt

    @property
    def varies(self) -> bool:
        """True where a prompt gets several answers, which are to differ."""
        return self.choices > max(1, len(self.prompts))


def completed(
    asked: Asked,
    headers: Mapping[str, str],
    extension: Any,
    *,
    key: GatewayKey | None,
    profiles: Mapping[str, Profile],
) -> Asked:
    """The request with everything said to the engine: profile first, then headers, then the body, last word wins."""
    said = _from_headers(headers) | _from_body(extension)
    tenant = _tenant(said.pop("tenant", None), key)
    profile = profiles.get(asked.model or AUTO)
    if not (said or profile or tenant or asked.needs) and asked.model not in (AUTO, None):
        return asked  # most callers say nothing to the engine
    objective = _objective(said.pop("objective", None))
    wanted = {name: said.pop(name) for name in REQUIREMENT_NAMES if name in said}
    params = {**(profile.params if profile else {}), **asked.params, **said}
    wanted = {**(profile.wanted if profile else {}), **wanted}
    if asked.needs:
        wanted["capabilities"] = _with_needs(wanted.get("capabilities"), asked.needs)
    if tenant is not None:
        params["tenant"] = tenant
    return replace(
        asked,
        model=None if profile or asked.model in (AUTO, None) else asked.model,
        params=params,
        wanted=wanted,
        objective=objective or (profile.objective if profile else None),
    )


def _with_needs(named: Any, needs: Sequence[str]) -> Any:
    """What the caller named and what is needed besides; what names nothing is left to be refused as it is."""
    names = [named] if isinstance(named, str) else named or []
    return [*names, *needs] if isinstance(names, list | tuple) else named


def _tenant(named: Any, key: GatewayKey | None) -> str | None:
    """Whose call this is; a caller with a key may speak for others only where the key says so."""
    if key is None or key.names_tenants:
        return named if named is None else str(named)
    if named is not None and named != key.tenant:
        raise RefusedError(403, "permission", "this key may not name a tenant: leave it out, or set names_tenants")
    return key.tenant or key.name


def _objective(weights: Any) -> Objective | None:
    if weights is None or isinstance(weights, Objective):
        return weights
    if not isinstance(weights, Mapping):
        raise RefusedError(400, "invalid_request", "objective is a mapping of weights: quality, cost, latency")
    for name in weights:
        if name not in _WEIGHTS:
            raise RefusedError(400, "invalid_request", f"objective.{name} is not known; {did_you_mean(name, _WEIGHTS)}")
    return Objective(**weights)


def _from_body(extension: Any) -> dict[str, Any]:
    if extension is None:
        return {}
    if not isinstance(extension, Mapping):
        raise RefusedError(400, "invalid_request", f"{EXTENSION!r} is an object with any of: {', '.join(_KNOWN)}")
    for name in extension:
        if name not in _KNOWN:
            raise RefusedError(400, "invalid_request", f"{EXTENSION}.{name} is not known; {did_you_mean(name, _KNOWN)}")
    checked(extension, {"cache": FLAG}, of=EXTENSION)  # the others are looked at where they are used
    return dict(extension)


def _from_headers(headers: Mapping[str, str]) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for header, text in headers.items():
        if header[:15].lower() != _HEADER:
            continue
        name = header[15:].lower().replace("-", "_")
        if name not in _READERS:
            raise RefusedError(
                400, "invalid_request", f"the header {header} is not known; {did_you_mean(name, list(_READERS))}"
            )
        said[name] = _read(header, name, text)
    return said


def _read(header: str, name: str, text: str) -> Any:
    try:
        return _READERS[name](text.strip())
    except ValueError:
        raise RefusedError(400, "invalid_request", f"the header {header} cannot be read: {text[:40]!r}") from None


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _flag(text: str) -> bool:
    if text.lower() not in ("true", "false", "1", "0"):
        raise ValueError(text)
    return text.lower() in ("true", "1")


def _weights(text: str) -> dict[str, float]:
    """Weights as `quality=1, cost=0.2`."""
    pairs = (pair.partition("=") for pair in _names(text))
    return {name.strip(): float(value) for name, _, value in pairs}


_READERS: dict[str, Callable[[str], Any]] = {
    "capabilities": _names,
    "max_cost": float,
    "min_speed": float,
    "max_latency": float,
    "context_length": int,
    "exclude_models": _names,
    "models": _names,
    "tags": _names,
    "provider": str,
    "is_local": _flag,
    "strict": _flag,
    "deadline_s": float,
    "max_attempts": int,
    "cache": _flag,
    "priority": str,
    "wait_for_capacity": _flag,
    "hedge": _flag,
    "resume": _flag,
    "tenant": str,
    "objective": _weights,
}
