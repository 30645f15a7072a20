"""The verdict on a path: each hop as planned, as declared, as found; the first broken one, why, and what mends it."""

from dataclasses import dataclass
from enum import StrEnum

from hops.model.finding import Finding
from hops.model.hop import HopName, HopRole
from hops.trace.observed.observation import FollowedRequest, SentRequest


class Verdict(StrEnum):
    """What is said of a hop. A hop that could not be looked at is never broken for that."""

    OK = "ok"
    BROKEN = "broken"
    BESIDE = "beside the path"
    NOT_SEEN = "not seen"


@dataclass(frozen=True)
class HopAddress:
    """Where a hop is, and where it leads.

    here: its address, or what it takes.
    onward: the next address.
    device: the interface that leads there.
    """

    here: str | None
    onward: str | None = None
    device: str | None = None

    def __str__(self) -> str:
        parts = (self.here, self.onward and f"-> {self.onward}", self.device and f"dev {self.device}")
        return " ".join(part for part in parts if part)


@dataclass(frozen=True)
class TracedHop:
    """One hop.

    number: the place in the path, 1 to 12.
    component: what does the hop's work.
    planned, declared, found: its address or what stands for it, None where that isn't known.
    seconds: that the followed request spent in it, None if unknown.
    evidence: what was seen of it, a sentence or line each.
    unseen: what could not be looked at, and why.
    """

    number: int
    name: HopName
    component: str
    standing: HopRole
    verdict: Verdict
    planned: HopAddress | None
    declared: HopAddress | None
    found: HopAddress | None
    seconds: float | None
    evidence: tuple[str, ...]
    findings: tuple[Finding, ...]
    unseen: str | None = None


@dataclass(frozen=True)
class Trace:
    """What a look says of a path.

    stack: its name; None without one.
    findings: all, the first broken hop's first, those that stop no request last.
    taken, unseen: as in `Observation`.
    answer: the followed request, None where it could not be sent.
    handshakes: the first request over TLS to each place.
    then: the trace of the request that a redirect led to; None without one.
    between_nodes: how packets travel from Envoy's node to the nodes of the pods, a part of hop 6; empty with one
        worker.
    """

    asked: FollowedRequest
    taken: str
    stack: str | None
    hops: tuple[TracedHop, ...]
    findings: tuple[Finding, ...]
    answer: SentRequest | None
    unseen: tuple[tuple[str, str], ...]
    handshakes: tuple[SentRequest, ...] = ()
    then: "Trace | None" = None
    between_nodes: tuple[str, ...] = ()

    @property
    def first(self) -> TracedHop | None:
        """The first broken hop."""
        return next((hop for hop in self.hops if hop.verdict is Verdict.BROKEN), None)
