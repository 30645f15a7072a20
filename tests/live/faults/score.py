"""Compares what a trace said with what it had to say."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tests.live.faults.path import Place, Reported


class Outcome(StrEnum):
    """Right: all that was expected and nothing else. Not seen: no word of a fault. Wrong: anything between.

    Not put in: it didn't take effect, so nothing could be said of it.
    """

    RIGHT = "right"
    WRONG = "wrong"
    NOT_SEEN = "not seen"
    NOT_PUT_IN = "not put in"


def judged(expected: Sequence[Place], reported: Reported, stopping: Sequence[Place]) -> Outcome:
    """expected: in path order, nothing of a healthy path. stopping: those of them that stop the request.

    A fault that stops nothing by itself may be reported as broken or as advice, so the first broken hop is that of the
    first fault that stops the request, or of one before it.
    """
    said = {*reported.stopping, *reported.advisory}
    if not expected:
        return Outcome.WRONG if said or reported.first else Outcome.RIGHT
    if not reported.stopping and not said & set(expected):
        return Outcome.NOT_SEEN
    firsts = [hop for hop, _ in expected[: expected.index(stopping[0]) + 1]] if stopping else [None, expected[0][0]]
    at_the_first = reported.first in firsts
    right = at_the_first and set(expected) <= said and set(reported.stopping) <= set(expected)
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


@dataclass(frozen=True)
class Subject:
    """What is tried. expected, stopping: as in `judged`."""

    name: str
    title: str
    symptom: str
    expected: tuple[Place, ...]
    stopping: tuple[Place, ...]

    def row(self, reported: Reported, whole: float) -> Row:
        """What came of it. whole: as in `Row`."""
        return Row(
            name=self.name,
            title=self.title,
            symptom=self.symptom,
            expected=_written(self.expected),
            first=reported.first,
            said=_written((*reported.stopping, *reported.advisory)),
            outcome=judged(self.expected, reported, self.stopping),
            seconds=round(reported.seconds, 1),
            whole=round(whole, 1),
        )

    def not_put_in(self, why: str) -> Row:
        """That nothing came of it."""
        expected, outcome = _written(self.expected), Outcome.NOT_PUT_IN
        return Row(self.name, self.title, self.symptom, expected, None, (), outcome, 0.0, 0.0, why=why)


def names_both(of: Row) -> bool:
    """Whether all that was expected was named, whatever else was said."""
    return set(of.expected) <= set(of.said)


def names_the_first(of: Row) -> bool:
    """Whether what comes first on the path was named, whatever else was said."""
    return of.expected[0] in of.said


def _written(places: Iterable[Place]) -> tuple[str, ...]:
    return tuple(f"{hop or 'machine'} {code}" for hop, code in places)
