"""Sums as people meet them: bare, in shops, on the road, in percent."""

from __future__ import annotations

from random import Random
from typing import Any

from orchestrator.testing.skills.agreement import same_number
from orchestrator.testing.skills.question import Question

__all__ = ["QUESTIONS"]

_GOODS = ("notebooks", "mugs", "lamps", "batteries", "tickets", "chairs", "posters", "cables", "plants", "books")
_NAMES = ("Amira", "Ben", "Carla", "Dmitri", "Eun-ji", "Farid", "Grace", "Hiro", "Ines", "Jonas")


def _two(rng: Random) -> dict[str, int]:
    return {"a": rng.randint(12, 999), "b": rng.randint(12, 999)}


def _factors(rng: Random) -> dict[str, int]:
    return {"a": rng.randint(6, 99), "b": rng.randint(6, 99), "c": rng.randint(2, 500)}


def _purchase(rng: Random) -> dict[str, Any]:
    price = rng.randint(2, 40)
    count = rng.randint(3, 24)
    paid = price * count + rng.randint(1, 60)
    return {"who": rng.choice(_NAMES), "count": count, "goods": rng.choice(_GOODS), "price": price, "paid": paid}


def _percent(rng: Random) -> dict[str, int]:
    return {"part": rng.choice((5, 10, 15, 20, 25, 40, 60, 75)), "whole": 20 * rng.randint(2, 200)}


def _trip(rng: Random) -> dict[str, int]:
    return {"speed": 5 * rng.randint(8, 26), "hours": rng.randint(2, 9)}


def _shares(rng: Random) -> dict[str, Any]:
    people = rng.randint(3, 12)
    return {"goods": rng.choice(_GOODS), "people": people, "total": people * rng.randint(4, 40)}


def _change(who: str, count: str, goods: str, price: str, paid: str) -> str:  # noqa: ARG001 - blanks that do not count
    return str(int(paid) - int(count) * int(price))


QUESTIONS = (
    Question("What is {a} plus {b}?", _two, lambda a, b: str(int(a) + int(b)), same_number),
    Question("What do I get when I subtract {b} from {a}?", _two, lambda a, b: str(int(a) - int(b)), same_number),
    Question(
        "Please work out {a} * {b} + {c}. Give me only the number.",
        _factors,
        lambda a, b, c: str(int(a) * int(b) + int(c)),
        same_number,
    ),
    Question(
        "{who} buys {count} {goods} at ${price} each and pays with ${paid}. How much change, in dollars?",
        _purchase,
        _change,
        same_number,
    ),
    Question(
        "How much is {part}% of {whole}?",
        _percent,
        lambda part, whole: f"{int(part) * int(whole) / 100:g}",
        same_number,
    ),
    Question(
        "A train keeps a steady {speed} km/h. How many kilometres does it cover in {hours} hours?",
        _trip,
        lambda speed, hours: str(int(speed) * int(hours)),
        same_number,
    ),
    Question(
        "We have {total} {goods} to share equally among {people} people. How many does each one get?",
        _shares,
        lambda total, goods, people: str(int(total) // int(people)),  # noqa: ARG005 - a blank that does not count
        same_number,
    ),
)
