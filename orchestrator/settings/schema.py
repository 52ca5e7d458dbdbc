"""What settings may say, and the record they become."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import SecretStr

from orchestrator.core.info import ModelInfo
from orchestrator.settings.tree import Tree
from orchestrator.settings.variables import Missing

__all__ = ["ROOT_KEYS", "SECTIONS", "Settings"]

# each holds the keyword arguments of the part it sets up, or names of the user's own
SECTIONS: Final = (
    "selector",
    "objective",
    "cache",
    "health",
    "limits",
    "keys",
    "budgets",
    "usage",
    "journal",
    "profiles",
    "gateway",
    "telemetry",
    "state",
)
ROOT_KEYS: Final = (
    *SECTIONS,
    "models",
    "registry",
    "included_configs",
    "storage_path",
    "auto_register",
    "auto_discover",
    "debug",
    "logging",
)
LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Settings that were read and checked; keys are behind curtains.

    `models` are descriptions to register, `sections` the keyword arguments of each part by its name, `profiles`
    requirements by name, `keys` provider keys by provider. `missing` lists the variables that are not set, `sources`
    the files that were read.
    """

    models: tuple[ModelInfo, ...] = ()
    sections: Mapping[str, Tree] = field(default_factory=dict)
    profiles: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    keys: Mapping[str, SecretStr] = field(default_factory=dict)
    storage_path: str | None = None
    auto_register: bool = True
    auto_discover: bool = False
    log_level: str | None = None
    missing: tuple[Missing, ...] = ()
    sources: tuple[str, ...] = ()
