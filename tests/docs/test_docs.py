"""Everything the documentation shows is what happens."""

from importlib.util import find_spec

import pytest
from reader import Reader
from written_pages import PAGES, ROOT, THEIRS, Block, blocks_of, compared_with, links_of, required_extras


def test_every_example_runs(page, world):
    """The blocks of a page run in order, in one namespace, and print what the page says they print.

    So does the code of a library that the page compares with, where that is installed.
    """
    text = page.read_text(encoding="utf-8")
    for extra in required_extras(text):
        pytest.importorskip(extra)
    others = compared_with(text)
    left_out = () if others and all(map(find_spec, others)) else THEIRS
    with Reader(page.relative_to(ROOT).as_posix(), emulator=world) as reader:
        for block in blocks_of(text):
            if block.kind not in left_out:
                reader.follow(block)


def test_pages_that_compare_name_what_with():
    """Else nobody would ever run the code of the other side."""
    moves = [page.read_text(encoding="utf-8") for page in PAGES if page.name.startswith("move-from-")]
    assert moves
    for text in moves:
        assert compared_with(text), text.partition("\n")[0]
        assert "py" in {block.kind for block in blocks_of(text)}


def test_every_link_leads_somewhere(page):
    """A link within the repository names a file that is there."""
    text = page.read_text(encoding="utf-8")
    assert [target for target in links_of(text) if not (page.parent / target).exists()] == []


def test_a_page_is_read_in_one_sitting(page):
    """What takes more than 150 lines is two pages."""
    assert len(page.read_text(encoding="utf-8").splitlines()) <= 150


# the reader itself


def test_output_that_differs_is_noticed():
    """A page cannot promise what does not happen."""
    with Reader("page") as reader, pytest.raises(AssertionError, match=r"page:3 shows\s+2\s+and prints\s+1"):
        reader.follow(Block("python", "print(1)\n", 3, "2\n"))


def test_dots_stand_for_what_varies():
    """As in a doctest."""
    with Reader("page") as reader:
        reader.follow(Block("python", "import os\nprint('pid', os.getpid())\n", 1, "pid ...\n"))


def test_names_last_as_long_as_the_page():
    """A later block uses what an earlier one has made, also where both await."""
    with Reader("page") as reader:
        reader.follow(Block("python", "import asyncio\nx = await asyncio.sleep(0, 41)\n", 1, None))
        reader.follow(Block("python", "print(x + 1)\n", 5, "42\n"))


def test_a_test_shown_on_a_page_is_called():
    """What readers are told to write must not fail."""
    with Reader("page") as reader, pytest.raises(ZeroDivisionError):
        reader.follow(Block("python", "async def test_it():\n    1 / 0\n", 1, None))


def test_the_blocks_of_a_page_are_found():
    """Code with its output, hidden set-up, ours and theirs, and nothing else."""
    text = "# T\n\n```python\nprint(1)\n```\n\n```text\n1\n```\n\n<!-- setup\nx = 1\n-->\n[a](b.md#c) [d](https://e)\n"
    text += "<!-- their setup\ny = 1\n-->\n"
    assert list(blocks_of(text)) == [
        Block("python", "print(1)\n", 3, "1\n"),
        Block("text", "1\n", 7, None),
        Block("setup", "x = 1\n", 11, None),
        Block("their setup", "y = 1\n", 15, None),
    ]
    assert links_of(text) == ["b.md"]
