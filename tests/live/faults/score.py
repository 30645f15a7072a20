"""Compares what a trace said with what it had to say."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from tests.live.faults.path import Place, Told


class Outcome(StrEnum):
    """Right: all that was expected and nothing else. Not seen: no word of a fault. Wrong: anything between.

    Not put in: it didn't take effect, so nothing could be said of it.
    """

    RIGHT = "right"
    WRONG = "wrong"
    NOT_SEEN = "not seen"
    NOT_PUT_IN = "not put in"


def judged(expected: Sequence[Place], told: Told, stopping: Sequence[Place]) -> Outcome:
    """expected: in path order, nothing of a healthy path. stopping: those of them that stop the request.

    What stops nothing by itself may be told as broken or as advice, so the first broken hop is that of the first that
    stops the request, or of one before it.
    """
    said = {*told.stopping, *told.advisory}
    if not expected:
        return Outcome.WRONG if said or told.first else Outcome.RIGHT
    if not told.stopping and not said & set(expected):
        return Outcome.NOT_SEEN
    firsts = [hop for hop, _ in expected[: expected.index(stopping[0]) + 1]] if stopping else [None, expected[0][0]]
    at_the_first = told.first in firsts
    right = at_the_first and set(expected) <= said and set(told.stopping) <= set(expected)
    return Outcome.RIGHT if right else Outcome.WRONG


@dataclass(frozen=True)
class Row:
    """One fault, variant or pair as it was tried.

    expected, said: "hop code". first: the first broken hop. seconds: of the trace alone. whole: with the fault's coming
    and going. replayed: from a recording, and not on a running path. why: it was not put in.
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
    why: str = ""


def row(
    name: str,
    title: str,
    expected: Sequence[Place],
    told: Told,
    whole: float,
    *,
    stopping: Sequence[Place],
    symptom: str,
) -> Row:
    return Row(
        name=name,
        title=title,
        symptom=symptom,
        expected=tuple(_written(place) for place in expected),
        first=told.first,
        said=tuple(_written(place) for place in (*told.stopping, *told.advisory)),
        outcome=judged(expected, told, stopping),
        seconds=round(told.seconds, 1),
        whole=round(whole, 1),
    )


def not_put_in(name: str, title: str, expected: Sequence[Place], why: str, *, symptom: str) -> Row:
    written = tuple(_written(place) for place in expected)
    return Row(name, title, symptom, written, None, (), Outcome.NOT_PUT_IN, 0.0, 0.0, why=why)


def names_both(of: Row) -> bool:
    """Whether all that was expected was named, whatever else was said."""
    return set(of.expected) <= set(of.said)


def names_the_first(of: Row) -> bool:
    """Whether what comes first on the path was named, whatever else was said."""
    return of.expected[0] in of.said


def _written(place: Place) -> str:
    hop, code = place
    return f"{hop or 'machine'} {code}"
