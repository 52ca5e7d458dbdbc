"""`orchestrator ask`: a prompt in, an answer out, from the best model at hand."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.failing import UsageError, plainly
from orchestrator.cli.options import AsJson, BaseUrl, Capability, Debug, KeyVariable, MaxCost, ModelNames, Selector

if TYPE_CHECKING:
    from orchestrator.cli.discovery import Where
    from orchestrator.core.messages import ChatResponse
    from orchestrator.models.model_registry import ModelRegistry

__all__ = ["ask"]


def ask(
    *,
    prompt: Annotated[str | None, typer.Argument(help="The prompt; without it, standard input is read.")] = None,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="Read the prompt, or the rest of it, from a file; - is stdin.")
    ] = None,
    model: ModelNames = None,
    base_url: BaseUrl = None,
    key_env: KeyVariable = None,
    capability: Capability = None,
    max_cost: MaxCost = None,
    selector: Selector = "cost",
    stream: Annotated[bool, typer.Option("--stream", "-s", help="Print the answer as it comes.")] = False,
    explain: Annotated[bool, typer.Option("--explain", "-e", help="First show who could answer, and why.")] = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Ask a model; the cheapest that fits, unless told otherwise.

    Models are found by the keys in the environment, on a running Ollama, or at --base-url.
    """
    if stream and as_json:
        raise typer.BadParameter("--stream prints text as it comes and --json one object at the end: choose one")
    import asyncio

    from orchestrator.cli.discovery import Where

    with plainly(debug=debug):
        text = read_prompt(prompt, file)
        where = Where(names=model or (), base_url=base_url, key_variable=key_env)
        wanted = {"capabilities": capability, "max_cost": max_cost}
        asyncio.run(_ask(text, where, wanted, selector=selector, stream=stream, explained=explain, as_json=as_json))


def read_prompt(prompt: str | None, file: Path | None) -> str:
    """The prompt from argument, file or standard input; an argument and a file make one prompt together."""
    parts = [prompt] if prompt is not None else []
    if file is not None:
        parts.append(_read(file))
    elif prompt is None:
        if sys.stdin.isatty():
            raise UsageError("no prompt: give one as argument, with --file, or on standard input")
        parts.append(_read(Path("-")))
    text = "\n\n".join(part.strip() for part in parts if part.strip())
    if not text:
        raise UsageError("the prompt is empty")
    return text


def _read(file: Path) -> str:
    try:
        data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        return data.decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"--file {str(file)!r}: {error.strerror or 'cannot be read'}") from None
    except UnicodeDecodeError:
        raise UsageError(f"--file {str(file)!r}: not a text in UTF-8") from None


async def _ask(
    text: str, where: Where, wanted: dict[str, Any], *, selector: str, stream: bool, explained: bool, as_json: bool
) -> None:
    from orchestrator.cli.discovery import discover

    async with await discover(where, selector=selector) as registry:
        figures = _explain(registry, text, wanted, as_json=as_json) if explained else {}
        if stream:
            response = await _stream(registry, text, wanted)
        else:
            response = await registry.generate_response(text, **wanted)
            if not as_json:
                typer.echo(response.text)
    if as_json:
        from orchestrator.cli.tables import print_json

        print_json(answer_data(response) | figures)
    else:
        _sign(response)


def _explain(registry: ModelRegistry, text: str, wanted: dict[str, Any], *, as_json: bool) -> dict[str, Any]:
    """Show the candidates on stderr, so that stdout holds nothing but the answer; or return them as data."""
    from orchestrator.cli.candidates import as_table, standings
    from orchestrator.cli.tables import console

    rows = standings(registry.select(prompt=text, **wanted), registry)
    if as_json:
        return {"candidates": [row._asdict() for row in rows]}
    console(stderr=True).print(as_table(rows))
    return {}


async def _stream(registry: ModelRegistry, text: str, wanted: dict[str, Any]) -> ChatResponse:
    last = None
    async for chunk in registry.stream_response(text, **wanted):
        typer.echo(chunk.text, nl=False)
        sys.stdout.flush()
        last = chunk
    typer.echo()
    assert last is not None
    assert last.response is not None
    return last.response


def answer_data(response: ChatResponse) -> dict[str, Any]:
    """The answer with all that is known about it."""
    return {
        "text": response.text,
        "model_id": response.model_id,
        "finish_reason": response.finish_reason,
        "latency_s": response.latency_s,
        "cost_usd": response.cost_usd,
        "usage": response.usage.to_dict(),
        "attempts": [attempt._asdict() for attempt in response.attempts],
    }


def _sign(response: ChatResponse) -> None:
    """Who answered and at what price, for a person at a terminal."""
    if not sys.stderr.isatty():
        return
    from orchestrator.cli.figures import money, seconds
    from orchestrator.cli.tables import console

    facts = [str(response.model_id), seconds(response.latency_s), money(response.cost_usd)]
    if response.finish_reason != "stop":
        facts.append(f"ended by {response.finish_reason}")
    console(stderr=True).print(" · ".join(facts), style="dim")
