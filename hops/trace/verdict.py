"""The verdict: all checks asked, and each hop told as planned, as declared and as found."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from hops.kubernetes.declared_path import backends, door
from hops.kubernetes.values import at, sequence, text
from hops.model.finding import Finding, Level
from hops.model.hop import KINDS, Found, HopKind, Standing
from hops.model.path import request_path
from hops.trace.checks.bisect import climbed
from hops.trace.checks.registry import CHECKS, Check
from hops.trace.facts.evidence import NOTHING, found
from hops.trace.facts.view import View
from hops.trace.observed.observation import Sight
from hops.trace.precedence import unexplained
from hops.trace.result import Trace, TracedHop, Verdict

_NUMBERS = {kind.name: kind.number for kind in KINDS} | {"load-balancer": 2, "node-port": 3}
_BACK = range(8, 13)
"""The hops of the answer."""
_BELOW = 0
"""Where a finding stands that is of no hop: the machine lies under them all."""


@dataclass(frozen=True)
class _Looked:
    """What is known of the whole path before its hops are told. crossed: the hops that answered requests crossed."""

    view: View
    findings: tuple[Finding, ...]
    crossed: frozenset[int]
    unseen: Mapping[str, str]


def trace(sight: Sight) -> Trace:
    """What a sight says of the path."""
    view = View(sight)
    unseen = dict(sight.unseen)
    findings = _in_order(unexplained(finding for check in CHECKS for finding in _asked(check, view, unseen)))
    if not any(finding.level is Level.MANDATORY for finding in findings):
        findings = _in_order([*findings, *_asked(climbed, view, unseen)])
    looked = _Looked(view, tuple(findings), _crossed(view), unseen)
    planned, declared = _planned(view), _declared(view)
    return Trace(
        asked=sight.asked,
        taken=sight.taken,
        stack=sight.stack.name if sight.stack else None,
        hops=tuple(_hop(k, looked, planned.get(k.number, {}), declared.get(k.number, {})) for k in KINDS),
        findings=looked.findings,
        answer=view.request("client"),
        unseen=tuple(unseen.items()),
    )


def status(traced: Trace) -> int:
    """The exit status: 0 the request was answered as it should, 1 it was not or something is wrong, 2 nothing seen."""
    answer = traced.answer
    if any(finding.level is Level.MANDATORY for finding in traced.findings):
        return 1
    if answer is None and all(hop.verdict in (Verdict.NOT_SEEN, Verdict.BESIDE) for hop in traced.hops):
        return 2
    return 0 if answer and (answer.served or answer.redirected) else 1


def _asked(check: Check, view: View, unseen: dict[str, str]) -> Iterator[Finding]:
    try:
        yield from check(view)
    except Exception as error:  # noqa: BLE001 - an object that no check thought of must not end the trace
        unseen[f"check {check.__module__.rpartition('.')[2]}.{check.__name__}"] = f"failed with {error!r}"


def _in_order(findings: Iterable[Finding]) -> list[Finding]:
    """What stops a request before what doesn't, then by hop; each said once."""
    once = {(f.code, f.hop, str(f.resource), f.message): f for f in findings}
    return sorted(once.values(), key=lambda f: (f.level is not Level.MANDATORY, _NUMBERS.get(f.hop or "", _BELOW)))


def _hop(kind: HopKind, looked: _Looked, planned: Mapping[str, Any], declared: Mapping[str, Any]) -> TracedHop:
    own = tuple(finding for finding in looked.findings if _NUMBERS.get(finding.hop or "") == kind.number)
    try:
        seen, unread = found(looked.view, kind.number), None
    except Exception as error:  # noqa: BLE001 - as above
        seen, unread = NOTHING, f"what was seen could not be read: {error!r}"
    if kind.standing is Standing.BESIDE:
        verdict = Verdict.BESIDE
    elif any(finding.level is Level.MANDATORY for finding in own):
        verdict = Verdict.BROKEN
    elif kind.number in looked.crossed or (kind.number not in _BACK and seen.value is not None):
        verdict = Verdict.OK
    else:
        verdict = Verdict.NOT_SEEN
    drawn = declared or planned
    return TracedHop(
        number=kind.number,
        name=str(drawn.get("name") or kind.name),
        component=str(drawn.get("component") or ""),
        standing=kind.standing,
        verdict=verdict,
        planned=_shown(kind.number, planned),
        declared=_shown(kind.number, declared),
        found=seen.value,
        seconds=seen.seconds,
        evidence=seen.evidence,
        findings=own,
        unseen=unread or (_why(kind.number, looked) if verdict is Verdict.NOT_SEEN else None),
    )


# As planned, as declared


def _planned(view: View) -> Mapping[int, Mapping[str, Any]]:
    """What the stack published, or else what its settings say, by hop."""
    backend = view.backend
    if view.sight.stack is None or view.planned is None or backend is None:
        return {}
    service = f"{backend.namespace}/{backend.service}"
    outputs = dict(view.sight.stack.outputs or {})
    published = [hop for hop in sequence(outputs.get("hops")) if at(hop, "service") == service]
    if len(published) == len(KINDS):
        return {int(hop["number"]): hop for hop in published}
    path = next((path for path in view.planned.paths if path.service == service), None)
    return {hop.number: asdict(hop) for hop in path.hops} if path else {}


def _declared(view: View) -> Mapping[int, Mapping[str, Any]]:
    """What containers and objects declare for the asked host and path, by hop."""
    entrance = door(view.declared)
    wanted = view.backend
    followed = [
        b for b in backends(view.objects) if wanted and (b.namespace, b.service) == (wanted.namespace, wanted.service)
    ]
    if entrance is None or not followed:
        return {}
    path = request_path(entrance, followed[0], _addresses(view, entrance.node), {})
    return {hop.number: asdict(hop) for hop in path.hops}


def _addresses(view: View, node: str | None) -> Found:
    """The addresses that the API gives."""
    pods = {
        f"{at(pod, 'metadata', 'namespace')}/{at(pod, 'metadata', 'name')}": address
        for pod in view.of("Pod")
        if (address := text(at(pod, "status", "podIP")))
    }
    envoy = next((address for pod in view.envoy_pods if (address := text(at(pod, "status", "podIP")))), None)
    return Found(node=next(iter(view.internal_addresses(node)), None), envoy=envoy, pods=pods)


def _shown(number: int, hop: Mapping[str, Any]) -> str | None:
    """A hop in the words in which `found` tells it."""
    if not hop:
        return None
    address, port, onward = hop.get("address"), hop.get("port"), hop.get("next")
    details = dict(hop.get("details") or {})
    here = f"{address}:{port}" if address and port else address
    told = onward or address
    match number:
        case 1:
            told = onward and str(onward).rpartition(":")[0]
        case 2:
            told = here and f"{here} -> {onward}"
        case 3:
            own = f"{details['node']}:{port}" if details.get("node") else here
            told = f"{own} -> {onward}" if onward else details.get("http")
        case 4:
            told = details and f"/{str(details.get('match')).partition('/')[2]} -> {details.get('cluster')}"
        case 5:
            told = here
        case 6:
            told = " ".join(part for part in (here, details.get("interface") and f"dev {details['interface']}") if part)
        case 7:
            told = here or (port and f":{port}")
    return str(told) if told else None


# What was crossed


def _crossed(view: View) -> frozenset[int]:
    """The hops that an answered request went through."""
    crossed: set[int] = set()
    client = view.request("client")
    answered = client is not None and client.status is not None
    ways = {"client": {3, 4} | (set() if view.asked.from_node else {2}), "node": {3, 4}, "envoy": {4}}
    for request in view.sight.requests:
        if request.where in ways and request.by_envoy:
            crossed |= ways[request.where] | ({6, 7} if request.by_pod else set())
            crossed |= {1} if request is client and not view.asked.from_node else set()
    crossed |= {6, 7} if view.answered("pod from envoy") else set()
    crossed |= {7} if view.answered("pod") else set()
    if client and answered:
        crossed |= {12} | (set() if view.asked.from_node else {11})
        crossed |= {9, 10} if view.through_envoy("client") else set()
        crossed |= {8} if client.by_pod else set()
    return frozenset(crossed)


_SOURCES: Mapping[int, tuple[str, ...]] = {
    1: ("host",),
    2: ("docker",),
    3: ("node", "docker"),
    4: ("envoy", "cluster"),
    6: ("node", "envoy", "cluster"),
    7: ("node", "cluster"),
}
"""By hop, which parts of a look show it: how the keys of `Sight.unseen` begin."""


def _why(number: int, looked: _Looked) -> str:
    view = looked.view
    if view.asked.from_node and number in (1, 2, 11):
        return "the request starts in the node"
    if number in _BACK:
        answer = view.request("client")
        return "no answer came back" if answer and answer.status is None else "no answer that came this way"
    sources = _SOURCES.get(number, ())
    reasons = [f"{part}: {why}" for part, why in looked.unseen.items() if part.startswith((*sources, "requests"))]
    return "; ".join(reasons) or "nothing of it was found, and no answered request crossed it"
