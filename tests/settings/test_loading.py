"""Settings that are right: includes, variables, precedence, and every section at its place."""

import pytest

from orchestrator import ModelRegistry
from orchestrator.core.cost import CostUnitWarning
from orchestrator.errors import ConfigurationError
from orchestrator.settings import export_dotenv, load_settings, read_dotenv


def ids(settings):
    """The ids in the order of their registration."""
    return [info.id for info in settings.models]


def test_everything_at_once(write):
    """One file sets up models, policy, weights, cache, health, limits, keys and profiles."""
    path = write("""
selector: {name: ucb, exploration_factor: 0.5}
objective: {quality: 1, cost: 2, latency: 0}
cache: {backend: memory, ttl: 60}
health: {check_interval: 30, failure_threshold: 2, cool_down_s: 3}
limits:
  deadline_s: 10
  max_attempts: 2
  max_queue: 7
  providers: {openai: {requests_per_minute: 600}}
budgets: {day_usd: 5, tenants: {acme: {day_usd: 1}}}
keys: {openai: "${OPENAI_API_KEY}"}
profiles:
  cheap: {max_cost: 0.001, capabilities: [vision], params: {temperature: 0}, objective: {cost: 5}}
models:
  - openai/gpt-4o
  - {id: mine, provider: openai, name: gpt-4o-mini, tags: [fast], cost: {input: 0.15, output: 0.6}}
""")
    registry = ModelRegistry.from_config(path, environ={"OPENAI_API_KEY": "sk-0123456789abcdef"})
    assert list(registry) == ["openai/gpt-4o", "mine"]
    assert (registry.selector.name, registry.selector.exploration_factor) == ("ucb", 0.5)
    assert registry.selector.objective.cost == 2
    assert registry.recall.cache.ttl_s == 60
    assert (registry.health.check_interval, registry.health.failure_threshold) == (30, 2)
    assert (registry.service.deadline_s, registry.service.max_attempts) == (10, 2)
    assert registry.admission.max_queue == 7
    assert (registry.budgets.left_usd(), registry.budgets.left_usd("acme")) == (5, 1)
    assert registry["mine"].info.api_key.get_secret_value() == "sk-0123456789abcdef"
    assert registry.get_model("openai/gpt-5-mini").setup_issue() is None
    assert registry.settings.profiles["cheap"]["max_cost"] == 0.001


def test_arguments_over_environment_over_file(write):
    """What is nearer to the call wins."""
    path = write("limits: {deadline_s: 1, max_attempts: 1}\nselector: cost\nmodels: [openai/a]\n")
    environ = {
        "ORCHESTRATOR_LIMITS__DEADLINE_S": "2",
        "ORCHESTRATOR_LIMITS__MAX_ATTEMPTS": "2",
        "ORCHESTRATOR_SELECTOR": "performance",
        "ORCHESTRATOR_MODELS": "openai/b, openai/c",
    }
    registry = ModelRegistry.from_config(path, environ=environ, max_attempts=3)
    assert (registry.service.deadline_s, registry.service.max_attempts) == (2, 3)
    assert registry.selector.name == "performance"
    assert sorted(registry) == ["openai/a", "openai/b", "openai/c"]
    assert ModelRegistry.from_config(path, environ=environ, selection_strategy="ucb").selector.name == "ucb"


def test_an_unknown_section_in_the_environment_is_told():
    """A misspelt variable is no silent default."""
    with pytest.raises(ConfigurationError, match=r"\$ORCHESTRATOR_CHACHE__TTL: unknown key 'chache'.*'cache'"):
        load_settings({}, environ={"ORCHESTRATOR_CHACHE__TTL": "5"})


def test_includes_are_merged_wherever_their_models_stand(write):
    """Under `registry:` or at the top, models join; paths count from the file that names them; main wins."""
    write("models: [openai/b]\nlimits: {deadline_s: 1, max_attempts: 5}\n", "parts/b.yaml")
    write("registry:\n  models: [openai/c]\n  included_configs: [b.yaml]\n", "parts/c.yaml")
    path = write("""
registry:
  included_configs: [parts/c.yaml, parts/b.yaml]
  models: [openai/a]
limits: {deadline_s: 9}
""")
    settings = load_settings(path, environ={})
    assert ids(settings) == ["openai/a", "openai/c", "openai/b"]
    assert settings.sections["limits"] == {"deadline_s": 9, "max_attempts": 5}
    assert len(settings.sources) == 3


def test_a_circle_of_includes_is_told(write):
    """Each file by its name, in the order of the circle."""
    write("included_configs: [a.yaml]\n", "b.yaml")
    path = write("included_configs: [b.yaml]\n", "a.yaml")
    with pytest.raises(ConfigurationError, match=r"a\.yaml -> b\.yaml -> a\.yaml"):
        load_settings(path, environ={})


def test_an_include_that_is_missing_names_both_places(write):
    """The file that is not there, and the line that wants it."""
    path = write("debug: false\nincluded_configs:\n- gone.yaml\n")
    with pytest.raises(ConfigurationError, match=r"gone\.yaml is not there.*included at .*models\.yaml:3"):
        load_settings(path, environ={})


def test_a_variable_stands_for_a_whole_value(write):
    """Numbers too; what is not set is as if it were not written, and is noted."""
    text = 'models:\n- {id: openai/a, context_window: "${WINDOW}", api_key: "${NO_KEY}", base_url: "${NO_URL}"}\n'
    settings = load_settings(write(text), environ={"WINDOW": "8192", "NO_URL": ""})
    info = settings.models[0]
    assert (info.context_window, info.api_key, info.base_url) == (8192, None, None)
    assert [(one.name, one.place.line) for one in settings.missing] == [("NO_KEY", 2), ("NO_URL", 2)]


def test_entries_of_the_older_kind(write):
    """`name`, `provider` and `config` describe a model as well."""
    settings = load_settings(write("""
models:
- name: llama2
  provider: ollama
  config: {host: localhost, port: 11434, model_path: "llama2:7b"}
  capabilities: {text_generation: true, max_tokens: 4096}
  constraints: {max_requests_per_minute: 100, cost_per_token: {input: 0.000001, output: 0.000002}}
"""), environ={})  # fmt: skip
    info = settings.models[0]
    assert (info.id, info.name, info.base_url) == ("ollama/llama2", "llama2:7b", "http://localhost:11434")
    assert (info.cost.input, info.cost.output) == (1, 2)
    assert (info.capabilities.max_tokens, info.constraints.max_requests_per_minute) == (4096, 100)


def test_a_price_in_another_unit_is_read_as_it_says(write):
    """5000 a million is taken literally, loudly; with its unit it is five dollars."""
    entry = "models:\n- id: openai/a\n  cost: {input_cost_per_million: 5000%s}\n"
    with pytest.warns(CostUnitWarning, match="unit: milli_usd"):
        assert load_settings(write(entry % ""), environ={}).models[0].cost.input == 5000
    assert load_settings(write(entry % ", unit: milli_usd"), environ={}).models[0].cost.input == 5


@pytest.mark.parametrize("word", ["no", "off", "1_000", "0x10", "2026-01-01", "12:30:45", "=", "1.2.3"])
def test_words_are_not_reinterpreted(write, word):
    """The traps of older YAML are text here."""
    settings = load_settings(write(f"models:\n- {{id: a/b, tags: [{word}]}}\n"), environ={})
    assert settings.models[0].tags == {word}


def test_auto_register_may_be_off(write):
    """Then models are described and not registered."""
    registry = ModelRegistry.from_config(write("auto_register: false\nmodels: [a/b]\n"), environ={})
    assert (list(registry), ids(registry.settings)) == ([], ["a/b"])


# .env


def test_the_lines_of_a_dotenv_file(write):
    """Comments, `export`, quotes and escapes; nothing else is interpreted."""
    path = write(
        '# keys\nA=1\nexport B = two # a comment\nC=\'single # not\'\nD="line\\nbreak \\"q\\""\nE=\n\nF=a=b#c\nG=${A}\n',
        ".env",
    )
    assert read_dotenv(path) == {
        "A": "1", "B": "two", "C": "single # not", "D": 'line\nbreak "q"', "E": "", "F": "a=b#c", "G": "${A}",
    }  # fmt: skip


def test_a_line_that_is_none_is_named_without_its_value(write):
    """The file and line are told; what may be a key is not."""
    with pytest.raises(ConfigurationError, match=r"\.env:2: no NAME=value") as caught:
        read_dotenv(write("A=1\nsk-canary 5\n", ".env"))
    assert "canary" not in str(caught.value)


def test_the_environment_wins_over_dotenv(write, tmp_path):
    """What is set stays; what is not is set; a missing file sets nothing."""
    environ = {"A": "mine"}
    assert export_dotenv(write("A=theirs\nB=new\n", ".env"), environ) == ("B",)
    assert environ == {"A": "mine", "B": "new"}
    assert export_dotenv(tmp_path / "none", environ) == ()


def test_a_registry_from_the_environment_alone(write, monkeypatch):
    """Models, policy and keys from variables, and those from `.env`."""
    monkeypatch.setenv("ORCHESTRATOR_SELECTOR", "cost")
    monkeypatch.setenv("ORCHESTRATOR_MODELS", "")
    monkeypatch.delenv("ORCHESTRATOR_MODELS")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    path = write("ORCHESTRATOR_MODELS=openai/gpt-4o\nOPENAI_API_KEY=sk-0123456789abcdef\n", ".env")
    registry = ModelRegistry.from_env(env_file=path)
    assert (list(registry), registry.selector.name) == (["openai/gpt-4o"], "cost")
    assert registry["openai/gpt-4o"].setup_issue() is None
    monkeypatch.delenv("ORCHESTRATOR_MODELS")  # what the file has set ends with the test
    monkeypatch.delenv("OPENAI_API_KEY")
