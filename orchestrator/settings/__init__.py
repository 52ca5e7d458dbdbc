"""Settings from arguments, the environment, `.env` and YAML, checked before anything is built from them.

>>> from orchestrator.settings import load_settings
>>> settings = load_settings({"models": [{"id": "openai/gpt-4o"}], "selector": "cost"}, environ={})
>>> [info.id for info in settings.models], settings.sections["selector"]
(['openai/gpt-4o'], {'name': 'cost'})
"""

from __future__ import annotations

from orchestrator.settings.calling import made
from orchestrator.settings.dotenv import export_dotenv, read_dotenv
from orchestrator.settings.loading import load_settings
from orchestrator.settings.schema import SECTIONS, Settings
from orchestrator.settings.tree import Place, Tree

__all__ = [
    "SECTIONS",
    "Place",
    "Settings",
    "Tree",
    "export_dotenv",
    "load_model_config",
    "load_settings",
    "made",
    "read_dotenv",
]

load_model_config = load_settings
