"""What a page of documentation says that a machine can check: its blocks of code, and the output shown below them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

__all__ = ["PAGES", "ROOT", "THEIRS", "Block", "blocks_of", "compared_with", "links_of", "required_extras"]

ROOT = Path(__file__).parents[2]
PAGES = [
    path
    for path in (
        ROOT / "README.md",
        *sorted((ROOT / "docs").rglob("*.md")),
        ROOT / "selectors" / "README.md",
        ROOT / "integrations" / "README.md",
    )
    if path.exists()
]

_FENCE = re.compile(
    r"^```(?P<kind>\w+)\n(?P<code>.*?)^```$|^<!-- (?P<unseen>setup|their setup)\n(?P<setup>.*?)^-->$",
    re.MULTILINE | re.DOTALL,
)
_OUTPUT = re.compile(r"\n*```text\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_EXTRA = re.compile(r"<!-- requires: ([\w-]+) -->")
_COMPARED = re.compile(r"<!-- compared with: (\w+) -->")
THEIRS = ("py", "their setup")  # code of the library that a page compares with, run where that is installed
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


class Block(NamedTuple):
    """One block: a `setup` stands in a comment that readers do not see; `output` is None where none is shown."""

    kind: str
    code: str
    line: int
    output: str | None


def blocks_of(text: str) -> Iterator[Block]:
    """The blocks of a page, in order."""
    for found in _FENCE.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        if found["setup"] is not None:
            yield Block(found["unseen"], found["setup"], line, None)
            continue
        shown = _OUTPUT.match(text, found.end())
        yield Block(found["kind"], found["code"], line, None if shown is None else shown["text"])


def required_extras(text: str) -> list[str]:
    """The packages without which the page cannot run."""
    return _EXTRA.findall(text)


def compared_with(text: str) -> list[str]:
    """The packages whose code the page shows beside ours."""
    return _COMPARED.findall(text)


def links_of(text: str) -> list[str]:
    """Every link that stays within the repository, without its anchor."""
    prose = _FENCE.sub("", text)
    found = (target.partition("#")[0] for target in _LINK.findall(prose))
    return [target for target in found if target and "://" not in target and not target.startswith("mailto:")]
