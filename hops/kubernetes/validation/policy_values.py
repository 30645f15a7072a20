"""The values that the API server refuses in policies of Kubernetes and of Calico.

Source for Calico: libcalico-go/lib/validator/v3.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from hops.kubernetes.policies.calico_selectors import SelectorError, takes
from hops.kubernetes.schemas.refusals import Refusal
from hops.kubernetes.validation.value_checks import Check, decided, present, refused, refused_network
from hops.kubernetes.values import at, entries, mapping, network, number, sequence, text


def _policy(body: Mapping[str, Any], _: str) -> Iterator[Refusal]:
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for index, rule in entries(sequence(at(body, "spec", direction))):
            base = f"/spec/{direction}/{index}"
            for i, peer in entries(sequence(mapping(rule).get(peers))):
                yield from decided(_peer, peer, f"{base}/{peers}/{i}")
            for i, port in entries(sequence(mapping(rule).get("ports"))):
                yield from decided(_policy_port, port, f"{base}/ports/{i}")


def _peer(peer: Mapping[str, Any], path: str) -> Iterator[Refusal]:
    given = present(peer, "ipBlock", "podSelector", "namespaceSelector")
    if not given:
        yield refused(
            path, "is empty", "Set podSelector, namespaceSelector or ipBlock; {} as podSelector means all pods."
        )
    elif given[0] == "ipBlock":
        if len(given) > 1:
            yield refused(path, f"has ipBlock beside {given[1]}", "Write two peers, one for each.")
        yield from _ip_block(mapping(peer["ipBlock"]), f"{path}/ipBlock")


def _ip_block(block: Mapping[str, Any], path: str) -> Iterator[Refusal]:
    wrong = list(refused_network(block.get("cidr"), f"{path}/cidr"))
    yield from wrong
    whole = network(block.get("cidr"))
    for index, value in enumerate(sequence(block.get("except"))):
        place = f"{path}/except/{index}"
        wrong_part = list(refused_network(value, place))
        yield from wrong_part
        part = network(value)
        if wrong or wrong_part or whole is None or part is None:
            continue
        # Networks of two families have no common part.
        inside = whole.version == part.version and part.prefixlen > whole.prefixlen
        if not inside or part.network_address not in whole:
            yield refused(place, f"is {value}, which is not a part of {block['cidr']}", "Write a part of cidr.")


def _policy_port(port: Mapping[str, Any], path: str) -> Iterator[Refusal]:
    first, last = port.get("port"), number(port.get("endPort"))
    if last is None:
        return
    begin = number(first)
    if begin is None:
        reason = "is set, and port is a name" if isinstance(first, str) else "is set without port"
        yield refused(f"{path}/endPort", reason, "Write the number of the first port into port, or remove endPort.")
    elif last < begin:
        yield refused(f"{path}/endPort", f"is {last}, which is less than port {begin}", "Write at least port.")


def _calico(body: Mapping[str, Any], _: str) -> Iterator[Refusal]:
    spec = mapping(body.get("spec"))
    yield from _calico_selectors(spec, "/spec", ("selector", "namespaceSelector", "serviceAccountSelector"))
    for index, kind in enumerate(sequence(spec.get("types"))):
        if (text(kind) or "Ingress") not in ("Ingress", "Egress"):
            yield refused(
                f"/spec/types/{index}", f"is {kind!r:.60}, which is not Ingress or Egress", "Write Ingress or Egress."
            )
    for direction in ("ingress", "egress"):
        for index, rule in entries(sequence(spec.get(direction))):
            yield from decided(_calico_rule, rule, f"/spec/{direction}/{index}")


def _calico_rule(rule: Mapping[str, Any], path: str) -> Iterator[Refusal]:
    action = text(rule.get("action"))
    if action is not None and action not in ("Allow", "Deny", "Log", "Pass"):
        yield refused(f"{path}/action", f"is {action[:60]!r}", "Write Allow, Deny, Log or Pass.")
    # Lower case and numbers are accepted, too.
    protocol = rule.get("protocol")
    for side in ("source", "destination"):
        given, place = mapping(rule.get(side)), f"{path}/{side}"
        selectors = ("selector", "notSelector", "namespaceSelector")
        yield from _calico_selectors(given, place, selectors)
        if protocol is None and any(sequence(given.get(key)) for key in ("ports", "notPorts")):
            yield refused(f"{place}/ports", "is set, and the rule has no protocol", "Set protocol of the rule to TCP.")
        for key in ("nets", "notNets"):
            for index, net in enumerate(sequence(given.get(key))):
                yield from refused_network(net, f"{place}/{key}/{index}", or_address=True)


def _calico_selectors(body: Mapping[str, Any], base: str, keys: tuple[str, ...]) -> Iterator[Refusal]:
    for key in keys:
        given = text(body.get(key))
        try:
            takes(given or "", {})
        except SelectorError as error:
            yield refused(
                f"{base}/{key}", f"is no selector: {str(error)[:120]}", "Write a selector such as app == 'web'."
            )


CHECKS: Mapping[str, tuple[Check, ...]] = {
    "networking.k8s.io/v1 NetworkPolicy": (_policy,),
    "projectcalico.org/v3 GlobalNetworkPolicy": (_calico,),
    "projectcalico.org/v3 NetworkPolicy": (_calico,),
}
