"""A reader who types in every example of a page, in order, and compares what is printed.

Blocks of `python` and `bash` are run; `sh` is for what takes long or changes the machine, and `py` for the code of other
libraries, which whoever calls hands over where they are installed.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import doctest
import inspect
import io
import linecache
import shlex
import sys
from typing import Any, Self

from written_pages import THEIRS, Block

__all__ = ["Reader"]

_COMPARE = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


class Reader:
    """One page's namespace and event loop; `await` works at the top level, as in `python -m asyncio`."""

    def __init__(self, page: str, **given: Any) -> None:
        self._page = page
        self._names: dict[str, Any] = {"__name__": "__main__", **given}
        self._runner = asyncio.Runner()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        from orchestrator.integrations.transport import close_sessions

        self._runner.run(close_sessions())
        self._runner.close()

    def follow(self, block: Block) -> None:
        """Run a block; AssertionError when it prints something else than the page shows."""
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            if block.kind in ("python", "setup", *THEIRS):
                self._run(block)
            elif block.kind == "bash":
                self._type(block.code)
        if block.output is not None:
            self._compare(block, printed.getvalue())

    def _run(self, block: Block) -> None:
        where = f"{self._page}:{block.line}"
        linecache.cache[where] = (len(block.code), None, block.code.splitlines(keepends=True), where)
        code = compile(block.code, where, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        before = set(self._names)
        if code.co_flags & inspect.CO_COROUTINE:
            self._runner.run(self._awaited(eval(code, self._names)))
        else:
            exec(code, self._names)
        for name in sorted(set(self._names) - before):
            if name.startswith("test_"):
                self._test(self._names[name])

    @staticmethod
    async def _awaited(result: Any) -> None:
        await result

    def _test(self, function: Any) -> None:
        """A test that a page tells people to write has to pass; one with fixtures is for pytest to call."""
        if inspect.signature(function).parameters:
            return
        result = function()
        if inspect.isawaitable(result):
            self._runner.run(self._awaited(result))

    @staticmethod
    def _type(code: str) -> None:
        """Commands of ours, in this process; other commands are not run."""
        from typer.testing import CliRunner

        from orchestrator.cli.app import app

        for line in code.replace("\\\n", " ").splitlines():
            words = shlex.split(line.removeprefix("$ "), comments=True)
            if words[:1] != ["orchestrator"] or "<" in words or "|" in words:
                continue
            result = CliRunner().invoke(app, words[1:], catch_exceptions=False, prog_name="orchestrator")
            assert result.exit_code == 0, f"{line}\n{result.output}"
            sys.stdout.write(result.stdout)

    def _compare(self, block: Block, printed: str) -> None:
        assert block.output is not None
        agree = doctest.OutputChecker().check_output(block.output, printed, _COMPARE)
        assert agree, f"{self._page}:{block.line} shows\n{block.output}\nand prints\n{printed}"
