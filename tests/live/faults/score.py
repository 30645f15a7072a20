"""Compares what a trace said with what it had to say."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from tests.live.faults.path import Place, Told


class Outcome(StrEnum):
    """Right: all that was expected and nothing else. Not seen: no word of a fault. Wrong: anything between."""

    RIGHT = "right"
    WRONG = "wrong"
    NOT_SEEN = "not seen"


def judged(expected: Sequence[Place], told: Told, *, stops: bool) -> Outcome:
    """expected: in path order, nothing of a healthy path. stops: the request is stopped, at the first hop expected."""
    said = {*told.stopping, *told.advisory}
    if not expected:
        return Outcome.WRONG if said or told.first else Outcome.RIGHT
    if not told.stopping and not said & set(expected):
        return Outcome.NOT_SEEN
    first = expected[0][0]
    at_the_first = told.first == first if stops else told.first in (None, first)
    right = at_the_first and set(expected) <= said and set(told.stopping) <= set(expected)
    return Outcome.RIGHT if right else Outcome.WRONG


@dataclass(frozen=True)
class Row:
    """One fault, variant or pair as it was tried.

    expected, said: "hop code". first: the first broken hop. seconds: of the trace alone. whole: with the fault's coming
    and going. replayed: from a recording, and not on a running path.
    """

    name: str
    title: str
    symptom: str
    expected: tuple[str, ...]
    first: str | None
    said: tuple[str, ...]
    outcome: Outcome
    seconds: float
    whole: float
    replayed: bool = False


def row(
    name: str, title: str, expected: Sequence[Place], told: Told, whole: float, *, stops: bool, symptom: str
) -> Row:
    return Row(
        name=name,
        title=title,
        symptom=symptom,
        expected=tuple(_written(place) for place in expected),
        first=told.first,
        said=tuple(_written(place) for place in (*told.stopping, *told.advisory)),
        outcome=judged(expected, told, stops=stops),
        seconds=round(told.seconds, 1),
        whole=round(whole, 1),
    )


def names_the_first(of: Row) -> bool:
    """Whether what comes first on the path was named, whatever else was said."""
    return of.expected[0] in of.said


def _written(place: Place) -> str:
    hop, code = place
    return f"{hop or 'machine'} {code}"
