"""One label out of a few: the mood of a review, the desk a message belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from random import Random
from typing import Any

from orchestrator.testing.skills.agreement import same_label
from orchestrator.testing.skills.question import Question

__all__ = ["LABEL_SETS", "QUESTIONS"]

_MOODS = {
    "positive": (
        "it works better than I dared to hope",
        "I would buy it again tomorrow",
        "my whole family loves it",
        "it is worth every cent",
        "setting it up was a joy",
    ),
    "negative": (
        "it broke after two days",
        "I want my money back",
        "it is the worst thing I bought this year",
        "the noise is unbearable",
        "nobody answers when you ask for help",
    ),
    "neutral": (
        "it arrived on Tuesday in a brown box",
        "it is about as large as the old one",
        "it comes in three colours",
        "the manual has twelve pages",
        "it does what the label says, no more and no less",
    ),
}
_DESKS = {
    "billing": (
        "I was charged twice this month",
        "please send me the invoice for March again",
        "my card was declined although it is valid",
        "how do I change to yearly payment",
    ),
    "shipping": (
        "my parcel has not moved for a week",
        "can you deliver to my neighbour instead",
        "the tracking number does not exist",
        "the box arrived torn open and half empty",
    ),
    "technical": (
        "the app closes as soon as I log in",
        "I get error 0x80 when I install the update",
        "the screen stays black after the restart",
        "syncing stops at 99 percent every time",
    ),
    "account": (
        "I cannot reset my password",
        "please delete my profile and all its data",
        "how do I change the e-mail address I sign in with",
        "somebody else seems to be using my login",
    ),
}
LABEL_SETS = (tuple(_MOODS), tuple(_DESKS))

_PRODUCTS = ("kettle", "headset", "backpack", "tent", "blender", "keyboard", "scooter", "camera", "mattress", "drill")
_OPENERS = ("Honestly,", "So far,", "After a month:", "To sum it up,", "Well,", "What can I say,", "As for me,")
_GREETINGS = ("Hi,", "Hello there,", "Good morning,", "Dear team,", "Hey,", "To whom it may concern,")
_CLOSINGS = ("Thanks!", "Please hurry.", "Kind regards, Ada", "Waiting for your reply.", "Best, Sam", "Cheers")


def _review(rng: Random) -> dict[str, Any]:
    said = rng.choice(_MOODS[rng.choice(tuple(_MOODS))])
    return {"product": rng.choice(_PRODUCTS), "opener": rng.choice(_OPENERS), "said": said}


def _message(rng: Random) -> dict[str, Any]:
    said = rng.choice(_DESKS[rng.choice(tuple(_DESKS))])
    hello, bye, number = rng.choice(_GREETINGS), rng.choice(_CLOSINGS), rng.randint(1_000, 9_999)
    return {"hello": hello, "said": said, "bye": bye, "number": number}


def _label(table: Mapping[str, tuple[str, ...]], *, said: str, **_: str) -> str:
    """The label under which the phrase is filed; LookupError for a phrase of somebody else's."""
    labels = [label for label, phrases in table.items() if any(phrase in said for phrase in phrases)]
    return labels[0]


QUESTIONS = (
    Question(
        "Is this review positive, negative or neutral? Answer with one word.\n\n"
        'Review of a {product}: "{opener} {said}."',
        _review,
        partial(_label, _MOODS),
        partial(same_label, labels=LABEL_SETS[0]),
    ),
    Question(
        "Which desk should handle message {number}: billing, shipping, technical or account? One word, please.\n\n"
        '"{hello} {said}. {bye}"',
        _message,
        partial(_label, _DESKS),
        partial(same_label, labels=LABEL_SETS[1]),
    ),
)
