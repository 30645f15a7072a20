"""The quantities that the API server refuses: resources of containers and claims, capacities and quotas."""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from hops.kubernetes.schemas.refusals import Refusal, nearest
from hops.kubernetes.validation.value_checks import Check, refused
from hops.kubernetes.values import JSON, UNKNOWN, at, entries, mapping, pointer, sequence

_QUANTITY = re.compile(
    r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][+-]?[0-9]+)?", re.ASCII
)
_DECIMAL = {"": 0, "n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_HUGE_PAGES = "hugepages-"
_CONTAINER_RESOURCES = ("cpu", "ephemeral-storage", "memory")
_BINARY = ("Ki", "Mi", "Gi", "Ti", "Pi", "Ei")


def quantity(value: JSON) -> Decimal | None:
    """The number that a quantity such as 128Mi means; None if it is none."""
    found = _QUANTITY.fullmatch(str(value)) if isinstance(value, str | int | float) else None
    if found is None:
        return None
    amount, unit = Decimal(found[1]), found[2] or ""
    if unit in _BINARY:
        return amount * Decimal(1024) ** (_BINARY.index(unit) + 1)
    if unit not in _DECIMAL and len(unit) > 6:
        return None
    return amount.scaleb(_DECIMAL[unit] if unit in _DECIMAL else int(unit[1:]))


def refused_quantity(value: JSON, path: str) -> Iterator[Refusal]:
    if value is None or value is UNKNOWN or not isinstance(value, str | int | float):
        return
    found = quantity(value)
    if found is None:
        yield refused(
            path,
            f"is {str(value)[:60]!r}, which is not a quantity",
            "Write a number with a unit such as m, k, M, Ki, Mi or Gi.",
        )
    elif found < 0:
        yield refused(path, f"is {value}, which is negative", "Write a quantity of 0 or more.")


def _resources(body: Mapping[str, Any], base: str) -> Iterator[Refusal]:
    """The quantities of a container or a claim."""
    given = mapping(body.get("resources"))
    limits = mapping(given.get("limits"))
    for key in ("limits", "requests"):
        for name, value in mapping(given.get(key)).items():
            path = pointer(base, "resources", key, name)
            wrong = list(refused_quantity(value, path))
            yield from wrong
            if key == "limits" or wrong:
                continue
            limit = None if limits.get(name) is UNKNOWN else quantity(limits.get(name))
            request = None if value is UNKNOWN else quantity(value)
            if limit is None or request is None or limit < 0:
                continue
            if _fixed(name) and limit != request:
                yield refused(
                    path,
                    f"is {value}, and the limit is {limits[name]}; {name} is not shared, so both must be equal",
                    "Write the same number into both, or remove the request.",
                )
            elif limit < request:
                yield refused(
                    path,
                    f"is {value}, which is more than the limit of {limits[name]}",
                    "Write a request of at most the limit, or raise the limit.",
                )


def _fixed(name: str) -> bool:
    """Whether a resource is given to one container alone: a device or a huge page, not CPU or memory."""
    return name.startswith(_HUGE_PAGES) or ("/" in name and "kubernetes.io/" not in name)


def refused_resources(container: Mapping[str, Any], base: str) -> Iterator[Refusal]:
    yield from _resources(container, base)
    given = mapping(container.get("resources"))
    limits, requests = mapping(given.get("limits")), mapping(given.get("requests"))
    for key, amounts in (("limits", limits), ("requests", requests)):
        for name, value in amounts.items():
            path = pointer(base, "resources", key, name)
            if "/" not in name and name not in _CONTAINER_RESOURCES and not name.startswith(_HUGE_PAGES):
                near = nearest(name, _CONTAINER_RESOURCES)
                other = f"Write {near}." if near else f"Write one of {', '.join(_CONTAINER_RESOURCES)}."
                yield refused(path, "is no resource of a container", other)
            elif "/" in name and _fixed(name) and value is not UNKNOWN and (quantity(value) or 0) % 1:
                yield refused(path, f"is {value}, and {name} is counted in whole numbers", "Write a whole number.")
            elif key == "requests" and _fixed(name) and limits.get(name) is None:
                yield refused(path, f"is set without a limit, which {name} needs", "Move it to limits.")
    names = {*limits, *requests}
    pages = sorted(name for name in names if name.startswith(_HUGE_PAGES))
    if pages and names.isdisjoint(("cpu", "memory")):
        yield refused(
            f"{base}/resources", f"has {pages[0]} without cpu or memory", "Set cpu or memory in limits or requests."
        )


def _claim(body: Mapping[str, Any], base: str) -> Iterator[Refusal]:
    spec = mapping(body.get("spec"))
    base = pointer(base, "spec")
    if not sequence(spec.get("accessModes")):
        yield refused(f"{base}/accessModes", "is missing", "Set accessModes, such as [ReadWriteOnce].")
    storage = at(spec, "resources", "requests", "storage")
    if storage is None:
        yield refused(f"{base}/resources", "does not request storage", "Set resources.requests.storage, such as 1Gi.")
    yield from _resources(spec, base)


def refused_claim_templates(body: Mapping[str, Any], _: str) -> Iterator[Refusal]:
    for index, claim in entries(sequence(at(body, "spec", "volumeClaimTemplates"))):
        yield from _claim(claim, f"/spec/volumeClaimTemplates/{index}")


def _capacity(body: Mapping[str, Any], _: str) -> Iterator[Refusal]:
    for name, value in mapping(at(body, "spec", "capacity")).items():
        yield from refused_quantity(value, pointer("", "spec", "capacity", name))


def _hard(body: Mapping[str, Any], _: str) -> Iterator[Refusal]:
    for name, value in mapping(at(body, "spec", "hard")).items():
        yield from refused_quantity(value, pointer("", "spec", "hard", name))


CHECKS: Mapping[str, tuple[Check, ...]] = {
    "v1 PersistentVolume": (_capacity,),
    "v1 PersistentVolumeClaim": (_claim,),
    "v1 ResourceQuota": (_hard,),
}
