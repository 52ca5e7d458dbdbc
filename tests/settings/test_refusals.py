"""Settings that are wrong: refused with file, line and key before anything is built, however hostile they are."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator import ModelRegistry
from orchestrator.errors import ConfigurationError
from orchestrator.settings import load_settings
from orchestrator.settings.tree import Tree
from orchestrator.settings.yaml_file import parse_yaml

BOMB = "a: &a [x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]\n" for i in range(20)
)

WRONG = {
    "an unknown section": ("modles: []\n", r":1: unknown key 'modles'; did you mean 'models'"),
    "an unknown key of a model": (
        "models:\n- id: openai/x\n  contxt_size: 5\n",
        r":3: .*'contxt_size'.*'context_size'",
    ),
    "an unknown price": ("models:\n- id: a/b\n  cost:\n    inptu: 5\n", r":3: unknown cost key 'inptu'.*'input'"),
    "an unknown limit": ("models:\n- id: a/b\n  rate_limit:\n    rpm: 5\n", r":4: unknown key 'rpm' in rate_limit"),
    "an unknown provider field": ("models:\n- id: a/b\n  provider:\n    nam: x\n", r":4: .*'nam'.*did you mean 'name'"),
    "a number that cannot be": ("models:\n- id: a/b\n  context_window: -5\n", r":3: model 'a/b', 'context_window'"),
    "a model without a name": ("models:\n- tags: [x]\n", r":2: .*needs an 'id'"),
    "a model twice": ("models:\n- a/b\n- id: a/b\n", r":3: 'a/b' is described at .*:2 already"),
    "a version read as a number": ("models: [{id: x/y, version: 1.10}]", r":1: .*'version': .*quotes"),
    "a variable that is not set": ("models:\n- id: ${NOBODY_SET_ME}\n", r":2: .*\$\{NOBODY_SET_ME\} is not set"),
    "a variable within a text": ("models:\n- id: a/${X}\n", r":2: .*whole value"),
    "a wrong option of the selector": ("selector:\n  name: ucb\n  exploration: 2\n", r":3: .*'exploration_factor'"),
    "an unknown selector": ("selector: ucbb\n", r":1: .*'ucb'"),
    "an option of the cache": ("cache:\n  backend: memory\n  tll: 5\n", r":3: unknown key 'tll' in cache; .*'ttl'"),
    "a time that cannot be": ("cache: {ttl: -1}\n", r":1: cache: .*ttl=-1"),
    "a health option": ("health:\n  check_intervall: 5\n", r":2: .*'check_interval'"),
    "a weight that cannot be": ("objective: {quality: -1}\n", r":1: objective: .*quality=-1"),
    "a limit of another kind": ("limits:\n  deadline_s: soon\n", r":2: limits: deadline_s='soon'"),
    "a limit of a provider": (
        "limits:\n  providers:\n    openai: {rpm: 5}\n",
        r":3: unknown key 'rpm'.*limits of openai",
    ),
    "a budget": ("budgets:\n  day_usd: 5\n  dai_usd: 5\n", r":3: unknown key 'dai_usd' in budgets; .*'day_usd'"),
    "an unknown requirement": ("profiles:\n  cheap:\n    max_costs: 1\n", r":3: profile 'cheap'.*'max_cost'"),
    "a requirement that cannot be": ("profiles:\n  cheap: {max_cost: -1}\n", r":2: profile 'cheap': max_cost=-1"),
    "an unknown log level": ("logging: {level: LOUD}\n", r":1: level='LOUD': use one of DEBUG"),
    "text where a mapping goes": ("objective: high\n", r":1: 'objective': give a mapping"),
    "a duplicate key": ("debug: true\ndebug: false\n", r":2: the key 'debug' is here twice"),
    "aliases": ("models: &all [a/b]\nx: *all\n", r":1: anchors and aliases"),
    "an alias bomb": (BOMB, r":1: anchors and aliases"),
    "a tag": ("x: !!python/object/apply:os.system [ls]\n", r":1: tags"),
    "two documents": ("debug: true\n---\ndebug: false\n", r":2: a second document"),
    "a list": ("- a\n", r":1: .*mapping of keys, not a list"),
    "HTML": ("<!DOCTYPE html>\n<html><body>404</body></html>\n", r"models\.yaml:\d"),
    "truncated": ("models:\n  - id: 'openai/gp", r":\d+: no YAML"),
    "an odd key": ("? [a]\n: b\n", r":1: a key is a text"),
    "too deep": ("x: " + "[" * 50 + "]" * 50, r"nested deeper than 32"),
    "too many values": ("models:\n" + "- a\n" * 100_001, r"more than 100,000 values"),
    "too long a text": ("models:\n- " + "x" * 70_000, r":2: a text of more than 65,536"),
    "too large": ("# " + "x" * 1_100_000, r"larger than 1,048,576 bytes"),
    "no text": (b"models:\n- \xff\xfe\n", r"no UTF-8"),
    "a control character": ("models: [\x00]\n", r"no YAML"),
}


@pytest.mark.parametrize(("text", "told"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told_with_its_place(write, text, told):
    """The message has the file, the line, the key and what was probably meant."""
    path = write(text)
    with pytest.raises(ConfigurationError, match=told) as caught:
        ModelRegistry.from_config(path, environ={})
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 1_500


def test_a_mapping_is_checked_like_a_file():
    """What a program hands over has no lines, and the same rules."""
    with pytest.raises(ConfigurationError, match=r"settings: unknown key 'modles'"):
        load_settings({"modles": []}, environ={})


def test_json_is_read_like_yaml(write):
    """A .json file needs no library; doubles and faults are told there too."""
    assert [info.id for info in load_settings(write('{"models": ["a/b"]}', "m.json"), environ={}).models] == ["a/b"]
    for text, told in (
        ('{"a": 1, "a": 2}', "twice"),
        ('{"models": [', r"m\.json:1: no JSON"),
        ("[]", "mapping"),
        ("[" * 99_999, "deep"),
    ):
        with pytest.raises(ConfigurationError, match=told):
            load_settings(write(text, "m.json"), environ={})


def test_a_secret_is_in_no_message(write):
    """A fault beside a key does not show the key."""
    text = "models:\n- id: openai/x\n  api_key: sk-canary-123456\n  context_window: sk-canary-123456\n"
    with pytest.raises(ConfigurationError) as caught:
        load_settings(write(text), environ={})
    assert "canary" not in str(caught.value)
    assert "canary" not in repr(load_settings({"keys": {"openai": "sk-canary-123456"}}, environ={}).keys)


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("ab:-[]{}&*!|>'\"#,?~ \n\t0${}"), max_size=40))
def test_any_text_is_a_tree_or_a_clear_error(text):
    """No text makes the reader fail in a way of its own."""
    tree, told = None, "any.yaml"
    try:
        tree = parse_yaml(text, "any.yaml")
    except ConfigurationError as error:
        told = str(error)
    assert tree is None or isinstance(tree, Tree)
    assert told.startswith("any.yaml")
