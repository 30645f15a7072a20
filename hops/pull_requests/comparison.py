"""What two sides say differently: their hops, their findings, their resources."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hops.model.settings.setting_types import NAMESPACE
from hops.pull_requests.events import Preview, PreviewedResource, differing
from hops.rules.formats import Located, as_json

Hop = Mapping[str, Any]
"""A hop as the output `hops` holds it."""


@dataclass(frozen=True)
class HopPair:
    """A hop on both sides; None where a side has none."""

    before: Hop | None
    after: Hop | None

    @property
    def changed(self) -> bool:
        return self.before != self.after

    @property
    def either(self) -> Hop:
        return self.after or self.before or {}


@dataclass(frozen=True)
class Changed:
    """A resource that isn't as it was. change: create, update, delete and so on. values: pointers into its inputs."""

    change: str
    resource: PreviewedResource
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Difference:
    """What the head says differently from the base. hops: all, in order. adds, fixes, leaves: findings."""

    hops: tuple[HopPair, ...]
    adds: tuple[Located, ...]
    fixes: tuple[Located, ...]
    leaves: tuple[Located, ...]

    def __bool__(self) -> bool:
        return bool(self.adds or self.fixes or any(pair.changed for pair in self.hops))


def difference(
    base_hops: Iterable[Hop], head_hops: Iterable[Hop], base: Sequence[Located], head: Sequence[Located]
) -> Difference:
    """Hops are the same by service, route and number, findings by code, object and place in it."""
    before, after = _by_number(base_hops), _by_number(head_hops)
    pairs = tuple(HopPair(before.get(key), after.get(key)) for key in dict.fromkeys((*after, *before)))
    adds, leaves = _split(head, base)
    fixes, _ = _split(base, head)
    return Difference(pairs, adds, fixes, leaves)


def summary(of: Difference) -> str:
    """How much differs, in a sentence."""
    hops = sum(pair.changed for pair in of.hops)
    return (
        f"Hops that change: {hops}. Findings that appear: {len(of.adds)}, that go: {len(of.fixes)}, "
        f"on both sides: {len(of.leaves)}."
    )


def title(hop: Hop) -> str:
    """The service of a hop, and its route where the service has several."""
    route = hop.get("route")
    return f"{hop['service']} by {route}" if route else str(hop["service"])


def paths(of: Difference) -> Mapping[str, list[HopPair]]:
    """The paths of both sides: the hops of each, changed or not, by its title."""
    found: dict[str, list[HopPair]] = {}
    for pair in of.hops:
        found.setdefault(title(pair.either), []).append(pair)
    return found


def _by_number(hops: Iterable[Hop]) -> dict[tuple[str, str, int], Hop]:
    return {(hop["service"], hop.get("route", ""), hop["number"]): hop for hop in hops}


def _key(located: Located) -> tuple[str, ...]:
    finding = located.finding
    # A rule may say two things of one place, which the patch tells apart; a message changes with what it counts.
    patch = repr(finding.patch.operations) if finding.patch and not finding.path else ""
    return finding.code, str(finding.resource), finding.path, patch


def _split(these: Iterable[Located], those: Iterable[Located]) -> tuple[tuple[Located, ...], tuple[Located, ...]]:
    """Of these, what those have not, and what they have too."""
    left = Counter(map(_key, those))
    only: list[Located] = []
    also: list[Located] = []
    for located in these:
        key = _key(located)
        (also if left[key] else only).append(located)
        left[key] -= bool(left[key])
    return tuple(only), tuple(also)


def changed(base: Preview | None, head: Preview) -> list[Changed]:
    """The resources that the head changes: against the base, or else against what the stack's state holds.

    They are sorted by URN, because the engine's own order varies. This project's components only group resources, so
    they are left out.
    """
    found = (one for one in _changed(base, head) if not one.resource.type.startswith(f"{NAMESPACE}:"))
    return sorted(found, key=lambda one: one.resource.urn)


def _changed(base: Preview | None, head: Preview) -> Iterator[Changed]:
    if base is None:
        yield from (Changed(r.op, r) for r in head.resources.values() if r.op not in ("same", "read", "refresh"))
        return
    for urn, resource in head.resources.items():
        before = base.resources.get(urn)
        values = () if before is None else tuple(differing(before.inputs, resource.inputs))
        if before is None or values:
            yield Changed("update" if before else "create", resource, values)
    # Of a preview that failed nobody knows what it would still have declared.
    if not head.failure:
        yield from (Changed("delete", r) for urn, r in base.resources.items() if urn not in head.resources)


def difference_json(of: Difference) -> dict[str, Any]:
    """hops: only those that change. findings: as `hops check` prints them, with the line where it is known."""
    return {
        "hops": [{"before": pair.before, "after": pair.after} for pair in of.hops if pair.changed],
        "findings": {
            name: [{**as_json(located.finding), "line": located.line} for located in found]
            for name, found in (("adds", of.adds), ("fixes", of.fixes), ("leaves", of.leaves))
        },
    }
