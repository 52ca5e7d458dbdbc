"""A server that costs nothing: one prepared reply of OpenAI's shape, JSON or 20 streamed chunks in one write."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

ANSWER = "The answer is forty two, as everyone who has read the guide to the galaxy will gladly tell you today."
WORDS = ANSWER.split()


def _json_reply() -> bytes:
    message = {"role": "assistant", "content": " ".join([ANSWER] * 5)}
    message |= {"refusal": None, "annotations": []}
    usage = {
        "prompt_tokens": 40,
        "completion_tokens": 110,
        "total_tokens": 150,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    reply = {
        "id": "chatcmpl-0123456789abcdef",
        "object": "chat.completion",
        "created": 1767225600,
        "model": "m",
        "choices": [choice],
        "usage": usage,
        "service_tier": "default",
        "system_fingerprint": "fp_0123456789",
    }
    return _http(b"application/json", json.dumps(reply).encode())


def _stream_reply() -> bytes:
    def event(delta: dict[str, str], finish: str | None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        body = {"id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
        return b"data: " + json.dumps(body).encode() + b"\n\n"

    words = [event({"content": word + " "}, None) for word in WORDS[:19]]
    return _http(b"text/event-stream", b"".join(words) + event({}, "stop") + b"data: [DONE]\n\n")


def _http(kind: bytes, body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s" % (kind, len(body), body)


JSON_REPLY, STREAM_REPLY = _json_reply(), _stream_reply()


class _Reply(asyncio.Protocol):
    """Answers every complete request on a kept-alive connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            mark = head.find(b"content-length:")
            length = int(head[mark + 15 :].split(b"\r\n", 1)[0]) if mark >= 0 else 0
            if len(self._buffer) < end + 4 + length:
                return
            body, self._buffer = self._buffer[end + 4 : end + 4 + length], self._buffer[end + 4 + length :]
            streamed = b'"stream":true' in body or b'"stream": true' in body
            self._transport.write(STREAM_REPLY if streamed else JSON_REPLY)


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Reply, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def server() -> Iterator[str]:
    """The base URL of the server, running in a process of its own."""
    process = subprocess.Popen([sys.executable, __file__], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    asyncio.run(_serve())
