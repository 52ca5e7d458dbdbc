"""What the site needs beyond the pages as they stand in the repository; mkdocs calls these functions by their names."""

from __future__ import annotations

import posixpath
import re
from typing import Any

# set-up of examples and marks of generators are for tests and scripts
_NOTES = re.compile(r"<!-- (?:(?:their )?setup\n.*?|(?:requires|compared with|generated): \S+ |end )-->\n?", re.DOTALL)
_LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]+)\]\((?P<target>\.\./[^)\s]+)\)")


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """The page without notes to machines; files beside docs/ are not on the site, and named instead of linked."""
    return _LINK.sub(lambda link: _named(link, page.file.src_uri), _NOTES.sub("", markdown))


def _named(link: re.Match[str], source: str) -> str:
    place = posixpath.normpath(posixpath.join("docs", posixpath.dirname(source), link["target"]))
    if place.startswith("docs/"):
        return link[0]
    text = link["text"]
    return f"`{place}`" if text.strip("`/") in place else f"{text} (`{place}`)"
