"""Each connector gives what the real client takes: the client itself is made with it, and answers."""

import gc
import warnings

import pytest

from orchestrator.catalog import ConnectorRegistry
from orchestrator.core.model import Model
from orchestrator.errors import ConfigurationError
from orchestrator.integrations import CompatibleModel, HuggingFaceModel
from orchestrator.integrations.providers import known_providers, model_from
from orchestrator.models.model_registry import ModelRegistry

KEY = "sk-a-key-for-the-emulator"
ASK = [{"role": "user", "content": "What is 2 plus 2?"}]
CONNECTORS = ConnectorRegistry.built_in()


@pytest.fixture
def here(town, monkeypatch):
    """A registry whose models are all in the emulated town, and no address or key in the environment."""
    for name in ("OPENAI", "ANTHROPIC", "OPENROUTER", "OLLAMA", "VLLM"):
        monkeypatch.delenv(f"{name}_API_KEY", raising=False)
        monkeypatch.delenv(f"{name}_BASE_URL", raising=False)
    registry = ModelRegistry()
    for provider, name in (
        ("openai", "gpt-4"),
        ("anthropic", "claude-3-opus"),
        ("ollama", "llama2:7b"),
        ("vllm", "gpt-4o"),
    ):
        dialect = "openai" if provider == "vllm" else provider
        described = {"provider": provider, "name": name, "base_url": town.base_url(dialect)}
        registry[provider] = described | ({"api_key": KEY} if provider in ("openai", "anthropic") else {})
    return registry


def client(package, reason):
    """The client's package, or a skip that says how to get it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what a library says while it is imported is its own affair
        return pytest.importorskip(package, reason=reason)


# the real clients


@pytest.fixture
def untidy():
    """For clients that leave their connections to the garbage collector: it comes while the test still runs."""
    yield
    gc.collect()


leaves_sockets_open = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.mark.parametrize("model_id", ["openai", "vllm"])
def test_openais_client_asks_whatever_speaks_its_dialect(model_id, here):
    """OpenAI's own models, and a server of one's own without a key."""
    openai = client("openai", "pip install openai")
    connector, model = CONNECTORS["openai"], here[model_id]
    with openai.OpenAI(**connector.client_options(model), max_retries=0) as asked:
        answer = asked.chat.completions.create(**connector.format_metadata(model), messages=ASK)
    assert answer.model == model.name
    assert answer.choices[0].message.content


def test_openais_client_finds_ollama_too(here):
    """At the path where Ollama speaks OpenAI's dialect."""
    options = CONNECTORS["openai"].client_options(here["ollama"])
    assert options == {"base_url": here["ollama"].base_url + "/v1", "api_key": "none-needed"}


def test_anthropics_client_answers(here):
    """With the number of tokens that this client insists on."""
    anthropic = client("anthropic", "pip install anthropic")
    connector, model = CONNECTORS["anthropic"], here["anthropic"]
    with anthropic.Anthropic(**connector.client_options(model), max_retries=0) as asked:
        answer = asked.messages.create(**connector.format_metadata(model), messages=ASK)
    assert answer.content[0].text


def test_ollamas_client_answers(here):
    """At the address of the model."""
    ollama = client("ollama", "pip install ollama")
    connector, model = CONNECTORS["ollama"], here["ollama"]
    with ollama.Client(**connector.client_options(model)) as asked:
        answer = asked.chat(**connector.format_metadata(model), messages=ASK)
    assert answer.model == "llama2:7b"
    assert answer.message.content


def test_openrouter_is_openais_client_elsewhere(here, monkeypatch, town):
    """Whoever serves the model here, there it has its maker's name before it."""
    openai = client("openai", "pip install openai")
    connector = CONNECTORS["openrouter"]
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
    options = connector.client_options(here["openai"])
    assert options == {"base_url": "https://openrouter.ai/api/v1", "api_key": KEY}
    model = Model(id="mine", provider="openai", name="x", connector_metadata={"openrouter": {"id": "gpt-4"}})
    with openai.OpenAI(**options | {"base_url": town.base_url("openai")}, max_retries=0) as asked:
        assert asked.chat.completions.create(**connector.format_metadata(model), messages=ASK).model == "gpt-4"


@leaves_sockets_open
@pytest.mark.parametrize("model_id", ["openai", "anthropic", "ollama", "vllm"])
def test_langchains_chat_models_answer(model_id, here, untidy):
    """Of the class that the connector names."""
    connector, model = CONNECTORS["langchain"], here[model_id]
    package, _, name = connector.client_class(model).partition(":")
    module = client(package, f"pip install {package.replace('_', '-')}")
    made = getattr(module, name)(**connector.format_metadata(model), **connector.client_options(model))
    assert made.invoke("What is 2 plus 2?").text


@leaves_sockets_open
async def test_pydantic_ais_agent_takes_the_name(here, monkeypatch, untidy):
    """The name chooses the provider; keys and addresses are read from where the engine reads them."""
    ai = client("pydantic_ai", "pip install 'pydantic-ai-slim[openai,anthropic]'")
    connector = CONNECTORS["pydantic_ai"]
    for model_id in ("openai", "anthropic"):
        monkeypatch.setenv(f"{model_id.upper()}_API_KEY", KEY)
        agent = ai.Agent(**connector.format_metadata(here[model_id]))
        assert (agent.model.system, agent.model.model_name) == (model_id, here[model_id].name)


async def test_pydantic_ai_reaches_a_server_of_ones_own(here):
    """Through a provider object with the connector's address."""
    client("pydantic_ai", "pip install 'pydantic-ai-slim[openai,anthropic]'")
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    own = CompatibleModel("gpt-4o", base_url=here["vllm"].base_url)
    connector = CONNECTORS["pydantic_ai"]
    provider, _, name = connector.format_metadata(own)["model"].partition(":")
    assert provider == "openai-chat"
    asked = OpenAIChatModel(name, provider=OpenAIProvider(**connector.client_options(own)))
    async with asked.client:
        assert (await Agent(asked).run("What is 2 plus 2?")).output


its_own_warnings = pytest.mark.filterwarnings("ignore")  # of the library about itself; ours are errors elsewhere
HEAVY = "make test-connectors (it holds the openai package back, so it has an environment of its own)"


@its_own_warnings
@pytest.mark.parametrize("model_id", ["openai", "anthropic", "ollama", "vllm"])
def test_litellm_answers(model_id, here, untidy):
    """Under LiteLLM's names for the providers."""
    litellm = client("litellm", HEAVY)
    connector, model = CONNECTORS["litellm"], here[model_id]
    answer = litellm.completion(**connector.format_metadata(model), **connector.client_options(model), messages=ASK)
    assert answer.choices[0].message.content


@its_own_warnings
@pytest.mark.parametrize("model_id", ["openai", "anthropic", "vllm"])
def test_dspys_lm_answers(model_id, here, untidy):
    """It names models as LiteLLM does."""
    dspy = client("dspy", HEAVY)
    connector, model = CONNECTORS["dspy"], here[model_id]
    asked = dspy.LM(**connector.format_metadata(model), **connector.client_options(model), cache=False)
    assert asked("What is 2 plus 2?")


@its_own_warnings
def test_dspy_asks_ollama_in_openais_dialect(here, town, untidy):
    """Which both of its engines speak."""
    dspy = client("dspy", HEAVY)
    connector, model = CONNECTORS["dspy"], here["ollama"]
    options = connector.client_options(model)
    assert options == {"api_base": f"{model.base_url}/v1", "api_key": "none-needed"}
    asked = dspy.LM(**connector.format_metadata(model), **options | {"api_base": town.base_url("openai")}, cache=False)
    assert asked("What is 2 plus 2?")


@its_own_warnings
def test_litellm_knows_every_provider_under_the_name_given():
    """No name leads LiteLLM to another provider than the one meant."""
    litellm = client("litellm", HEAVY)
    meant = {"google": "gemini", "lmstudio": "lm_studio", "ollama": "ollama_chat", "together": "together_ai"}
    meant |= {"vllm": "hosted_vllm", "compatible": "openai", "llamacpp": "openai"}
    for provider in known_providers():
        model = Model(id="m", provider=provider, name="org/m")
        name = CONNECTORS["litellm"].format_metadata(model)["model"]
        assert litellm.get_llm_provider(name, api_base="http://localhost:1")[1] == meant.get(provider, provider)


# what holds for all of them


@pytest.mark.parametrize("client_name", CONNECTORS)
def test_the_users_own_id_and_arguments_win(client_name):
    """`connector_metadata[client]` holds the id for this client, and whatever else it is to get."""
    noted = {"id": "as-it-is-called-there", "temperature": 0}
    model = Model(
        id="mine", provider="openai", name="gpt-4", connector_metadata={client_name: noted, "else": {"id": "no"}}
    )
    given = CONNECTORS[client_name].format_metadata(model)
    assert given["model"] == "as-it-is-called-there"
    assert given["temperature"] == 0
    assert "id" not in given
    assert model.connector_metadata[client_name] == noted


@pytest.mark.parametrize("client_name", CONNECTORS)
def test_no_metadata_holds_a_key(client_name, here):
    """Keys are in the options of the client, and in no repr."""
    for model in here.values():
        assert KEY not in str(CONNECTORS[client_name].format_metadata(model))
    assert KEY not in repr(CONNECTORS[client_name])


@pytest.mark.parametrize("client_name", CONNECTORS)
def test_every_provider_has_a_name_for_every_client(client_name):
    """Mix and match: no combination is without an answer, and the answer is this model."""
    for provider in known_providers():
        given = CONNECTORS[client_name].format_metadata(Model(id="m", provider=provider, name="some-model"))
        assert given["model"].endswith("some-model")


@pytest.mark.parametrize(
    ("client_name", "model"),
    [
        ("openai", Model(id="a", provider="custom")),
        ("openai", {"id": "anthropic/claude"}),
        ("anthropic", {"id": "openai/gpt"}),
        ("ollama", {"id": "openai/gpt"}),
        ("dspy", Model(id="a", provider="custom")),
        ("pydantic_ai", Model(id="a", provider="custom")),
    ],
)
def test_a_client_that_cannot_get_there_says_so(client_name, model):
    """Rather than send the prompt and a key to the wrong house."""
    from orchestrator.core.model import ModelInfo

    asked = model if isinstance(model, Model) else model_from(ModelInfo(**model))
    with pytest.raises(ConfigurationError, match=repr(asked.id)):
        CONNECTORS[client_name].client_options(asked)


def test_a_key_goes_with_its_own_address_only(monkeypatch):
    """The key of OpenAI is never what another service is sent."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-openai")
    monkeypatch.setenv("GROQ_API_KEY", "sk-of-groq")
    groq = CompatibleModel("llama", provider="groq")
    assert CONNECTORS["openai"].client_options(groq) == {
        "base_url": "https://api.groq.com/openai/v1",
        "api_key": "sk-of-groq",
    }
    monkeypatch.delenv("GROQ_API_KEY")
    assert CONNECTORS["openai"].client_options(groq)["api_key"] == "none-needed"
    monkeypatch.setenv("HF_TOKEN", "hf-of-huggingface")
    assert CONNECTORS["openai"].client_options(HuggingFaceModel("m"))["api_key"] == "hf-of-huggingface"
