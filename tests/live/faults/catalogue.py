"""All faults and all healthy variants, and the order in which a run meets them."""

import os
from itertools import combinations
from random import Random, SystemRandom

from hops.model.hop import KINDS
from tests.live.faults import (  # noqa: F401 - each puts its faults into the list
    answers,
    clients,
    contours,
    docker,
    encryption,
    endpoints,
    host_ports,
    machines,
    names,
    networks,
    pods,
    processes,
    proxies,
    routes,
)
from tests.live.faults.fault import FAULTS, Fault

SEED = int(os.environ.get("INGRESS_HOPS_SEED") or SystemRandom().randrange(1_000_000))
"""Of everything that a run leaves to chance."""
SAMPLE = 9
"""How many faults the gate takes."""
PAIRS, LATER_PAIRS = 100, 10
LATER = range(51, 87)
"""The faults that came after the pairs of the first fifty, by number."""
ENCRYPTION = range(51, 62)
"""The faults of TLS and redirects, by number. Most are about the port for https."""
NODES = range(62, 64)
"""The faults of a node of the path, by number."""
PRACTICE = range(64, 87)
"""The faults of clients, processes, Envoy's own answers, Contour's rights and the way between nodes, by number."""
_OF_ENCRYPTION = 2
"""How many of them the gate takes."""


def shuffled() -> list[Fault]:
    """The faults in an order of chance."""
    return Random(SEED).sample(list(FAULTS.values()), len(FAULTS))


def sampled() -> list[Fault]:
    """The gate's share, without those that take long or leave nothing behind."""
    chance_, quick = Random(SEED), [fault for fault in FAULTS.values() if not (fault.slow or fault.last)]
    others = [fault for fault in quick if fault.number not in ENCRYPTION]
    own = [fault for fault in quick if fault.number in ENCRYPTION]
    return [*chance_.sample(others, SAMPLE - _OF_ENCRYPTION), *chance_.sample(own, _OF_ENCRYPTION)]


def chance(number: int) -> Random:
    """What a fault's own choices are made with: the same in every run with the same seed, whatever else runs."""
    return Random(f"{SEED}-{number}")


def together(one: Fault, other: Fault) -> bool:
    """Whether two faults can be there at once and both be reported."""
    return not (one.touches & other.touches or one.hides & other.touches or other.hides & one.touches)


def pairs() -> list[tuple[Fault, Fault]]:
    """Two of the first faults each, in path order, out of all that come and go in seconds."""
    quick = [fault for fault in _quick() if fault.number not in (*ENCRYPTION, *PRACTICE)]
    possible = [pair for pair in combinations(quick, 2) if together(*pair)]
    return [in_order(*pair) for pair in Random(SEED).sample(possible, PAIRS)]


def later_pairs() -> list[tuple[Fault, Fault]]:
    """The same with at least one of the later faults."""
    possible = [
        pair
        for pair in combinations(_quick(), 2)
        if together(*pair) and any(fault.number in LATER for fault in pair) and _on_one_port(*pair)
    ]
    return [in_order(*pair) for pair in Random(SEED).sample(possible, LATER_PAIRS)]


def _quick() -> list[Fault]:
    return [fault for fault in FAULTS.values() if not (fault.slow or fault.last or "elsewhere" in fault.touches)]


def _on_one_port(*pair: Fault) -> bool:
    """Whether both faults are met by one request: a fault before Envoy's route is one of the port for plain HTTP."""
    secure = [fault for fault in pair if fault.number in ENCRYPTION]
    behind = ("name", "service", "endpoint", "pod")
    return not secure or all(fault in secure or fault.expected[0][0] in behind for fault in pair)


def in_order(one: Fault, other: Fault) -> tuple[Fault, Fault]:
    """The same two, the first on the path first; what is below all hops comes before them."""
    hops = [None, *(str(kind.name) for kind in KINDS)]
    return (one, other) if hops.index(one.expected[0][0]) <= hops.index(other.expected[0][0]) else (other, one)
