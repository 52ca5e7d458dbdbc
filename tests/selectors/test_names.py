"""From a name to a selector."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from orchestrator import selectors
from orchestrator.core.outcome import Objective
from orchestrator.errors import ConfigurationError
from orchestrator.selectors import SELECTORS, selector_named, selector_names

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", SELECTORS)
def test_each_built_in_answers_to_its_name(name):
    """The table, the class and the class's own name agree."""
    selector = selector_named(name)
    assert selector.name == name
    assert type(selector).__name__ in selectors.__all__
    assert name in selector_names()


def test_options_go_to_the_constructor():
    """None leaves the default."""
    objective = Objective(quality=1, cost=1)
    selector = selector_named("ucb", exploration_factor=0.5, min_trials=None, objective=objective)
    assert (selector.exploration_factor, selector.min_trials, selector.objective) == (0.5, 5, objective)


def test_an_object_is_returned_as_it_is_and_a_class_is_made():
    """All three ways to say which selector."""
    made = selectors.ThompsonSelector()
    assert selector_named(made, objective=None) is made
    assert isinstance(selector_named(selectors.ThompsonSelector, prior_failures=2), selectors.ThompsonSelector)
    with pytest.raises(ConfigurationError, match="objective"):
        selector_named(made, objective=Objective())


def test_an_unknown_name_is_answered_with_near_ones():
    """The message helps to go on."""
    with pytest.raises(ConfigurationError, match="no selector 'thomson'; did you mean 'thompson'"):
        selector_named("thomson")


def test_an_unknown_option_is_answered_with_near_ones():
    """The same for options."""
    with pytest.raises(ConfigurationError, match="no option 'exploration'; did you mean 'exploration_factor'"):
        selector_named("ucb", exploration=1)


def test_importing_the_package_does_not_load_numpy():
    """The policies bring numpy; their list does not."""
    code = "import json, sys, orchestrator.selectors; print(json.dumps([m for m in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = json.loads(done.stdout)
    assert "numpy" not in loaded
    assert "importlib.metadata" not in loaded


def test_built_ins_are_declared_like_plug_ins():
    """pyproject.toml lists every built-in selector as an entry point, under the same name and path."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["entry-points"]
    assert declared["orchestrator.selectors"] == SELECTORS


def test_an_unknown_attribute_is_an_attribute_error():
    """Lazy loading answers as a plain module would."""
    with pytest.raises(AttributeError, match="Roulette"):
        _ = selectors.Roulette
    assert "UCBModelSelector" in dir(selectors)
