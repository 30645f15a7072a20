"""The verdict: all checks run, and each hop with its planned, declared and found address."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from hops.kubernetes import objects
from hops.kubernetes.declared_path import backends, entrypoint
from hops.model.finding import Finding, Level
from hops.model.hop import IPV6, KINDS, Hop, HopKind, HopName, HopRole, LiveAddresses, SocketAddress, published_hops
from hops.model.path import request_path
from hops.trace.checks.bisect import climbed
from hops.trace.checks.registry import CHECKS, CODES, Check
from hops.trace.facts.evidence import NOTHING, between_nodes, found
from hops.trace.facts.path_facts import THROUGH_ENVOY, PathFacts
from hops.trace.observed.observation import Observation
from hops.trace.precedence import unexplained
from hops.trace.result import HopAddress, Trace, TracedHop, Verdict

_BELOW = 0
"""Where a finding stands that is of no hop: the machine lies under them all."""


@dataclass(frozen=True)
class _Looked:
    """What is known of the whole path before its hops are judged. crossed: the hops that answered requests crossed."""

    view: PathFacts
    findings: tuple[Finding, ...]
    crossed: frozenset[HopName]
    unseen: Mapping[str, str]


def trace(observation: Observation) -> Trace:
    """Judges an observation: the first broken hop, and all findings."""
    view = PathFacts(observation)
    unseen = dict(observation.unseen)
    findings = _in_order(unexplained(finding for check in CHECKS for finding in _asked(check, view, unseen)))
    if not any(finding.level is Level.MANDATORY for finding in findings):
        findings = _in_order([*findings, *_asked(climbed, view, unseen)])
    looked = _Looked(view, tuple(findings), _crossed(view), unseen)
    planned, declared = _planned(view), _declared(view)
    return Trace(
        asked=observation.asked,
        taken=observation.taken,
        stack=observation.stack.name if observation.stack else None,
        hops=tuple(_hop(k, looked, planned.get(k.name), declared.get(k.name)) for k in KINDS),
        findings=looked.findings,
        answer=view.request("client"),
        unseen=tuple(unseen.items()),
        handshakes=tuple(one for place in THROUGH_ENVOY if (one := view.request(place)) and one.tls),
        then=trace(observation.then) if observation.then and not _ends(findings) else None,
        between_nodes=_ways(view, unseen),
    )


def _ways(view: PathFacts, unseen: dict[str, str]) -> tuple[str, ...]:
    try:
        return between_nodes(view)
    except Exception as error:  # noqa: BLE001 - an object that no check thought of must not end the trace
        unseen["the way between nodes"] = f"could not be read: {error!r}"
        return ()


def _ends(findings: Iterable[Finding]) -> bool:
    """Whether a finding says where the redirects end."""
    return any(finding.code in CODES and CODES[finding.code].ends_redirects for finding in findings)


def status(traced: Trace) -> int:
    """The exit status: 0 the request was answered as it should, 1 it was not or something is wrong, 2 nothing seen."""
    answer = traced.answer
    if any(finding.level is Level.MANDATORY for finding in traced.findings):
        return 1
    if traced.then:
        return status(traced.then)
    if answer is None and all(hop.verdict in (Verdict.NOT_SEEN, Verdict.BESIDE) for hop in traced.hops):
        return 2
    return 0 if answer and (answer.served or answer.redirected) else 1


def _asked(check: Check, view: PathFacts, unseen: dict[str, str]) -> Iterator[Finding]:
    try:
        yield from check(view)
    except Exception as error:  # noqa: BLE001 - an object that no check thought of must not end the trace
        unseen[f"check {check.__module__.rpartition('.')[2]}.{check.__name__}"] = f"failed with {error!r}"


def _in_order(findings: Iterable[Finding]) -> list[Finding]:
    """What stops a request before what doesn't, then by hop; each said once."""
    once = {(f.code, f.hop, str(f.resource), f.message): f for f in findings}
    return sorted(once.values(), key=lambda f: (f.level is not Level.MANDATORY, f.hop.number if f.hop else _BELOW))


def _hop(kind: HopKind, looked: _Looked, planned: Hop | None, declared: Hop | None) -> TracedHop:
    own = tuple(finding for finding in looked.findings if finding.hop and finding.hop.role is kind.name)
    try:
        seen, unread = found(looked.view, kind.name), None
    except Exception as error:  # noqa: BLE001 - as above
        seen, unread = NOTHING, f"what was seen could not be read: {error!r}"
    if kind.standing is HopRole.BESIDE:
        verdict = Verdict.BESIDE
    elif any(finding.level is Level.MANDATORY for finding in own):
        verdict = Verdict.BROKEN
    elif kind.name in looked.crossed or (not kind.name.reply and seen.value is not None):
        verdict = Verdict.OK
    else:
        verdict = Verdict.NOT_SEEN
    drawn = declared or planned
    return TracedHop(
        number=kind.number,
        name=drawn.name if drawn else kind.name,
        component=drawn.component if drawn else "",
        standing=kind.standing,
        verdict=verdict,
        planned=_address(planned, looked.view.asked.scheme),
        declared=_address(declared, looked.view.asked.scheme),
        found=seen.value,
        seconds=seen.seconds,
        evidence=seen.evidence,
        findings=own,
        unseen=unread or (_why(kind.name, looked) if verdict is Verdict.NOT_SEEN else None),
    )


# As planned, as declared


def _planned(view: PathFacts) -> Mapping[HopName, Hop]:
    """What the stack published, or else what its settings say, by hop."""
    backend = view.backend
    if view.observation.stack is None or view.planned is None or backend is None:
        return {}
    service = f"{backend.namespace}/{backend.service}"
    outputs = view.observation.stack.outputs or {}
    published = [
        hop for hop in published_hops(outputs.get("hops")) if hop.service == service and hop.route == backend.route
    ]
    # They enter by the first publishing node.
    if len(published) == len(KINDS) and view.entrypoint == view.planned.entrypoint:
        return _entered({hop.name.role: hop for hop in published}, view.version)
    path = view.planned.path_by(view.asked.port, backend)
    return _entered({hop.name.role: hop for hop in path.hops}, view.version) if path else {}


def _entered(hops: Mapping[HopName, Hop], version: int) -> Mapping[HopName, Hop]:
    """The hops as a request of an IP version enters them: by the second address of those that have two."""
    second = {hop.address: hop.details["ipv6"] for hop in hops.values() if hop.address and "ipv6" in hop.details}
    if version != IPV6 or not second:
        return hops

    def changed(hop: Hop) -> Hop:
        address = second.get(hop.address or "", hop.address)
        if hop.to is None:
            return replace(hop, address=address, next=second.get(hop.next or "", hop.next))
        to = SocketAddress(second.get(hop.to.address, hop.to.address), hop.to.port)
        return replace(hop, address=address, to=to, next=str(to))

    return {name: changed(hop) if name in _BEFORE_ENVOY else hop for name, hop in hops.items()}


_BEFORE_ENVOY = (
    *(HopName.NAME, HopName.PORT_MAPPING, HopName.HOST_PORT),
    *(HopName.REPLY_ROUTE, HopName.REPLY_HOST_PORT, HopName.REPLY_PORT_MAPPING, HopName.REPLY_CLIENT),
)
"""The hops that a request crosses by the family of the client; Envoy opens a connection of its own to the pod."""


def _declared(view: PathFacts) -> Mapping[HopName, Hop]:
    """What containers and objects declare for the asked host and path, by hop."""
    entrance = entrypoint(view.inventory, view.asked.port)
    planned = view.backend
    followed = [
        b
        for b in backends(view.inventory)
        if planned and (b.namespace, b.service) == (planned.namespace, planned.service)
    ]
    if entrance is None or not followed:
        return {}
    own = next((b for b in followed if planned and (b.host, b.path) == (planned.host, planned.path)), followed[0])
    path = request_path(entrance, own, _addresses(view, entrance.node), {})
    return _entered({hop.name.role: hop for hop in path.hops}, view.version)


def _addresses(view: PathFacts, node: str | None) -> LiveAddresses:
    """The addresses that the API gives."""
    pods = {f"{objects.full_name(pod)}": address for pod in view.of("Pod") if (address := objects.address(pod))}
    envoy = next((address for pod in view.envoy_pods if (address := objects.address(pod))), None)
    whole = (view.internal_addresses(node), *map(objects.addresses, (*view.envoy_pods, *view.of("Pod"))))
    second = {of[0]: of[1] for of in whole if len(of) > 1}
    return LiveAddresses(node=next(iter(view.internal_addresses(node)), None), envoy=envoy, pods=pods, seconds=second)


def _address(hop: Hop | None, scheme: str) -> HopAddress | None:
    """Where a hop is and where it leads for a scheme, in the form in which `found` has it."""
    if hop is None:
        return None
    hop = _of_scheme(hop, scheme)
    here = str(SocketAddress(hop.address, hop.port)) if hop.address and hop.port else hop.address
    match hop.name.role:
        case HopName.NAME:
            shown = HopAddress(hop.to.address if hop.to else None)
        case HopName.PORT_MAPPING:
            shown = HopAddress(here, hop.next if here else None)
        case HopName.HOST_PORT if hop.next:
            node = hop.details.get("node")
            shown = HopAddress(f"{node}:{hop.port}" if node else here, hop.next)
        case HopName.HOST_PORT:
            own = next((mapping for mapping in hop.mappings if mapping.scheme == scheme), None)
            shown = HopAddress(str(own.node), str(own.envoy)) if own else HopAddress(None)
        case HopName.ROUTE:
            shown = HopAddress(hop.match.path, hop.match.cluster) if hop.match else HopAddress(None)
        case HopName.SERVICE:
            shown = HopAddress(here)
        case HopName.ENDPOINT:
            shown = HopAddress(here, device=hop.details.get("interface"))
        case HopName.POD:
            shown = HopAddress(here or (f":{hop.port}" if hop.port else None))
        case _:
            shown = HopAddress(hop.next or hop.address)
    return shown if str(shown) else None


def _of_scheme(hop: Hop, scheme: str) -> Hop:
    """The hop with the ports of a scheme: what is published is that of the route, with all mappings beside it."""
    own = next((mapping for mapping in hop.mappings if mapping.scheme == scheme), None)
    if own is None:
        return hop
    ports = (own.host, own.node) if hop.name.role is HopName.PORT_MAPPING else (own.node, own.envoy)
    onward = f"{hop.next.rpartition(':')[0]}:{ports[1]}" if hop.next else None
    return replace(hop, port=ports[0], next=onward)


# What was crossed


def _crossed(view: PathFacts) -> frozenset[HopName]:
    """The hops that an answered request went through."""
    crossed: set[HopName] = set()
    client = view.request("client")
    answered = client is not None and client.status is not None
    in_cluster = {HopName.HOST_PORT, HopName.ROUTE}
    outside = set() if view.asked.from_node else {HopName.PORT_MAPPING}
    ways = {"client": in_cluster | outside, "node": in_cluster, "envoy": {HopName.ROUTE}}
    for request in view.observation.requests:
        if request.where in ways and view.met_envoy(request):
            crossed |= ways[request.where] | ({HopName.ENDPOINT, HopName.POD} if request.by_pod else set())
            crossed |= {HopName.NAME} if request is client and not view.asked.from_node else set()
    crossed |= {HopName.ENDPOINT, HopName.POD} if view.answered("pod from envoy") else set()
    crossed |= {HopName.POD} if view.answered("pod") else set()
    if client and answered:
        crossed |= {HopName.REPLY_CLIENT} | (set() if view.asked.from_node else {HopName.REPLY_PORT_MAPPING})
        crossed |= {HopName.REPLY_ROUTE, HopName.REPLY_HOST_PORT} if view.through_envoy("client") else set()
        crossed |= {HopName.REPLY_ENDPOINT} if client.by_pod else set()
    return frozenset(crossed)


_OUTSIDE = (HopName.NAME, HopName.PORT_MAPPING, HopName.REPLY_PORT_MAPPING)
"""The hops that a request from the node does not cross."""

_SOURCES: Mapping[HopName, tuple[str, ...]] = {
    HopName.NAME: ("host",),
    HopName.PORT_MAPPING: ("docker",),
    HopName.HOST_PORT: ("node", "docker"),
    HopName.ROUTE: ("envoy", "cluster"),
    HopName.ENDPOINT: ("node", "envoy", "cluster"),
    HopName.POD: ("node", "cluster"),
}
"""By hop, which parts of a look show it: how the keys of `Observation.unseen` begin."""


def _why(hop: HopName, looked: _Looked) -> str:
    view = looked.view
    if view.asked.from_node and hop in _OUTSIDE:
        return "the request starts in the node"
    if hop.reply:
        answer = view.request("client")
        return "no answer came back" if answer and answer.status is None else "no answer that came this way"
    sources = _SOURCES.get(hop, ())
    reasons = [f"{part}: {why}" for part, why in looked.unseen.items() if part.startswith((*sources, "requests"))]
    return "; ".join(reasons) or "it was not observed, and no answered request crossed it"
