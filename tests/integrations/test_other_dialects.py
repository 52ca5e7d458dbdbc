"""Anthropic, Gemini, Ollama, TGI, Azure and the compatible services over a real connection."""

from __future__ import annotations

import json

import pytest

from orchestrator.core.messages import Image, Message, Request, ToolCall
from orchestrator.errors import (
    InvalidRequestError,
    ModelProviderError,
    OverloadedError,
    ProviderConfigError,
    ServerError,
)
from orchestrator.integrations import (
    AnthropicModel,
    AzureOpenAIModel,
    CompatibleModel,
    GoogleModel,
    HuggingFaceModel,
    OllamaModel,
)
from orchestrator.integrations.dialects.google import Google
from orchestrator.integrations.dialects.openai_chat import OpenAIChat

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
TOOL = {"name": "weather", "parameters": {"type": "object", "properties": {}}}
TURNS = [
    Message("system", "Be brief"),
    Message("user", ("What?", Image(data=b"\x89PNG", media_type="image/png"))),
    Message(
        "assistant", "", (ToolCall("weather", {"city": "Rome"}, "c1"), ToolCall("weather", {"city": "Oslo"}, "c2"))
    ),
    Message("tool", "Sunny", tool_call_id="c1"),
    Message("tool", "Snow", tool_call_id="c2"),
]


async def collected(model, request):
    return [chunk async for chunk in model.open_stream(request)]


# Anthropic

CLAUDE = {
    "model": "claude-x",
    "content": [
        {"type": "thinking", "thinking": "Hm"},
        {"type": "text", "text": "Hi"},
        {"type": "tool_use", "id": "t", "name": "weather", "input": {"city": "Rome"}},
    ],
    "stop_reason": "tool_use",
    "usage": {"input_tokens": 5, "cache_read_input_tokens": 7, "cache_creation_input_tokens": 1, "output_tokens": 4},
}


async def test_anthropic_gets_blocks_and_gives_blocks(tiny):
    """System apart, results of several tools in one turn, max_tokens always there, usage in disjoint buckets."""
    tiny.reply(CLAUDE)
    model = AnthropicModel("claude-x", api_key="sk-ant-test", base_url=f"{tiny.url}/v1")
    request = Request.of(TURNS, tools=[TOOL], tool_choice="required", stop="END", response_format=SCHEMA, seed=1)
    reply = await model.send(request)
    headers, body = tiny.last["headers"], tiny.last["body"]
    assert tiny.last["path"] == "/v1/messages"
    assert (headers["x-api-key"], headers["anthropic-version"]) == ("sk-ant-test", "2023-06-01")
    assert (body["system"], body["max_tokens"], body["stop_sequences"]) == ("Be brief", 4096, ["END"])
    assert "seed" not in body
    assert body["messages"][0]["content"][1]["source"] == {
        "type": "base64",
        "media_type": "image/png",
        "data": "iVBORw==",
    }
    assert [block["type"] for block in body["messages"][1]["content"]] == ["tool_use", "tool_use"]
    assert [block["tool_use_id"] for block in body["messages"][2]["content"]] == ["c1", "c2"]
    assert body["tool_choice"] == {"type": "any"}
    assert body["output_config"] == {"format": {"type": "json_schema", "schema": SCHEMA}}
    assert (reply.text, reply.reasoning, reply.finish_reason) == ("Hi", "Hm", "tool_calls")
    assert (reply.usage.input_tokens, reply.usage.cache_read_tokens, reply.usage.prompt_tokens) == (5, 7, 13)


async def test_anthropic_streams_and_reports_trouble_in_between(tiny):
    """An error event becomes the error's class, with the text so far."""
    tiny.stream(
        {"type": "message_start", "message": {"usage": {"input_tokens": 3}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hel"}},
        {"type": "ping"},
        {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
        done=False,
    )
    model = AnthropicModel("claude-x", api_key="k-test", base_url=f"{tiny.url}/v1")
    with pytest.raises(OverloadedError) as caught:
        await collected(model, Request.of("Hello"))
    assert caught.value.text_so_far == "Hel"


async def test_anthropic_counts_tokens(tiny):
    """The counting endpoint takes the body without max_tokens."""
    tiny.reply({"input_tokens": 14})
    model = AnthropicModel("claude-x", api_key="k-test", base_url=f"{tiny.url}/v1")
    assert await model.count_tokens("Hello") == 14
    assert tiny.last["body"] == {"model": "claude-x", "messages": [{"role": "user", "content": "Hello"}]}


async def test_anthropic_lists_models_page_by_page(tiny):
    """has_more and last_id lead to the next page; 0 means unknown."""
    tiny.reply({"data": [{"id": "a", "max_input_tokens": 0}], "has_more": True, "last_id": "a"})
    tiny.reply({"data": [{"id": "b", "max_input_tokens": 200000}], "has_more": False, "last_id": "b"})
    model = AnthropicModel("claude-x", api_key="k-test", base_url=f"{tiny.url}/v1")
    assert [(m.id, m.context_window) for m in await model.list_models()] == [("a", None), ("b", 200000)]
    assert tiny.last["path"].endswith("after_id=a")


# Gemini


async def test_gemini_gets_contents_and_counts_thoughts_apart(tiny):
    """Key in a header, model in the path, camelCase; thoughts are output beside the visible tokens."""
    tiny.reply(
        {
            "candidates": [
                {"content": {"parts": [{"text": "Hm", "thought": True}, {"text": "Hi"}]}, "finishReason": "MAX_TOKENS"}
            ],
            "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 2, "thoughtsTokenCount": 9},
        }
    )
    model = GoogleModel("gemini-2.5-flash", api_key="AIza-test", base_url=f"{tiny.url}/v1beta")
    request = Request.of(
        TURNS, tools=[TOOL], tool_choice="weather", max_tokens=5, top_k=3, stop=["x"], response_format=SCHEMA
    )
    reply = await model.send(request)
    body = tiny.last["body"]
    assert tiny.last["path"] == "/v1beta/models/gemini-2.5-flash:generateContent"
    assert tiny.last["headers"]["x-goog-api-key"] == "AIza-test"
    assert body["systemInstruction"] == {"parts": [{"text": "Be brief"}]}
    assert [content["role"] for content in body["contents"]] == ["user", "model", "user"]
    assert [p["functionResponse"]["response"] for p in body["contents"][2]["parts"]] == [
        {"result": "Sunny"},
        {"result": "Snow"},
    ]
    assert body["generationConfig"] == {
        "maxOutputTokens": 5,
        "topK": 3,
        "stopSequences": ["x"],
        "responseMimeType": "application/json",
        "responseJsonSchema": SCHEMA,
    }
    assert body["toolConfig"] == {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["weather"]}}
    assert (reply.text, reply.reasoning, reply.finish_reason) == ("Hi", "Hm", "length")
    assert (reply.usage.output_tokens, reply.usage.reasoning_tokens, reply.usage.total_tokens) == (2, 9, 16)


async def test_gemini_streams_and_names_a_blocked_prompt(tiny):
    """A blocked prompt is an answer without text: finish reason content_filter, the raw word kept."""
    model = GoogleModel("gemini-2.5-flash", api_key="AIza-test", base_url=f"{tiny.url}/v1beta")
    tiny.stream({"promptFeedback": {"blockReason": "SAFETY"}}, done=False)
    chunks = await collected(model, Request.of("Hello"))
    assert [(c.text, c.finish_reason, c.raw_finish) for c in chunks] == [("", "content_filter", "SAFETY")]
    assert tiny.last["path"].endswith(":streamGenerateContent?alt=sse")


async def test_gemini_never_asks_for_arguments_in_pieces(tiny):
    """Only a whole call can be acted on."""
    tiny.reply({"candidates": [{"content": {"parts": [{"text": "x"}]}, "finishReason": "STOP"}]})
    model = GoogleModel("g", api_key="AIza-test", base_url=tiny.url)
    config = {"functionCallingConfig": {"mode": "AUTO", "streamFunctionCallArguments": True}}
    await model.send(Request.of("Hello", tool_config=config))
    assert tiny.last["body"]["toolConfig"]["functionCallingConfig"]["streamFunctionCallArguments"] is False
    assert config["functionCallingConfig"]["streamFunctionCallArguments"] is True


async def test_gemini_embeds_in_one_batch(tiny):
    """One request for all texts."""
    tiny.reply({"embeddings": [{"values": [1, 2]}, {"values": [3, 4]}]})
    model = GoogleModel("gemini-embedding-001", api_key="AIza-test", base_url=tiny.url)
    assert await model.embed(["a", "b"], dimensions=2) == [[1.0, 2.0], [3.0, 4.0]]
    assert tiny.last["path"] == "/models/gemini-embedding-001:batchEmbedContents"
    assert tiny.last["body"]["requests"][1]["outputDimensionality"] == 2


async def test_a_nameless_tool_result_cannot_go_to_gemini(tiny):
    """It wants the name of the function."""
    model = GoogleModel("g", api_key="AIza-test", base_url=tiny.url)
    with pytest.raises(InvalidRequestError, match="name of the tool"):
        await model.send(Request.of([Message("tool", "x", tool_call_id="unknown")]))


def test_vertex_is_addressed_by_project_and_location(monkeypatch):
    """The key is an OAuth token in the Authorization header."""
    model = GoogleModel("gemini-2.5-pro", project="my-project", location="europe-west1", api_key="ya29.token")
    line = model._connect()
    assert str(line.chat_url) == (
        "https://europe-west1-aiplatform.googleapis.com/v1/projects/my-project/locations/europe-west1"
        "/publishers/google/models/gemini-2.5-pro:generateContent"
    )
    with pytest.raises(ProviderConfigError, match="location"):
        GoogleModel("g", project="p", location="evil.example/")


# Ollama


def ollama(tiny, **options):
    return OllamaModel(name="llama2", model_path="llama2:7b", base_url=tiny.url, **options)


async def test_ollama_gets_options_and_one_object(tiny):
    """Sampling goes into options, streaming is refused by name, arguments are objects."""
    tiny.reply({"message": {"content": "Hi", "thinking": "Hm"}, "done": True, "done_reason": "stop", "eval_count": 2})
    reply = await ollama(tiny).send(
        Request.of(TURNS, temperature=0, max_tokens=5, stop="x", keep_alive="5m", tools=[TOOL], response_format=SCHEMA)
    )
    body = tiny.last["body"]
    assert (tiny.last["path"], body["model"], body["stream"]) == ("/api/chat", "llama2:7b", False)
    assert body["options"] == {"temperature": 0, "num_predict": 5, "stop": ["x"]}
    assert (body["keep_alive"], body["format"]) == ("5m", SCHEMA)
    assert body["messages"][1]["images"] == ["iVBORw=="]
    assert body["messages"][2]["tool_calls"][0] == {"function": {"name": "weather", "arguments": {"city": "Rome"}}}
    assert body["messages"][3]["tool_name"] == "weather"
    assert (reply.text, reply.reasoning, reply.usage.prompt_tokens, reply.usage.output_tokens) == ("Hi", "Hm", None, 2)


async def test_ollama_streams_lines(tiny):
    """One object a line; an error line is the error's class with the text so far."""
    lines = [{"message": {"content": "He"}, "done": False}, {"error": "out of memory"}]
    tiny.stream(*(json.dumps(line).encode() + b"\n" for line in lines), kind="application/x-ndjson", done=False)
    with pytest.raises(ServerError) as caught:
        await collected(ollama(tiny), Request.of("Hello"))
    assert caught.value.text_so_far == "He"


async def test_ollama_tells_models_version_and_vectors(tiny):
    """Local models are free; capabilities come by their common names."""
    model = ollama(tiny)
    tiny.reply({"models": [{"name": "llava:7b", "details": {}, "capabilities": ["completion", "vision"]}]})
    tiny.reply({"version": "0.5.1"})
    tiny.reply({"embeddings": [[1, 2]], "prompt_eval_count": 3})
    (listed,) = await model.list_models()
    assert (listed.id, listed.input_usd, "vision" in listed.capabilities) == ("llava:7b", 0.0, True)
    assert await model.version() == "0.5.1"
    assert await model.embed("a") == [[1.0, 2.0]]


def test_ollama_needs_no_key_and_lives_here():
    """Host and port make the address."""
    model = OllamaModel(name="llama2", model_path="llama2:7b", host="localhost", port=11435)
    assert (model.setup_issue(), model.is_local, str(model._connect().chat_url)) == (
        None,
        True,
        "http://localhost:11435/api/chat",
    )


async def test_an_image_by_address_cannot_go_to_ollama(tiny):
    """It takes bytes."""
    with pytest.raises(InvalidRequestError, match="bytes"):
        await ollama(tiny).send(Request.of(["What?", Image(url="https://example.org/a.png")]))


# Hugging Face


async def test_tgi_is_spoken_to_in_its_own_words(tiny):
    """/generate takes inputs and parameters, and streams tokens."""
    model = HuggingFaceModel("mine", api="tgi", base_url=tiny.url)
    tiny.reply([{"generated_text": "Hi", "details": {"finish_reason": "length", "generated_tokens": 2}}])
    reply = await model.send(Request.of("Hello", max_tokens=2))
    assert tiny.last["body"] == {"inputs": "Hello", "parameters": {"details": True, "max_new_tokens": 2}}
    assert (tiny.last["path"], reply.text, reply.finish_reason) == ("/generate", "Hi", "length")
    tiny.answers.clear()
    tiny.stream(
        b'data:{"index":1,"token":{"text":"H"}}\n\n',
        b'data:{"index":2,"token":{"text":"i"},"generated_text":"Hi","details":{"finish_reason":"eos_token"}}\n\n',
        done=False,
    )
    chunks = await collected(model, Request.of("Hello"))
    assert "".join(chunk.text for chunk in chunks) == "Hi"
    assert (tiny.last["path"], chunks[-1].finish_reason) == ("/generate_stream", "stop")


async def test_a_model_in_this_process_says_what_it_needs(monkeypatch):
    """device= is for local transformers, which are an extra."""
    monkeypatch.setattr("orchestrator.integrations.local.loader.find_spec", lambda _: None)
    model = HuggingFaceModel("gpt2", device="cpu", api_key="hf_test")
    with pytest.raises(ModelProviderError, match=r"transformers, torch missing: pip install .*\[huggingface\]"):
        await model.send(Request.of("Hello"))
    await model.cleanup()


# Azure and the compatible


async def test_azure_puts_the_deployment_into_the_address(tiny):
    """And the version into the query; an endpoint in the newer form has neither."""
    answer = {"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]}
    tiny.reply(answer)
    model = AzureOpenAIModel("gpt-4o", deployment="chat one", api_key="k-test", base_url=tiny.url)
    await model.send(Request.of("Hello"))
    assert tiny.last["path"] == "/openai/deployments/chat%20one/chat/completions?api-version=2024-10-21"
    assert tiny.last["headers"]["api-key"] == "k-test"
    await AzureOpenAIModel("gpt-4o", api_key="k-test", base_url=f"{tiny.url}/openai/v1/").send(Request.of("Hello"))
    assert tiny.last["path"] == "/openai/v1/chat/completions"


def test_azure_reads_its_endpoint_from_the_environment(monkeypatch):
    """Address and key are named when they are missing."""
    monkeypatch.delenv("AZURE_OPENAI_ENDPOINT", raising=False)
    monkeypatch.delenv("AZURE_OPENAI_API_KEY", raising=False)
    assert "AZURE_OPENAI_ENDPOINT" in AzureOpenAIModel("m").setup_issue()
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "https://mine.openai.azure.com/")
    assert "AZURE_OPENAI_API_KEY" in AzureOpenAIModel("m").setup_issue()
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "k-test")
    assert AzureOpenAIModel("m").setup_issue() is None


async def test_openrouter_tells_what_it_billed(tiny):
    """usage.cost is USD; a list with prices per token comes per million."""
    model = CompatibleModel("a/b", provider="openrouter", api_key="sk-or-test", base_url=tiny.url)
    tiny.reply(
        {
            "choices": [{"message": {"content": "Hi"}}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "cost": 0.25},
        }
    )
    tiny.reply({"data": [{"id": "a/b", "context_length": 9, "pricing": {"prompt": "0.000002", "completion": "-1"}}]})
    assert (await model.send(Request.of("Hello"))).usage.cost_usd == 0.25
    (listed,) = await model.list_models()
    assert (listed.context_window, listed.input_usd, listed.output_usd) == (9, 2.0, None)


async def test_mistral_may_answer_in_parts(tiny):
    """Content as a list of thinking and text; usage is not asked for in streams."""
    model = CompatibleModel("magistral", provider="mistral", api_key="k-test", base_url=tiny.url)
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}, {"type": "text", "text": "Hi"}]
    tiny.reply({"choices": [{"message": {"content": parts}, "finish_reason": "model_length"}]})
    reply = await model.send(Request.of("Hello"))
    assert (reply.text, reply.reasoning, reply.finish_reason) == ("Hi", "Hm", "length")


def test_gemini_gets_its_signature_back_and_nobody_else_does():
    """The signature of a call's thinking goes back unchanged, and is left out for a model of another provider."""
    call = {"functionCall": {"name": "weather", "args": {"city": "Rome"}}, "thoughtSignature": "c2ln"}
    reply = Google().decode({"candidates": [{"content": {"parts": [call]}, "finishReason": "STOP"}]})
    turns = [Message("user", "How is Rome?"), Message("assistant", tool_calls=reply.tool_calls)]
    body = Google().encode(Request.of(turns), "gemini-3-pro", stream=False)
    assert call in body["contents"][-1]["parts"]
    assert "c2ln" not in str(OpenAIChat().encode(Request.of(turns), "gpt-5", stream=False))
