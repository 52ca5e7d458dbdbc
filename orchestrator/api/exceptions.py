"""Every error of the engine, under the name users of the facade import it from."""

from orchestrator.errors import *  # noqa: F403 - the same list, kept in one place
from orchestrator.errors import __all__ as __all__
