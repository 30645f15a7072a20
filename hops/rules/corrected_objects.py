"""Corrects refused values where the correction is certain, and makes them unknown elsewhere."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from hops.kubernetes.inventory import Inventory
from hops.kubernetes.values import UNKNOWN
from hops.model.finding import Finding, Place
from hops.rules.patches import patched

# What identifies an object, and what no schema knows.
_KEPT = ("/apiVersion", "/kind", "/metadata/name", "/metadata/namespace")


def corrected(inventory: Inventory, refusals: Iterable[Finding]) -> Inventory:
    """The inventory that the other rules judge, so that what follows from a refused value is no second finding.

    inventory: the declared objects.
    refusals: findings about values that the API server or kind refuses.
    """
    by_place: dict[Place, list[Finding]] = defaultdict(list)
    for finding in refusals:
        by_place[finding.place].append(finding)
    # In a preview, an unknown value would be one of the program's.
    certain = not any(resource.unknown for resource in inventory.resources)
    bodies = {}
    for resource in inventory.resources:
        if resource.place in by_place:
            body: Mapping[str, Any] = resource.body
            for finding in by_place[resource.place]:
                body = _corrected(body, finding, certain=certain)
            bodies[resource] = body
    return inventory.with_bodies(bodies)


def _corrected(body: Mapping[str, Any], finding: Finding, *, certain: bool) -> Mapping[str, Any]:
    try:
        if finding.patch:
            return patched(body, finding.patch.operations)
        if certain and finding.code != "AP02" and not finding.path.startswith(_KEPT) and finding.path:
            return patched(body, [{"op": "replace", "path": finding.path, "value": UNKNOWN}])
    except (LookupError, TypeError, ValueError):
        # Another correction has moved the value.
        pass
    return body
