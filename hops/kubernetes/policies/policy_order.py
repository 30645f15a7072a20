"""Whether Kubernetes and Calico network policies allow one pod to connect to another.

Calico evaluates the policies of a pod by tier and, within a tier, by order. Kubernetes policies are in the tier
`default` with order 1000. The first matching rule decides. If a tier has a policy for the pod and no rule matches, it
denies.
Source: https://docs.tigera.io/calico/latest/reference/resources/tier.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby

from hops.kubernetes import objects
from hops.kubernetes.policies.network_policies import (
    DEFAULT,
    LAST,
    Connection,
    Direction,
    NetworkPolicy,
    as_order,
    as_policy,
)
from hops.kubernetes.values import JSON, at

_TIER_ORDERS = {DEFAULT: 1_000_000.0, "adminnetworkpolicy": 1_000.0, "baselineadminnetworkpolicy": 10_000_000.0}


@dataclass(frozen=True)
class Ruling:
    """The result of network policies for a connection.

    allowed: whether the connection is allowed; None if this cannot be decided.
    by: the policy that decides, or that this module cannot evaluate; None without a policy.
    explicit: whether a rule of the policy matches; False if the policy denies because no rule matches.
    """

    allowed: bool | None
    by: Mapping[str, JSON] | None = None
    explicit: bool = False


def ruling(declared: Iterable[Mapping[str, JSON]], direction: Direction, connection: Connection) -> Ruling:
    """Evaluates network policies for a connection.

    declared: policies and tiers, as JSON values.
    direction: Ingress for the policies of the target, Egress for those of the source.
    connection: the connection.
    """
    given = [dict(item) for item in declared]
    own = {objects.name(i): at(i, "spec", "order") for i in given if i.get("kind") == "Tier"}
    tiers = {**{name: as_order(order) for name, order in own.items()}, **_TIER_ORDERS}
    open_ended = {
        objects.name(i) for i in given if i.get("kind") == "Tier" and at(i, "spec", "defaultAction") == "Pass"
    }
    policies = [found for item in given if (found := as_policy(item, direction, connection))]
    policies.sort(key=lambda p: (tiers.get(p.tier, LAST), p.tier, p.order, objects.name(p.body)))
    possible = list(_outcomes([list(group) for _, group in groupby(policies, lambda p: p.tier)], open_ended))
    if len({outcome.allowed for outcome in possible}) == 1:
        return possible[0]
    unclear = next((p.body for p in policies if not p.sure or any(rule.fits is None for rule in p.rules)), None)
    return Ruling(None, unclear)


def _outcomes(tiers: list[list[NetworkPolicy]], open_ended: set[str]) -> Iterator[Ruling]:
    """All that may come out; the last one certainly does, if none before it."""
    if not tiers:
        yield Ruling(allowed=True)
        return
    tier, rest = tiers[0], tiers[1:]
    for policy in tier:
        for rule in policy.rules:
            if rule.fits is False:
                continue
            if rule.action == "Pass":
                yield from _outcomes(rest, open_ended)
            else:
                yield Ruling(rule.action == "Allow", policy.body, explicit=True)
            if policy.sure and rule.fits:
                return
    if tier[0].tier not in open_ended:
        closing = next((policy for policy in tier if policy.sure), None)
        yield Ruling(allowed=False, by=(closing or tier[0]).body)
        if closing:
            return
    yield from _outcomes(rest, open_ended)
