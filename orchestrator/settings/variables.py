"""`${NAME}`: values that are taken from the environment, whole or not at all."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from orchestrator.errors import ConfigurationError
from orchestrator.settings.tree import Branch, Place, Tree

__all__ = ["Missing", "filled"]

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class Missing(NamedTuple):
    """A variable that a setting wants and that is not set."""

    name: str
    place: Place


def filled(value: Any, place: Place, environ: Mapping[str, str], missing: list[Missing]) -> Any:
    """The value with every `${NAME}` replaced; what is not set becomes None and is noted in `missing`.

    >>> gone = []
    >>> filled("${HOME_OF_NOBODY}", Place("a.yaml", 1), {}, gone), gone[0].name
    (None, 'HOME_OF_NOBODY')
    """
    if isinstance(value, Tree):
        for key, one in value.items():
            value[key] = filled(one, value.at(key), environ, missing)
    elif isinstance(value, Branch):
        value[:] = [filled(one, where, environ, missing) for one, where in value.placed()]
    elif isinstance(value, str) and "${" in value:
        return _looked_up(value, place, environ, missing)
    return value


def _looked_up(text: str, place: Place, environ: Mapping[str, str], missing: list[Missing]) -> str | None:
    whole = _VARIABLE.fullmatch(text.strip())
    if whole is None:
        raise ConfigurationError(
            f'{place}: a variable stands for a whole value, as in "${{NAME}}": put the rest into it too'
        )
    found = environ.get(whole[1])
    if not found:
        missing.append(Missing(whole[1], place))
        return None
    return found
