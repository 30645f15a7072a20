"""What a fault is: how it gets into a path and out again, and what a trace has to say of it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from random import Random

from tests.live.faults.kubernetes import Condition
from tests.live.faults.path import Path, Place

NAME, MAPPING, HOST_PORT, ROUTE, ENDPOINT, POD = "name", "port-mapping", "host-port", "route", "endpoint", "pod"
SERVICE = "service"


@dataclass(frozen=True)
class Broken:
    """A path with a fault in it.

    there: whether the fault has taken effect. options: of the trace. stack: whether the stack is traced, or else what
    the options name. files: of /etc, by name, with the content that the trace alone meets. environment: variables that
    the trace alone meets. fades: the node mends it by itself sooner or later.
    """

    there: Condition
    options: tuple[str, ...] = ()
    stack: bool = True
    files: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    fades: bool = False


Inject = Callable[[Path, Random], AbstractContextManager[Broken]]


@dataclass(frozen=True)
class Fault:
    """One way to break a path.

    number: of the list. title: what is done. symptom: what a client meets. expected: hop and code, in path order; the
    hop is None where it is the machine. stops: whether the followed request is stopped by it. touches: what it changes;
    two faults that touch the same cannot be there at once. hides: what cannot be seen any more. slow: whether it takes
    more than seconds to bring in and out. deafens: Contour hears of no change while it is there. last: nothing can
    follow it.
    """

    number: int
    title: str
    symptom: str
    expected: tuple[Place, ...]
    inject: Inject
    stops: bool
    touches: frozenset[str]
    hides: frozenset[str]
    slow: bool
    deafens: bool
    last: bool
    why_not: Callable[[], str | None]

    @property
    def stopping(self) -> tuple[Place, ...]:
        """What of the expected stops the followed request."""
        return self.expected if self.stops else ()


FAULTS: dict[int, Fault] = {}


def fault(
    number: int,
    title: str,
    symptom: str,
    *expected: Place,
    touches: str = "",
    hides: str = "",
    stops: bool = True,
    slow: bool = False,
    deafens: bool = False,
    last: bool = False,
    why_not: Callable[[], str | None] = lambda: None,
) -> Callable[[Callable[[Path, Random], Iterator[Broken]]], Inject]:
    """Puts a generator that brings a fault in, yields, and takes it out again, into the list.

    why_not: says why it cannot be tried here.
    """

    def enlist(inject: Callable[[Path, Random], Iterator[Broken]]) -> Inject:
        managed = contextmanager(inject)
        assert number not in FAULTS, f"two faults have the number {number}"
        words = frozenset(touches.split()), frozenset(hides.split())
        FAULTS[number] = Fault(number, title, symptom, expected, managed, stops, *words, slow, deafens, last, why_not)
        return managed

    return enlist
