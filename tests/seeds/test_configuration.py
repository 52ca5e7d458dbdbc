"""The examples of settings and start-up (S0), from files to the answer."""

import importlib
import sys
import textwrap

import pytest

from orchestrator.core.cost import CostUnitWarning
from orchestrator.testing import Say

pytest.importorskip("yaml")
pytestmark = pytest.mark.usefixtures("street")

MAIN = """
debug: true
logging:
  level: "DEBUG"

registry:
  auto_register: true
  # If you have other provider YAMLs, reference them here:
  included_configs:
    - "./src/ember/registry/model/provider_registry/openai_provider/openai_config.yaml"
    - "./src/ember/registry/model/provider_registry/anthropic_provider/anthropic_config.yaml"
    - "./src/ember/registry/model/provider_registry/deepmind/gemini_config.yaml"

  # Or inline your models directly:
  models:
    - model_id: "openai:gpt-4o"
      model_name: "GPT-4o"
      cost:
        input_cost_per_million: 5000
        output_cost_per_million: 15000
      rate_limit:
        tokens_per_minute: 10000000
        requests_per_minute: 1500
      provider:
        name: "OpenAI"
        default_api_key: "${OPENAI_API_KEY}"
        base_url: "https://api.openai.com"
      api_key: null
"""  # S0 lines 84-113, without the `...`
GEMINI = """
models:
  - model_id: "google:gemini-1.5-pro"
    model_name: "Gemini 1.5 Pro"
    cost:
      input_cost_per_million: 3500
      output_cost_per_million: 10500
    rate_limit:
      tokens_per_minute: 1000000
      requests_per_minute: 1000
    provider:
      name: "Google"
      default_api_key: "${GOOGLE_API_KEY}"
      base_url: "https://api.google.com"
    api_key: null
"""  # S0 lines 199-215, without the `...`
NEW_PROVIDER = """
    debug: true
    logging:
      level: "DEBUG"
    registry:
      auto_register: true
      models:
        - model_id: "myprovider:cool-model"
          model_name: "Cool Model"
          cost:
            input_cost_per_million: 200
            output_cost_per_million: 600
          rate_limit:
            tokens_per_minute: 500000
            requests_per_minute: 1000
          provider:
            name: "MyProvider"
            default_api_key: "${MYPROVIDER_API_KEY}"
          api_key: null
"""  # S0 lines 225-244
FOLDER = "src/ember/registry/model/provider_registry"


@pytest.fixture
def project(tmp_path, monkeypatch, street):
    """The working directory of the guide: config.yaml and what it includes, and addresses that are on loopback."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ORCHESTRATOR_CONFIG", raising=False)
    here = MAIN.replace("https://api.openai.com", street.base_url("openai"))
    (tmp_path / "config.yaml").write_text(here)
    for name, text in {
        "openai_provider/openai_config.yaml": "models: []\n",
        "anthropic_provider/anthropic_config.yaml": "models: []\n",
        "deepmind/gemini_config.yaml": GEMINI,
    }.items():
        path = tmp_path / FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_the_settings_file_with_its_includes(project):
    """S0 lines 84-113 and 199-215: read literally, loudly; both models are registered with all they say."""
    from orchestrator.api.startup import initialize_global_registry

    with pytest.warns(CostUnitWarning):
        registry = initialize_global_registry()
    assert registry.list_models() == ["openai:gpt-4o", "google:gemini-1.5-pro"]
    gpt, gemini = registry.values()
    assert (gpt.name, gpt.info.display_name, gpt.provider) == ("gpt-4o", "GPT-4o", "openai")
    assert (gpt.cost.input, gpt.cost.output) == (5000, 15000)
    assert (gpt.constraints.max_tokens_per_minute, gpt.constraints.max_requests_per_minute) == (10_000_000, 1500)
    assert gpt.info.api_key.get_secret_value().startswith("sk-emulated")
    assert gemini.info.base_url == "https://api.google.com"
    assert gemini.constraints.max_requests_per_minute == 1000


def test_the_seeds_prices_with_their_unit(project):
    """S0 lines 101-103: the figures are thousandths of a dollar; said so, they are the real prices."""
    from orchestrator import ModelRegistry

    text = MAIN.replace("5000\n", "5000\n        unit: milli_usd\n", 1).partition("  included_configs")
    models = "  models:" + text[2].partition("  models:")[2]
    (project / "only.yaml").write_text(text[0] + models)
    cost = ModelRegistry.from_config("only.yaml")["openai:gpt-4o"].cost
    assert (cost.input, cost.output) == (5, 15)


def test_the_host_alone_is_the_providers_own_address():
    """S0 line 110: a base_url that names no path means the address that the provider has."""
    from orchestrator import OpenAIModel

    assert OpenAIModel(name="gpt-4o", base_url="https://api.openai.com").base_url == "https://api.openai.com/v1"


@pytest.mark.filterwarnings("ignore::orchestrator.core.cost.CostUnitWarning")
def test_initialize_and_use_the_models(project, street, capsys):
    """S0 lines 120-139."""
    street.script("gpt-4o", Say("Hi from GPT-4o."))
    code = """
    from orchestrator.api.startup import initialize_global_registry, GLOBAL_MODEL_REGISTRY
    from orchestrator.models.service import ModelService

    def main():
        # 1) Initialize the global registry
        initialize_global_registry()
        #    This reads config.yaml, merges any included provider configs,
        #    and registers all models.

        # 2) Create a ModelService that uses the global registry by default
        svc = ModelService()

        # 3) Invoke a model
        response = svc(prompt="Hello from GPT-4o!", model_id="openai:gpt-4o")
        print(response.data)

    if __name__ == "__main__":
        main()
    """
    exec(textwrap.dedent(code), {"__name__": "__main__"})
    assert capsys.readouterr().out == "Hi from GPT-4o.\n"


@pytest.mark.filterwarnings("ignore::orchestrator.core.cost.CostUnitWarning")
def test_calling_it_twice_registers_once(project):
    """S0 lines 188-193 and 261-265."""
    from orchestrator import initialize_global_registry
    from orchestrator.api.startup import GLOBAL_MODEL_REGISTRY

    initialize_global_registry()  # Reads and merges config, registers models
    initialize_global_registry()
    assert len(GLOBAL_MODEL_REGISTRY.list_models()) == 2


@pytest.mark.filterwarnings("ignore::orchestrator.core.cost.CostUnitWarning")
def test_the_module_and_the_service(project, street, capsys):
    """S0 lines 268-282."""
    street.script("gpt-4o", Say("From the module."), Say("From the service."))
    from orchestrator.api.startup import GLOBAL_MODEL_REGISTRY
    from orchestrator.models.lm_module import LMModule, LMModuleConfig

    # Minimal usage with an LMModule:
    config = LMModuleConfig(model_id="openai:gpt-4o", temperature=0.7)
    lm = LMModule(config=config)
    response_text = lm("Hello world!")
    print("Got:", response_text)  # noqa: T201 - as users write it

    # Or via ModelService:
    from orchestrator.models.service import ModelService

    service = ModelService(registry=GLOBAL_MODEL_REGISTRY, usage_service=None)
    resp = service.invoke_model(model_id="openai:gpt-4o", prompt="Hello world!")
    print("Got:", resp.data)  # noqa: T201 - as users write it
    assert capsys.readouterr().out == "Got: From the module.\nGot: From the service.\n"


def test_the_environment_file(tmp_path, monkeypatch):
    """S0 lines 64-79: keys from `.env` are there when a call needs them, and the environment wins."""
    from orchestrator import initialize_global_registry

    monkeypatch.chdir(tmp_path)
    names = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GOOGLE_API_KEY")
    for name in names[:2]:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv(names[2], "already-here")
    (tmp_path / ".env").write_text(
        "# .env\nOPENAI_API_KEY=sk-1234abcd\nANTHROPIC_API_KEY=claude-xyz789\nGOOGLE_API_KEY=AIza-abc123\n"
    )
    registry = initialize_global_registry()
    import os

    assert [os.environ[name] for name in names] == ["sk-1234abcd", "claude-xyz789", "already-here"]
    assert registry.get_model("claude-3-opus").setup_issue() is None


def test_a_provider_of_ones_own(tmp_path, monkeypatch, capsys):
    """S0 lines 219-246: one class, one entry, one variable."""
    from orchestrator import BaseProvider, ModelRegistry, register_provider
    from orchestrator.integrations.providers import unregister_provider

    class MyProvider(BaseProvider):
        name = "myprovider"

        def complete(self, prompt, model, **kwargs):
            return f"{model} with {self.api_key} says: {prompt}"

    monkeypatch.setenv("MYPROVIDER_API_KEY", "my-key-0123")
    path = tmp_path / "config.yaml"
    path.write_text(NEW_PROVIDER)
    register_provider("MyProvider", MyProvider)
    try:
        registry = ModelRegistry.from_config(path)
        answer = registry.invoke_model("myprovider:cool-model", "Hello")
    finally:
        unregister_provider("myprovider")
    assert answer.text == "cool-model with my-key-0123 says: Hello"
    assert answer.usage["cost"] is None or answer.usage["cost"] >= 0


def test_every_import_of_the_guide_has_a_home():
    """S0 lines 121-122, 158, 262, 269, 278: each name by its place here."""
    for home, names in {
        "orchestrator.api.startup": ("initialize_global_registry", "GLOBAL_MODEL_REGISTRY", "GLOBAL_USAGE_SERVICE"),
        "orchestrator.models.service": ("ModelService",),
        "orchestrator.models.lm_module": ("LMModule", "LMModuleConfig"),
        "orchestrator.models.usage": ("UsageService",),
    }.items():
        module = importlib.import_module(home)
        assert all(getattr(module, name) is not None for name in names)
    assert "orchestrator.api.startup" in sys.modules
