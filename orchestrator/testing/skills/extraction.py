"""Facts out of a sentence, as JSON by a schema."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from orchestrator.testing.skills.agreement import same_json
from orchestrator.testing.skills.question import Question

__all__ = ["QUESTIONS"]

_FIRST = ("Maria", "Chen", "Olu", "Priya", "Lars", "Fatima", "Diego", "Hana", "Tom", "Zoe")
_LAST = ("Lopez", "Wei", "Adeyemi", "Nair", "Berg", "Haddad", "Rossi", "Sato", "Baker", "Kowalski")
_CITIES = ("Lisbon", "Nairobi", "Toronto", "Osaka", "Leipzig", "Quito", "Tromsø", "Hanoi", "Boston", "Cork")
_GOODS = ("desk lamps", "office chairs", "monitor arms", "water filters", "bike helmets", "label printers")
_MONTHS = ("January", "March", "April", "June", "August", "October", "November")
_TOPICS = ("the budget review", "the product launch", "the security audit", "the hiring plan", "the new website")

_PERSON = 'Extract the person as JSON {{"name": string, "age": integer, "city": string}} from this text: '
_ORDER = 'Turn this order into JSON {{"order": integer, "item": string, "quantity": integer, "express": boolean}}: '
_MEETING = 'Return JSON {{"topic": string, "date": string, "attendees": integer}} for this note: '


def _person(rng: Random) -> dict[str, Any]:
    name = f"{rng.choice(_FIRST)} {rng.choice(_LAST)}"
    return {"name": name, "age": rng.randint(19, 84), "city": rng.choice(_CITIES)}


def _order(rng: Random) -> dict[str, Any]:
    speed = rng.choice(("express", "standard"))
    return {
        "order": rng.randint(10_000, 99_999),
        "item": rng.choice(_GOODS),
        "count": rng.randint(2, 60),
        "speed": speed,
    }


def _meeting(rng: Random) -> dict[str, Any]:
    date = f"{rng.randint(1, 28)} {rng.choice(_MONTHS)}"
    return {"topic": rng.choice(_TOPICS), "date": date, "people": rng.randint(3, 40)}


def _person_json(name: str, age: str, city: str) -> str:
    return json.dumps({"name": name, "age": int(age), "city": city}, ensure_ascii=False)


def _order_json(order: str, item: str, count: str, speed: str) -> str:
    return json.dumps({"order": int(order), "item": item, "quantity": int(count), "express": speed == "express"})


def _meeting_json(topic: str, date: str, people: str) -> str:
    return json.dumps({"topic": topic, "date": date, "attendees": int(people)})


QUESTIONS = (
    Question(
        _PERSON + '"{name}, {age}, has been running a small bakery in {city} since last spring."',
        _person,
        _person_json,
        same_json,
    ),
    Question(
        _PERSON + '"At {age} years old, {name} is the youngest councillor that {city} ever had."',
        _person,
        _person_json,
        same_json,
    ),
    Question(
        _ORDER + '"Order no. {order}: {count} {item}, {speed} delivery, please leave them at the desk."',
        _order,
        _order_json,
        same_json,
    ),
    Question(
        _MEETING + '"On {date} we meet about {topic}; {people} people have said that they will come."',
        _meeting,
        _meeting_json,
        same_json,
    ),
)
