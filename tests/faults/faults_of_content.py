"""C. What bodies and streams hold."""

from __future__ import annotations

import json
import math
import zlib

from fault_row import CUT, NEXT, SAME, STRIKE, Row

from orchestrator.testing import Begin, End, Fail, HangUp, Head, Hold, Refuse, RefuseInside, Reset, Send

WELL = "All is well."
BOM = b"\xef\xbb\xbf"
PAGE = b"<!doctype html><html><body>Bad gateway</body></html>"
COMMENTS = (b": " + b"x" * 1021 + b"\n") * 256
DONE = b"data: [DONE]\n\n"


def whole(**changes: object) -> dict[str, object]:
    """A chat completion; `changes` replace its fields."""
    message = {"role": "assistant", "content": WELL}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    return {"id": "c", "model": "first", "choices": [choice], "usage": usage} | changes


def chose(finish: object = "stop", **message: object) -> dict[str, object]:
    """A completion whose message or finish differs."""
    return whole(
        choices=[{"index": 0, "message": {"role": "assistant", "content": WELL} | message, "finish_reason": finish}]
    )


def raw(data: bytes, kind: str = "application/json", **headers: str):
    """These bytes as a whole body."""
    return [Head(headers={"Content-Type": kind, **headers}, length=len(data)), Send(data)]


def reply(value: object):
    """This value as a whole body."""
    return raw(json.dumps(value).encode())


def piece(text: str, index: int = 0) -> bytes:
    """One chunk of a stream, as JSON."""
    return json.dumps({"choices": [{"index": index, "delta": {"content": text}}]}).encode()


def event(data: bytes) -> bytes:
    """One server-sent event."""
    return b"data: " + data + b"\n\n"


STOP = json.dumps({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}).encode()
SAID = [event(piece(text)) for text in ("All ", "is ", "well.")]
ENDED = event(STOP) + DONE


def stream(*pieces: bytes, kind: str = "text/event-stream"):
    """A stream of these bytes, properly ended as far as HTTP goes."""
    return [Head(headers={"Content-Type": kind}, chunked=True), *map(Send, pieces), End()]


def broken(number: int, fault: str, play, error: str = "malformed_response", **more) -> Row:
    """A fault of the server: the next one answers."""
    return Row(number=number, fault=fault, then=NEXT, error=error, health=STRIKE, play=play, **more)


def fine(number: int, fault: str, play, **more) -> Row:
    """Not as it should be, and read rightly all the same."""
    return Row(number=number, fault=fault, then=SAME, play=play, **more)


def cut(number: int, fault: str, play, error: str = "truncated", **more) -> Row:
    """A stream that breaks after something was shown: the caller is told, with the text so far."""
    more.setdefault("text", "All ")
    return Row(number=number, fault=fault, then=CUT, error=error, health=STRIKE, play=play, stream=True, **more)


def sane(response) -> bool:
    """Every figure of the usage is none or a plain number."""
    usage = response.usage
    counts = (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens)
    return all(count is None or 0 <= count < 10**9 for count in counts) and (
        usage.cost_usd is None or 0 <= usage.cost_usd < math.inf
    )


def tool(arguments: object):
    """A call of a tool with these arguments, as they came."""
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": arguments}}
    return reply(chose("tool_calls", content=None, tool_calls=[call]))


def finished(word: str):
    """The answer's finish reason is this one."""
    return lambda response: response.finish_reason == word


def bomb(piece: bytes, mebibytes: int) -> bytes:
    """So many mebibytes of this piece, packed into a few hundred kilobytes; made bit by bit."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    block = piece * (2**20 // len(piece))
    return b"".join([*(packer.compress(block) for _ in range(mebibytes)), packer.flush()])


TOO_LONG = b'{"object":"error","message":"Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length"}'
BAD_USAGES = {
    "missing": None,
    "negative": {"prompt_tokens": -5, "completion_tokens": -1},
    "absurd": {"prompt_tokens": 10**12, "completion_tokens": 10**12},
    "of floats": {"prompt_tokens": 3.7, "completion_tokens": 4.2},
    "of words": {"prompt_tokens": "many", "completion_tokens": "3"},
}

# fmt: off
CONTENT = [
    broken(44, "truncated JSON", raw(json.dumps(whole()).encode()[:60])),
    broken(44, "the beginning of a stream instead of an answer", raw(b'{"message":{"role":"assistant","content":"All "},"done":false}'), variant="Ollama", provider="ollama"),
    broken(45, "a page of HTML", raw(PAGE), "server", variant="200"),
    broken(45, "a page of HTML", [Head(500, {"Content-Type": "text/html"}, length=len(PAGE)), Send(PAGE)], "server", variant="500"),
    fine(46, "right JSON, wrong content type", raw(json.dumps(whole()).encode(), "text/plain")),
    broken(47, "invalid UTF-8 in JSON", raw(json.dumps(whole()).encode().replace(b"well", b"w\xffll"))),
    fine(47, "UTF-8 split between two reads", [*stream()[:1], Send(b'data: {"choices":[{"index":0,"delta":{"content":"na\xc3'), Send(b'\xafve"}}]}\n\n'), Send(ENDED), End()], stream=True, text="na\xefve"),
    fine(48, "BOM before JSON", raw(BOM + json.dumps(whole()).encode())),
    fine(48, "BOM before a stream", stream(BOM, *SAID, ENDED), stream=True),
    broken(49, "NaN", raw(json.dumps(whole(usage={"prompt_tokens": math.nan})).encode())),
    broken(49, "Infinity", raw(json.dumps(whole(usage={"prompt_tokens": -math.inf})).encode())),
    broken(49, "1e999", raw(json.dumps(whole()).encode().replace(b": 3", b": 1e999"))),
    broken(49, "a number of 10^5 digits", raw(json.dumps(whole()).encode().replace(b": 3", b": " + b"9" * 100_000))),
    broken(49, "10^5 nested brackets", raw(b'{"choices": ' + b"[" * 100_000 + b"]" * 100_000 + b"}")),
    broken(49, "10^5 nested brackets in a stream", stream(event(b"[" * 100_000)), stream=True),
    fine(49, "duplicate keys: the last one counts", raw(json.dumps(whole()).encode().replace(b'"id"', b'"choices": [], "id"'))),
    broken(50, "gzip bomb", lambda _: raw(bomb(b" ", 32), **{"Content-Encoding": "gzip"})),
    broken(50, "endless body", [Head(chunked=True), Send(b" " * 2**20, times=None)]),
    broken(50, "endless stream", [*stream()[:1], Send(COMMENTS, times=None)], stream=True),
    broken(50, "gzip bomb as a stream", lambda _: [Head(headers={"Content-Type": "text/event-stream", "Content-Encoding": "gzip"}, chunked=True), Send(bomb(COMMENTS, 72)), End()], stream=True),
    broken(50, "error body without end", [Head(500, chunked=True), Send(b"x" * 2**16, times=None)], "server"),
    broken(51, "a stream ends before the first token", [Begin(0), Reset()], "truncated", stream=True, alone=3, variant="RST"),
    broken(51, "a stream ends before the first token", [Begin(0), HangUp()], "truncated", stream=True, alone=3, variant="FIN"),
    broken(51, "a stream ends before the first token", [Begin(0), End()], "truncated", stream=True, alone=3, variant="as if whole"),
    cut(52, "a stream ends after a token", variant="RST", play=[Begin(1), Reset()], alone=1),
    cut(52, "a stream ends after a token", variant="FIN", play=[Begin(1), HangUp()]),
    cut(52, "a stream ends after a token", variant="as if whole", play=[Begin(1), End()], alone=1),
    cut(52, "a stream ends after a token", variant="Anthropic", play=[Begin(1), End()], provider="anthropic"),
    cut(52, "a stream ends after a token", variant="Gemini", play=[Begin(1), End()], provider="google"),
    cut(52, "a stream ends after a token", variant="Ollama", play=[Begin(1), End()], provider="ollama"),
    broken(53, "an error before the first token", [Begin(0), RefuseInside(Fail(kind="server"))], "server", stream=True),
    *(cut(53, "an error after a token", [Begin(1), RefuseInside(Fail(kind="server"))], "server", provider=name, variant=name) for name in ("openai", "anthropic", "google", "ollama")),
    broken(54, "only pings", [Begin(0), Send(b": ping\n\n", None, 0.02)], "timeout", stream=True, limit="gap"),
    cut(54, "only pings after a token", [Begin(1), Send(b": ping\n\n", None, 0.02)], "timeout", limit="gap"),
    cut(54, "silence after a token", [Begin(1), Hold()], "timeout", limit="gap"),
    broken(55, "a line of 5 MB", stream(b"data: " + b"x" * (5 * 2**20) + b"\n\n", ENDED), stream=True),
    fine(55, "10^6 tiny events", stream(b"\n" * 1_000_000, b":\n" * 1_000_000, *SAID, ENDED), stream=True),
    fine(56, "finish without [DONE]", stream(*SAID, event(STOP)), stream=True),
    fine(56, "data after [DONE]", stream(*SAID, ENDED, event(piece("more"))), stream=True),
    fine(56, "CRLF", stream(b"".join([*SAID, ENDED]).replace(b"\n", b"\r\n")), stream=True),
    fine(56, "CR only", stream(b"".join([*SAID, ENDED]).replace(b"\n", b"\r")), stream=True),
    fine(56, "no space after the colon, comments, unknown events", stream(b": hello\n\nevent: x-unknown\nid: 7\nretry: 9\n\n", *(one.replace(b"data: ", b"data:") for one in SAID), ENDED), stream=True),
    fine(56, "an event of several data lines", stream(b'data: {"choices":\ndata: [{"index": 0, "delta": {"content": "All is well."}}]}\n\n', ENDED), stream=True),
    fine(57, "chunks without choices", stream(event(b'{"choices": []}'), event(b'{"id": "x"}'), *SAID, ENDED), stream=True),
    fine(57, "n > 1: choices interleaved, the first is read", stream(SAID[0], event(piece("Nothing ", 1)), SAID[1], event(piece("works.", 1)), SAID[2], ENDED), stream=True),
    *(fine(58, "arguments of a tool are kept as they came", tool(arguments), variant=name, text="", sees=lambda response: [call.name for call in response.tool_calls] == ["f"]) for name, arguments in {"broken": '{"a": "b', "empty": "", "an object": {"a": 1}}.items()),
    *(fine(59, "usage that is none: left out, never poison", reply(whole(usage=usage)), sees=sane, variant=name) for name, usage in BAD_USAGES.items()),
    fine(60, "the reply names another model", reply(whole(model="other-2026")), sees=lambda response: (response.model_id, response.upstream_model) == ("first", "other-2026")),
    fine(61, "the finish is told, no error", variant="length", play=reply(chose("length")), sees=finished("length")),
    fine(61, "the finish is told, no error", variant="content_filter", play=reply(chose("content_filter")), sees=finished("content_filter")),
    fine(61, "the finish is told, no error", variant="unknown", play=reply(chose("tired")), sees=lambda response: response.raw_finish == "tired"),
    fine(61, "the finish is told, no error", variant="refusal", play=reply(chose(content=None, refusal="I will not.")), text="", sees=lambda response: response.refusal == "I will not."),
    cut(61, "finish: null at the end of a stream", stream(*SAID), text=WELL),
    fine(62, "no text, finish stop (all tokens went to reasoning)", reply(chose(content="", reasoning_content="Hm.")), text="", sees=finished("stop")),
    *(Row(number=63, fault="the prompt is too long", variant=name, then=NEXT, error="context_length", play=Refuse(Fail(kind="context_length")), provider=name, alone=1) for name in ("openai", "anthropic", "google", "ollama")),
    Row(number=63, fault="the prompt is too long", variant="mistral", then=NEXT, error="context_length", alone=1, play=[Head(400, length=len(TOO_LONG)), Send(TOO_LONG)]),
    fine(64, "the same event twice: the text is taken as it comes, usage once", stream(*SAID, event(STOP), event(STOP), DONE), stream=True),
]
# fmt: on
