"""What is asked: prompts in every form become turns, and a request never shows what it says."""

import base64

import pytest

from orchestrator.core.messages import Image, Message, Request

PNG = b"\x89PNG\r\n\x1a\n rest"


def test_text_is_one_user_turn():
    """A plain string is what the user says."""
    assert Request.of("Hello").messages == (Message("user", "Hello"),)


def test_a_list_of_text_and_pictures_is_one_turn_in_order():
    """A prompt list is one turn of the user whose parts keep their order."""
    (turn,) = Request.of(["Before", PNG, "after"]).messages
    assert turn.text == "Beforeafter"
    assert [type(part).__name__ for part in turn.content] == ["str", "Image", "str"]


def test_a_conversation_keeps_its_turns_and_calls():
    """Messages in OpenAI's form are read with their tool calls and the ids that answer them."""
    asked = {
        "role": "assistant",
        "tool_calls": [{"id": "c1", "function": {"name": "now", "arguments": '{"tz": "UTC"}'}}],
    }
    answered = {"role": "tool", "tool_call_id": "c1", "content": "12:00"}
    request = Request.of([{"role": "developer", "content": "Be brief."}, asked, answered])
    assert [turn.role for turn in request.messages] == ["system", "assistant", "tool"]
    assert request.messages[1].tool_calls[0].arguments == {"tz": "UTC"}
    assert request.messages[2].tool_call_id == "c1"


def test_parts_in_openai_form_are_text_and_pictures():
    """`text` and `image_url` parts mean the same as plain text and an image."""
    parts = [{"type": "text", "text": "Look"}, {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}]
    (turn,) = Request.of([{"role": "user", "content": parts}]).messages
    assert turn.text == "Look"
    assert turn.images[0].url == "https://example.org/a.png"


def test_system_becomes_the_first_turn():
    """`system=` stands before whatever the prompt says."""
    assert [turn.role for turn in Request.of("Hi", system="Be kind").messages] == ["system", "user"]


def test_the_engines_own_keywords_are_not_forwarded():
    """Tools, format and tenant leave the parameters; everything else is forwarded as it is."""
    request = Request.of("Hi", tools=[{"name": "now"}], response_format="json", tenant="a", temperature=0, odd=1)
    assert request.params == {"temperature": 0, "odd": 1}
    assert (request.tools[0].name, request.wants_json, request.tenant) == ("now", True, "a")


@pytest.mark.parametrize("prompt", [None, 7, b"bytes", [], [object()], {"content": "no role"}, [{"role": "king"}]])
def test_what_is_no_prompt_is_refused_at_once(prompt):
    """A prompt of the wrong kind is a TypeError before anything is sent."""
    with pytest.raises(TypeError):
        Request.of(prompt)


def test_a_request_shows_its_shape_and_not_its_words():
    """Prompts are private: the repr has counts and parameter names only."""
    assert "secret plan" not in repr(Request.of("secret plan", user="secret plan"))


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (None, None),
        ("json", None),
        ({"type": "json_object"}, None),
        ({"type": "text"}, None),
        ({"type": "object"}, ("answer", {"type": "object"}, True)),
        ({"type": "json_schema", "json_schema": {"name": "n", "schema": {}, "strict": False}}, ("n", {}, False)),
    ],
)
def test_a_schema_is_found_in_every_form_of_response_format(form, expected):
    """OpenAI's form, a bare JSON schema and the schema-less forms are told apart."""
    assert Request.of("?", response_format=form).json_schema == expected


def test_a_pydantic_class_is_a_schema():
    """A pydantic class as `response_format` gives its name and schema."""
    from orchestrator.core.info import ModelConstraints

    name, schema, strict = Request.of("?", response_format=ModelConstraints).json_schema
    assert (name, schema["type"], strict) == ("ModelConstraints", "object", True)


@pytest.mark.parametrize("form", ["yaml", 7, ["json"], True])
def test_what_is_no_form_of_an_answer_is_refused(form):
    """A misspelt `response_format` is an error, and not an answer in any form."""
    with pytest.raises(TypeError, match=r"response_format=.* give 'json'"):
        Request.of("?", response_format=form)


def test_an_image_comes_from_bytes_a_file_an_address_or_a_data_url(tmp_path):
    """Every source of a picture ends in the same address or content."""
    file = tmp_path / "a.png"
    file.write_bytes(PNG)
    data_url = "data:image/png;base64," + base64.b64encode(PNG).decode()
    for source in (PNG, file, data_url):
        assert Image.of(source).as_url == data_url
    assert Image.of("https://example.org/a.png").as_url == "https://example.org/a.png"


def test_an_image_does_not_show_its_content():
    """A picture is part of the prompt: its repr has no bytes."""
    assert "PNG" not in repr(Image.of(PNG)).replace("image/png", "")
