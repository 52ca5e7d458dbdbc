"""The site: what mkdocs makes of the pages, links out of docs/ and notes to machines apart."""

import importlib.util
from types import SimpleNamespace

import pytest
from written_pages import ROOT

_SPEC = importlib.util.spec_from_file_location("site_hooks", ROOT / "scripts" / "site_hooks.py")
hooks = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(hooks)


def shown(text, source="howto/page.md"):
    """The text as mkdocs gets it."""
    return hooks.on_page_markdown(text, page=SimpleNamespace(file=SimpleNamespace(src_uri=source)))


def test_notes_to_machines_are_not_on_the_site():
    """Hidden set-up and the marks of generators stay in the repository."""
    text = "a\n<!-- setup\nsecret = 1\n-->\nb\n<!-- generated: x -->\nc\n<!-- end -->\n<!-- requires: litellm -->\nd\n"
    text += "<!-- compared with: litellm -->\n<!-- their setup\nx = 1\n-->\n"
    assert shown(text) == "a\nb\nc\nd\n"


@pytest.mark.parametrize(
    ("link", "becomes"),
    [
        ("[Errors](../reference/errors.md#x)", "[Errors](../reference/errors.md#x)"),
        ("[selectors/](../../selectors/README.md)", "`selectors/README.md`"),
        ("[its project](../../selectors/plug/pyproject.toml)", "its project (`selectors/plug/pyproject.toml`)"),
        ("[far](https://example.org)", "[far](https://example.org)"),
    ],
)
def test_files_beside_the_pages_are_named_instead_of_linked(link, becomes):
    """A link that the site cannot follow would be dead."""
    assert shown(f"see {link}.") == f"see {becomes}."
