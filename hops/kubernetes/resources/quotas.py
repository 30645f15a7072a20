"""What limits the pods of a namespace: ResourceQuota and LimitRange."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hops.kubernetes.values import JSON, at, pairs, sequence


@dataclass(frozen=True)
class PodLimit:
    """The bounds of a LimitRange for a pod or for one container.

    most, least: quantities by resource, such as `cpu`.
    """

    most: Mapping[str, str]
    least: Mapping[str, str]


def hard(quota: Mapping[str, JSON]) -> Mapping[str, str]:
    """The most that a namespace may use, as quantities by resource, such as `limits.cpu`."""
    return pairs(at(dict(quota), "spec", "hard"))


def used(quota: Mapping[str, JSON]) -> Mapping[str, str]:
    """What a namespace uses of its quota, as quantities by resource."""
    return pairs(at(dict(quota), "status", "used"))


def pod_limits(limit_range: Mapping[str, JSON]) -> Iterator[PodLimit]:
    """The bounds of a LimitRange for pods and containers."""
    for limit in sequence(at(dict(limit_range), "spec", "limits")):
        if at(limit, "type") in ("Container", "Pod"):
            yield PodLimit(pairs(at(limit, "max")), pairs(at(limit, "min")))
