"""Calico's IPPools, as the API gives them (libcalico-go, IPPoolSpec)."""

from collections.abc import Mapping

from hops.kubernetes.values import JSON, at, flag, mapping, sequence, text


def cidr(pool: Mapping[str, JSON]) -> str | None:
    """The addresses of a pool, such as 10.244.0.0/16; None where it has none."""
    return text(at(dict(pool), "spec", "cidr"))


def like(pool: Mapping[str, JSON], name: str, addresses: str) -> dict[str, JSON]:
    """A pool with the settings of another one, under its own name and with its own addresses.

    pool: the pool to copy.
    name: of the new pool.
    addresses: of the new pool, such as 10.244.0.0/16.
    """
    spec = {**mapping(at(dict(pool), "spec")), "cidr": addresses}
    return {"apiVersion": pool.get("apiVersion"), "kind": "IPPool", "metadata": {"name": name}, "spec": spec}


def disabled(pool: Mapping[str, JSON]) -> bool:
    """Whether Calico gives no new addresses of a pool."""
    return flag(at(dict(pool), "spec", "disabled")) is True


def for_pods(pool: Mapping[str, JSON]) -> bool:
    """Whether pods get addresses of a pool."""
    uses = sequence(at(dict(pool), "spec", "allowedUses"))
    return not disabled(pool) and (not uses or "Workload" in uses)
