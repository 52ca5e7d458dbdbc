"""Every example in a docstring is run."""

import doctest
import importlib
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "orchestrator"


def modules():
    """The name of every module, by its file."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        if parts[-1] != "__main__":
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def loaded(name):
    """The module; an adapter whose framework is not here says which extra brings it, and is left out."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as missing:
        if not name.startswith("orchestrator.adapters.") or "pip install" not in str(missing):
            raise
        pytest.skip(str(missing))


@pytest.mark.parametrize("name", list(modules()))
def test_the_module_loads_and_its_examples_hold(name):
    """What the documentation shows is what happens."""
    result = doctest.testmod(loaded(name), optionflags=doctest.ELLIPSIS)
    assert result.failed == 0
