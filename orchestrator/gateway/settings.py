"""What a gateway may be told: where it listens, who may call, how much, and what the names of profiles mean."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.core.outcome import Objective
from orchestrator.core.requirements import REQUIREMENT_NAMES
from orchestrator.errors import ConfigurationError, did_you_mean

__all__ = ["AUTO", "GatewayKey", "GatewaySettings", "Profile", "keys_in"]

AUTO = "auto"
_SHORTEST_KEY = 16


@dataclass(frozen=True, slots=True)
class GatewayKey:
    """Someone who may call: `tenant` is whose budget, cache and fairness share the calls belong to.

    `requests_per_minute` and `budget_usd_per_day` bound this key alone. An `admin` key may also use the buttons of
    the dashboard; `names_tenants` lets a trusted caller say for which of its own tenants it asks.
    """

    name: str
    key: str = field(repr=False)
    tenant: str | None = None
    requests_per_minute: float | None = None
    budget_usd_per_day: float | None = None
    admin: bool = False
    names_tenants: bool = False

    def __post_init__(self) -> None:
        if len(self.key) < _SHORTEST_KEY:
            raise ConfigurationError(f"the key {self.name!r} is too short: give {_SHORTEST_KEY} characters or more")
        if not isinstance(self.tenant, str | None):
            raise ConfigurationError(f"tenant={self.tenant!r} of the key {self.name!r}: give a text, or none")
        for switch in ("admin", "names_tenants"):
            _check_switch(getattr(self, switch), f"{switch} of the key {self.name!r}")
        for limit in ("requests_per_minute", "budget_usd_per_day"):
            value = getattr(self, limit)
            if value is not None and not (type(value) in (int, float) and math.isfinite(value) and value > 0):
                raise ConfigurationError(f"{limit}={value!r} of the key {self.name!r}: give a number above 0, or none")


@dataclass(frozen=True, slots=True)
class Profile:
    """A name that callers use as a model: requirements, weights and parameters in one word."""

    wanted: Mapping[str, Any] = field(default_factory=dict)
    objective: Objective | None = None
    params: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, spec: Mapping[str, Any]) -> Profile:
        """A profile from settings: requirements by name, `objective` and `params` beside them.

        >>> Profile.of({"max_cost": 0.01, "params": {"temperature": 0}}).wanted
        {'max_cost': 0.01}
        """
        wanted = {name: value for name, value in spec.items() if name not in ("objective", "params")}
        for name in wanted:
            if name not in REQUIREMENT_NAMES:
                known = [*REQUIREMENT_NAMES, "objective", "params"]
                raise ConfigurationError(f"a profile has no {name!r}; {did_you_mean(name, known)}")
        weights = spec.get("objective")
        objective = Objective(**weights) if isinstance(weights, Mapping) else weights
        return cls(wanted, objective, dict(spec.get("params") or {}))


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """A gateway's settings; without `keys` everybody who reaches the port may call, so it listens on loopback.

    Sizes are bytes, times seconds. A connection has `head_s` to say what it wants and `read_s` for a body; `drain_s` is
    how long calls in flight may finish after SIGTERM, `beat_s` how long a stream may be silent before it gives a sign
    of life. `operator_key` opens the buttons of the dashboard and nothing else, for a gateway without admin keys.

    >>> GatewaySettings(port=99999)
    Traceback (most recent call last):
    orchestrator.errors.ConfigurationError: port=99999: give a number from 0 (any free port) to 65535
    """

    host: str = "127.0.0.1"
    port: int = 8000
    keys: tuple[GatewayKey, ...] = ()
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    max_body: int = 10 * 1024 * 1024
    head_s: float = 10.0
    read_s: float = 30.0
    drain_s: float = 30.0
    beat_s: float = 15.0
    allow_open: bool = False
    operator_key: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ConfigurationError(f"port={self.port!r}: give a number from 0 (any free port) to 65535")
        for name in ("max_body", "head_s", "read_s", "drain_s", "beat_s"):
            if not getattr(self, name) > 0:
                raise ConfigurationError(f"{name}={getattr(self, name)!r}: give a number above 0")
        if self.operator_key is not None and len(self.operator_key) < _SHORTEST_KEY:
            raise ConfigurationError(f"the operator key is too short: give {_SHORTEST_KEY} characters or more")
        _check_switch(self.allow_open, "allow_open")
        if AUTO in self.profiles:
            raise ConfigurationError(f"the profile {AUTO!r} is there already: it stands for every model; take a name")
        if not self.keys and not self.allow_open and not self.is_local:
            raise ConfigurationError(
                f"host={self.host!r} without keys lets anybody spend your money: give keys, or allow_open=True"
            )

    @property
    def is_local(self) -> bool:
        """True when only this machine can reach the gateway."""
        return self.host in ("127.0.0.1", "::1", "localhost")


def _check_switch(value: Any, name: str) -> None:
    """Text, such as a variable's, is neither: "no" would open what it was to keep shut."""
    if not isinstance(value, bool):
        raise ConfigurationError(f"{name} is {value!r}: give true or false, not a text")


def keys_in(text: str) -> tuple[GatewayKey, ...]:
    """Keys as one line of settings says them: `name:key`, separated by commas.

    >>> [key.name for key in keys_in("web:0123456789abcdef, batch:fedcba9876543210")]
    ['web', 'batch']
    """
    pairs = [pair.strip().partition(":") for pair in text.split(",") if pair.strip()]
    for number, (name, colon, _) in enumerate(pairs, 1):
        if not (name and colon):
            raise ConfigurationError(f"gateway key {number} has no name: write NAME:KEY, separated by commas")
    return tuple(GatewayKey(name, key.strip()) for name, _, key in pairs)
