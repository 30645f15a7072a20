"""What can break: hop 4, a route that is taken and that Envoy itself answers, since it may not or cannot ask a pod."""

from collections.abc import Callable, Container, Iterator, Mapping

from hops.kubernetes import objects
from hops.kubernetes.controller.contour_annotations import LIMITS, PROTOCOLS, RESPONSE_TIMEOUT, WEBSOCKETS
from hops.kubernetes.resources.services import as_service
from hops.kubernetes.routing.route import Route
from hops.kubernetes.values import at, mapping, sequence, steps, text
from hops.model.finding import Finding, Identity
from hops.model.hop import HopName
from hops.trace.code import Code
from hops.trace.facts.declared_routes import claims
from hops.trace.facts.envoy_drift import arrived, dialled, taken
from hops.trace.facts.evidence import request_line
from hops.trace.facts.live_rules import patched
from hops.trace.facts.path_facts import THROUGH_ENVOY, PathFacts, identity
from hops.trace.facts.remedies import kubectl, make, mend, route_setting
from hops.trace.observed.observation import SentRequest

_BROKEN = ("protocol error", "connection termination", "remote connection failure", "TLS_error", "remote reset")
"""How Envoy 1.38 words a pod that speaks another protocol: the first with 502 and the third with 503 were seen."""
_CLUSTERS = "https://www.envoyproxy.io/docs/envoy/v1.38.3/configuration/upstream/cluster_manager/cluster_stats"

draining = Code(
    code="T70",
    hop=HopName.ROUTE,
    title="Envoy is draining",
    symptom="Requests are still answered, with `connection: close`. A load balancer in front of Envoy sends it no "
    "requests, so they are refused or time out.",
    cause="Envoy received the command to shut down: from its shutdown manager when its pod was deleted, or by its "
    "admin interface. It then fails its readiness check and keeps serving its last configuration.",
    confirmed_by="Envoy's admin interface shows the state DRAINING. The finding is advisory if the request is "
    "answered.",
    remedy="Delete Envoy's pod. Its DaemonSet creates another.",
    references=("https://projectcontour.io/docs/1.33/redeploy-envoy/",),
)
overflow = Code(
    code="T71",
    hop=HopName.ROUTE,
    title="Envoy's circuit breaker is open",
    symptom="503 from Envoy itself with `reset reason: overflow`, for some requests or for all, while others are "
    "answered.",
    cause="The number of connections or requests that Envoy may have open to the Service is reached. The bounds are "
    "annotations of the Service, such as `projectcontour.io/max-requests`, or Contour's own configuration.",
    confirmed_by="Envoy's own answer contains `overflow`, and its counters for the Service show it.",
    remedy="Raise or remove the annotation of the Service, or find why its pods keep requests open for so long.",
    references=("https://projectcontour.io/docs/1.33/config/annotations/", _CLUSTERS),
)
limited = Code(
    code="T72",
    hop=HopName.ROUTE,
    title="Envoy's rate limit refuses the request",
    symptom="429 from Envoy itself.",
    cause="The HTTPProxy has a rateLimitPolicy, and more requests came than it allows. The trace itself sends up to "
    "three requests through Envoy.",
    confirmed_by="The status 429 without `x-envoy-upstream-service-time`: a pod's own 429 has it.",
    remedy="Wait, or raise the limit of the HTTPProxy.",
    references=("https://projectcontour.io/docs/1.33/config/rate-limiting/",),
)
other_protocol = Code(
    code="T73",
    hop=HopName.ROUTE,
    title="Envoy and the pod use different protocols",
    symptom="502 from Envoy itself with `protocol error`, or 503 with `remote connection failure` or `TLS_error`.",
    cause="An annotation `projectcontour.io/upstream-protocol.…` of the Service, or `protocol` of the HTTPProxy, "
    "names TLS or HTTP/2, and the pod serves plain HTTP/1.1.",
    confirmed_by="The pod answers a direct request in plain HTTP/1.1, the objects declare another protocol, and "
    "Envoy's own answer names a protocol error.",
    remedy="Remove the annotation or the field, or let the pod serve that protocol.",
    references=("https://projectcontour.io/docs/1.33/config/upstream-tls/",),
)
timed_out = Code(
    code="T74",
    hop=HopName.ROUTE,
    title="Envoy does not wait long enough for the pod",
    symptom="504 from Envoy itself: `upstream request timeout`.",
    cause="The route's response timeout is shorter than the pod needs. Without one, Envoy waits for 15 s.",
    confirmed_by="Envoy answers 504, and the pod answers the same request when it is sent directly. A pod that does "
    "not answer then either is T44.",
    remedy="Raise the route's timeout, or make the pod faster.",
    references=("https://projectcontour.io/docs/1.33/config/request-routing/#response-timeouts",),
)
no_websocket = Code(
    code="T75",
    hop=HopName.ROUTE,
    title="The route does not allow WebSockets",
    symptom="403 from Envoy itself for a request with `Upgrade: websocket`; other requests are answered.",
    cause="Envoy forwards an upgrade only if the route allows it: an Ingress by the annotation "
    "`projectcontour.io/websocket-routes`, an HTTPProxy by `enableWebsockets`.",
    confirmed_by="The request asks for a WebSocket, and Envoy's own answer is 403. A pod's own 403 has "
    "`x-envoy-upstream-service-time`.",
    remedy="Allow WebSockets on the route.",
    references=("https://projectcontour.io/docs/1.33/config/websockets/",),
)


def _refusal(view: PathFacts, statuses: Container[int], *words: str) -> SentRequest | None:
    """The first answer that Envoy gave itself with one of the statuses and one of the words."""
    if view.well is not False or taken(view) is None:
        return None
    sent = (request for place in THROUGH_ENVOY if (request := view.request(place)))
    own = (one for one in sent if one.status in statuses and one.by_envoy and not one.by_pod)
    return next((one for one in own if not words or any(word in one.body for word in words)), None)


def _direct(view: PathFacts) -> SentRequest | None:
    """The answer of a pod that was asked without Envoy."""
    asked = (request for request in view.observation.requests if request.where in ("pod from envoy", "pod"))
    return next((one for one in asked if one.status is not None), None)


def _draining(view: PathFacts) -> Iterator[Finding]:
    for seen in view.observation.envoys:
        if at(dict(seen.server), "state") == "DRAINING":
            namespace, _, name = seen.pod.partition("/")
            who = Identity("v1", "Pod", namespace, name)
            remedy = kubectl(view, "delete", "pod", name, namespace=namespace)
            evidence = [f"Envoy in {seen.pod}: state DRAINING"]
            yield draining.finding(who, "Envoy is shutting down.", remedy, evidence, stops=not arrived(view))


def _overflow(view: PathFacts) -> Iterator[Finding]:
    answer = _refusal(view, (503,), "overflow")
    if answer is None or view.service is None:
        return
    who = identity(view.service)
    given = {key: value for key, value in _annotations(view).items() if key in LIMITS}
    evidence = [request_line(answer), *(f"{who}: {key} is {value}" for key, value in given.items()), *_overflows(view)]
    bounds = " and ".join(f"{key.rpartition('/')[2]} {value}" for key, value in given.items())
    look = kubectl(view, "get", "service", who.name, "--output", "yaml", namespace=who.namespace)
    words = ("annotate", "service", who.name, *(f"{key}-" for key in given))
    remedy = mend(view, who, kubectl(view, *words, namespace=who.namespace)) if given else ""
    message = f"Envoy sends no more requests to {who}{f', which allows {bounds}' if bounds else ''}."
    yield overflow.finding(who, message, remedy, evidence, look="" if remedy else look)


def _overflows(view: PathFacts) -> Iterator[str]:
    cluster, seen = dialled(view), view.envoy
    if cluster is None or seen is None:
        return
    start = f"cluster.{cluster.replace('/', '_')}"
    for name, after in sorted(seen.stats_after.items()):
        if name.endswith("_overflow") and after and name.startswith(start.rpartition("_")[0]):
            yield f"Envoy's {name}: {seen.stats.get(name, 0)} before and {after} after"


def _limited(view: PathFacts) -> Iterator[Finding]:
    answer, first = _refusal(view, (429,)), claims(view).first
    if answer is None or first is None:
        return
    who, body = first.resource.identity, dict(first.resource.body)
    places = [
        (pointer, policy)
        for pointer in (first.pointer, "/spec/virtualhost")
        if (policy := mapping(at(body, *steps(pointer), "rateLimitPolicy")))
    ]
    evidence = [request_line(answer)]
    remedy, message = "", f"{who} has a rate limit, and more requests came."
    for pointer, policy in places[:1]:
        local = mapping(policy.get("local"))
        most = f"{local.get('requests')} requests a {local.get('unit')}" if local else "those of a rate limit service"
        message = f"{who} allows {most}, and more came."
        remedy = patched(view, who, {"op": "remove", "path": f"{pointer}/rateLimitPolicy"})
        evidence.append(f"{who}: rateLimitPolicy at {pointer}")
    look = kubectl(view, "get", who.kind.lower(), who.name, "--output", "yaml", namespace=who.namespace)
    yield limited.finding(who, message, remedy, evidence, look="" if remedy else look)


def _other_protocol(view: PathFacts) -> Iterator[Finding]:
    answer = _refusal(view, (502, 503), *_BROKEN)
    declared, direct = _protocol(view), _direct(view)
    if answer is None or declared is None or direct is None:
        return
    who, protocol, pointer = declared
    spoken = {"tls": "TLS", "h2": "HTTP/2 over TLS", "h2c": "HTTP/2 without TLS"}.get(protocol, protocol)
    evidence = [request_line(answer), request_line(direct), f"{who}: {pointer} is {protocol}"]
    wrong = route_setting(view, "protocol", lambda route: route.protocol != "http")
    if who.kind == "Service":
        otherwise = kubectl(view, "annotate", "service", who.name, f"{pointer}-", namespace=who.namespace)
        remedy = mend(view, who, otherwise)
    else:
        remedy = patched(view, who, {"op": "remove", "path": pointer})
    message = f"Envoy uses {spoken} for the pod, as {who} declares, and the pod answers plain HTTP/1.1."
    yield other_protocol.finding(who, message, make(view) if wrong else remedy, evidence, setting=wrong)


def _protocol(view: PathFacts) -> tuple[Identity, str, str] | None:
    """The object that declares a protocol for the backend, the protocol, and its annotation or pointer."""
    first, backend = claims(view).first, view.backend
    if first and backend:
        for index, one in enumerate(sequence(at(dict(first.resource.body), *steps(first.pointer), "services"))):
            if at(one, "name") == backend.service and (protocol := text(at(one, "protocol"))):
                return first.resource.identity, protocol, f"{first.pointer}/services/{index}/protocol"
    if view.service is None or backend is None:
        return None
    ports = {str(backend.port)}
    ports |= {str(port.name) for port in as_service(view.service).ports if port.port == backend.port}
    for key in PROTOCOLS:
        if ports & {part.strip() for part in _annotations(view).get(key, "").split(",")}:
            return identity(view.service), key.rpartition(".")[2], key
    return None


def _timed_out(view: PathFacts) -> Iterator[Finding]:
    answer, direct, route = _refusal(view, (504,), "timeout"), _direct(view), claims(view).first
    if answer is None or direct is None or route is None:
        return
    who, has = route.resource.identity, taken(view)
    limit = text(at(dict(has or {}), "route", "timeout"))
    needs = direct.seconds.get("total", 0)
    evidence = [
        request_line(answer),
        request_line(direct),
        *([f"Envoy's route has a timeout of {limit}"] if limit else []),
    ]
    wrong = route_setting(view, "timeout", lambda given: given.timeout is not None)
    longer = f"{max(int(needs * 4), 30)}s"
    if who.kind == "Ingress":
        words = ("annotate", "--overwrite", "ingress", who.name, f"{RESPONSE_TIMEOUT}={longer}")
        remedy = mend(view, who, kubectl(view, *words, namespace=who.namespace))
    else:
        change = {"op": "add", "path": f"{route.pointer}/timeoutPolicy", "value": {"response": longer}}
        remedy = patched(view, who, change)
    message = f"Envoy waits {limit or 'too short a time'} for the pod, which needs {needs:.1f} s."
    yield timed_out.finding(who, message, make(view) if wrong else remedy, evidence, setting=wrong)


def _no_websocket(view: PathFacts) -> Iterator[Finding]:
    asked = {name.lower(): value.lower() for name, value in view.asked.headers.items()}
    answer, route = _refusal(view, (403,)), claims(view).first
    if asked.get("upgrade") != "websocket" or answer is None or route is None:
        return
    who = route.resource.identity
    wrong = route_setting(view, "websocket", lambda given: not given.websocket)
    remedy = make(view) if wrong else mend(view, who, _allowed(view, route))
    evidence = [request_line(answer), f"{route.resource} claims {route}"]
    message = f"{who} does not allow WebSockets on {view.asked.path}."
    yield no_websocket.finding(who, message, remedy, evidence, setting=wrong)


def _allowed(view: PathFacts, route: Route) -> str:
    who = route.resource.identity
    if who.kind == "Ingress":
        given = objects.annotations(route.resource.body).get(WEBSOCKETS)
        paths = ",".join(filter(None, [given, route.path]))
        words = ("annotate", "--overwrite", "ingress", who.name, f"{WEBSOCKETS}={paths}")
        return kubectl(view, *words, namespace=who.namespace)
    return patched(view, who, {"op": "add", "path": f"{route.pointer}/enableWebsockets", "value": True})


def _annotations(view: PathFacts) -> Mapping[str, str]:
    return objects.annotations(view.service or {})


CHECKS: tuple[Callable[[PathFacts], Iterator[Finding]], ...] = (
    *(_draining, _overflow, _limited),
    *(_other_protocol, _timed_out, _no_websocket),
)
