"""Calico's IPPools, as the API gives them (libcalico-go, IPPoolSpec)."""

from collections.abc import Mapping

from hops.kubernetes.values import JSON, at, sequence, text


def cidr(pool: Mapping[str, JSON]) -> str | None:
    """The addresses of a pool, such as 10.244.0.0/16; None where it has none."""
    return text(at(dict(pool), "spec", "cidr"))


def for_pods(pool: Mapping[str, JSON]) -> bool:
    """Whether pods get addresses of a pool."""
    uses = sequence(at(dict(pool), "spec", "allowedUses"))
    return at(dict(pool), "spec", "disabled") is not True and (not uses or "Workload" in uses)
