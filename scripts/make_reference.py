"""Fill the generated parts of the documentation from the code, so that they never say something else.

    python scripts/make_reference.py            write them
    python scripts/make_reference.py --check    fail when a page differs from the code

A page names a part between two comments: `<!-- generated: NAME -->` and `<!-- end -->`.
"""

from __future__ import annotations

import argparse
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from textwrap import dedent

import api_reference
import fault_reference
import gateway_reference

from orchestrator import errors
from orchestrator.core.attempt import HurriedError
from orchestrator.core.requirements import REQUIREMENT_NAMES
from orchestrator.errors import PROVIDER_ERRORS, Blame, ProviderAPIError
from orchestrator.integrations.compatible import SERVICES
from orchestrator.integrations.failures import ConflictError, RequestTimeoutError, UnsupportedFeatureError
from orchestrator.integrations.http_model import HTTPModel
from orchestrator.integrations.providers import known_providers, provider_class
from orchestrator.integrations.service import Service
from orchestrator.selectors import SELECTORS, selector_named

ROOT = Path(__file__).parents[1]
PAGES = (*sorted((ROOT / "docs").rglob("*.md")), ROOT / "integrations" / "README.md")
PART = re.compile(r"(<!-- generated: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)

REQUIREMENTS = {
    "capabilities": ("names", "the model is declared to have them all"),
    "max_cost": ("USD", "expected cost of this request; an unknown price never meets it"),
    "min_speed": ("tokens/s", "measured output speed, else the declared one"),
    "max_latency": ("seconds", "measured median"),
    "context_length": ("tokens", "the context window is at least this"),
    "exclude_models": ("ids", "none of these"),
    "models": ("ids", "only these"),
    "tags": ("labels", "the model has them all"),
    "provider": ("name or names", "only theirs"),
    "is_local": ("True or False", "runs on this machine or network, or does not"),
    "strict": ("True or False", "also refuse a model of which a needed figure is not known"),
    "custom_filter": ("function", "a function of a model that says True"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check; the exit code is 1 when the check fails."""
    parser = argparse.ArgumentParser(description="Fill the generated parts of the documentation.")
    parser.add_argument("--check", action="store_true", help="compare only, write nothing")
    check = parser.parse_args(arguments).check
    stale = [page for page in PAGES if (text := page.read_text(encoding="utf-8")) != filled(text)]
    for page in stale:
        if check:
            print(f"{page.relative_to(ROOT)} differs from the code: python scripts/make_reference.py", file=sys.stderr)
        else:
            page.write_text(filled(page.read_text(encoding="utf-8")), encoding="utf-8")
            print(page.relative_to(ROOT))
    return int(check and bool(stale))


def filled(text: str) -> str:
    """The page with every generated part made anew; KeyError for a part that nobody makes."""
    return PART.sub(lambda part: f"{part[1]}\n{PARTS[part[2]]()}\n\n{part[3]}", text)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows))


def first_sentence(thing: object) -> str:
    """What the docstring says before its first blank line."""
    return " ".join((inspect.getdoc(thing) or "").partition("\n\n")[0].split())


def failures() -> str:
    """Each kind of failure of a call, and what the engine does next."""
    head = (
        "error",
        "`error_type`",
        "who is to blame",
        "same model again?",
        "another model?",
        "its health",
        "in its figures?",
        "lowers its score?",
    )
    ours = (*PROVIDER_ERRORS.values(), HurriedError, RequestTimeoutError, ConflictError, UnsupportedFeatureError)
    return table(head, map(failure_row, ours))


def failure_row(error: type[ProviderAPIError]) -> Sequence[str]:
    """One error as a row."""
    row = error.conduct
    again = "no" if not row.again else "once" if row.again == 1 else "yes"
    if row.blame is Blame.LIMIT:
        again = "after the wait it names"
    yes = {True: "yes", False: "no"}
    return (
        f"`{error.__name__}`",
        f"`{error.error_type}`",
        f"the {row.blame}",
        again,
        yes[row.elsewhere],
        str(row.health),
        yes[row.counts],
        yes[row.lowers],
    )


def faults(section: str) -> str:
    """One section of the table of faults, and what becomes of a call."""
    return table(*fault_reference.section(section))


def error_tree() -> str:
    """The tree as the module draws it."""
    drawing = (errors.__doc__ or "").partition("::\n\n")[2].partition("\n\nNo error text")[0]
    return f"```text\n{dedent(drawing)}\n```"


def error_meanings() -> str:
    """Each error with its sentence."""
    classes = [getattr(errors, name) for name in errors.__all__ if name.endswith("Error")]
    return table(("error", "meaning"), ((f"`{one.__name__}`", first_sentence(one)) for one in classes))


def providers() -> str:
    """Every provider that is built in, and what to set for it."""
    rows = (provider_row(name) for name in known_providers() if is_ours(name))
    return table(("provider", "class", "key", "address", "dialect"), rows)


def is_ours(name: str) -> bool:
    """False for what a plug-in that happens to be installed serves."""
    cls = provider_class(name)
    return cls is not None and issubclass(cls, HTTPModel) and cls.__module__.startswith("orchestrator.")


def provider_row(name: str) -> Sequence[str]:
    """One provider as a row; one that is known by nothing but its address has no service."""
    cls = provider_class(name)
    assert cls is not None
    service = SERVICES.get(name) or getattr(cls, "service", None)
    if not isinstance(service, Service):
        return f"`{name}`", f"`{cls.__name__}`", "`<PROVIDER>_API_KEY`, if any", "`base_url=`", "OpenAIChat"
    keys = " or ".join(f"`{variable}`" for variable in service.key_vars) if service.key_needed else "none needed"
    address = f"`{service.base_url}`" if service.base_url is not None else "`base_url=`"
    return f"`{name}`", f"`{cls.__name__}`", keys, address, type(service.dialect).__name__


def selectors() -> str:
    """Every selector that is built in."""
    return table(("name", "class", "options", "policy"), map(selector_row, sorted(SELECTORS)))


def selector_row(name: str) -> Sequence[str]:
    """One selector as a row."""
    cls = type(selector_named(name))
    options = [str(option.replace(annotation=option.empty)) for option in inspect.signature(cls).parameters.values()]
    return f"`{name}`", f"`{cls.__name__}`", ", ".join(f"`{option}`" for option in options), first_sentence(cls)


def requirements() -> str:
    """Every requirement, in the order of the code."""
    rows = ((f"`{name}`", *REQUIREMENTS[name]) for name in REQUIREMENT_NAMES)
    return table(("requirement", "unit", "a model fits when"), rows)


def api(name: str) -> str:
    """What an object of this class can be asked."""
    return table(*api_reference.methods(name))


PARTS: dict[str, Callable[[], str]] = {
    **{f"api-{name}": partial(api, name) for name in api_reference.PRINCIPAL},
    "api-classes": lambda: table(*api_reference.names("class")),
    "api-errors": lambda: table(*api_reference.names("error")),
    "api-others": lambda: table(*api_reference.names("other")),
    "error-meanings": error_meanings,
    "error-tree": error_tree,
    "failures": failures,
    "faults-content": partial(faults, "content"),
    "faults-load": lambda: table(*fault_reference.load()),
    "faults-status": partial(faults, "status"),
    "faults-stores": lambda: table(*fault_reference.stores()),
    "faults-transport": partial(faults, "transport"),
    "gateway-headers": lambda: table(*gateway_reference.headers()),
    "gateway-paths": lambda: table(*gateway_reference.paths()),
    "gateway-statuses": lambda: table(*gateway_reference.statuses()),
    "providers": providers,
    "requirements": requirements,
    "selectors": selectors,
}

if __name__ == "__main__":
    raise SystemExit(main())
