"""What can break: hop 4, the route that Envoy takes."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from hops.kubernetes import objects
from hops.kubernetes.resources.resource import Resource
from hops.kubernetes.resources.services import as_service
from hops.kubernetes.routing.ingress_routes import ALLOW_HTTP
from hops.kubernetes.routing.route import Route, takes_path
from hops.kubernetes.routing.routes import routes
from hops.kubernetes.values import JSON
from hops.model.finding import Finding, Identity, Level
from hops.model.hop import HopName
from hops.trace.code import Code
from hops.trace.facts.declared_routes import (
    Claims,
    claims,
    detached,
    every,
    http_refused,
    is_cluster,
    leads_to,
    planned_ingress,
    planned_ingress_missing,
    sees_routes,
    without_listener,
)
from hops.trace.facts.envoy_drift import astray, contour_runs, contour_said, dialled, suffers, taken
from hops.trace.facts.live_rules import as_trace_finding, judged, patched
from hops.trace.facts.path_facts import PathFacts
from hops.trace.facts.remedies import kubectl, mend, over_https, setting
from hops.trace.readers import envoy

no_route_at_all = Code(
    code="T17",
    hop=HopName.ROUTE,
    title="No route is served, so Envoy does not listen",
    symptom="`curl` connects to the published port and gets a reset or an empty reply, not a 404.",
    cause="Contour opens Envoy's HTTP listener with the first valid route and closes it with the last. If Contour "
    "serves no Ingress and no HTTPProxy, nothing listens in Envoy's pod.",
    confirmed_by="Envoy runs, its admin interface shows no listener `ingress_http`, and no object claims the "
    "requested host. If an object claims it, the code names what prevents it from being served: T18, IN01, IN02 or "
    "IN09.",
    remedy="Declare an Ingress for the host, in the namespace of its Service: `kubectl create ingress`.",
    yields_to=("IN18",),
    references=("https://github.com/projectcontour/contour/issues/5371",),
)

http_not_allowed = Code(
    code="T18",
    hop=HopName.ROUTE,
    title="The Ingress forbids plain HTTP",
    symptom="404. If the Ingress is the only one, the connection is reset or the reply is empty.",
    cause='The annotation `kubernetes.io/ingress.allow-http: "false"` makes Contour leave the Ingress out of the plain '
    "listener. An HTTPRoute that only HTTPS listeners of its Gateway accept has no plain route either.",
    confirmed_by="The Ingress that claims the requested host and path has the annotation, or no HTTP listener accepts "
    "the HTTPRoute, and Envoy has no HTTP route for it.",
    remedy="`kubectl annotate ingress NAME kubernetes.io/ingress.allow-http-`, or use https.",
    references=("https://projectcontour.io/docs/1.33/config/ingress/",),
)

no_virtual_host = Code(
    code="T22",
    hop=HopName.ROUTE,
    title="No route for the host name",
    symptom="404 from Envoy itself, without the header `x-envoy-upstream-service-time`. Other host names are served.",
    cause="No Ingress and no HTTPProxy has the requested host. Often one of the names is misspelled.",
    confirmed_by="Envoy listens and has virtual hosts, none of them is for the requested host, and no object claims "
    "it.",
    remedy="Correct the host in the Ingress, or request a host that is served.",
    yields_to=("IN18",),
    references=("https://projectcontour.io/docs/1.33/troubleshooting/",),
)

no_path = Code(
    code="T23",
    hop=HopName.ROUTE,
    title="The host is routed, the path is not",
    symptom="404 from Envoy itself for this path. Another path of the same host is served.",
    cause="No path of the host's Ingress matches the requested path: it has another prefix, or type Exact where "
    "Prefix was intended.",
    confirmed_by="Envoy has a virtual host for the requested host. Neither its routes nor the paths of the objects "
    "match the requested path.",
    remedy="Add a path that matches: `/` of type Prefix matches every path.",
    yields_to=("IN18",),
    references=("https://kubernetes.io/docs/concepts/services-networking/ingress/#path-types",),
)

not_accepted = Code(
    code="T52",
    hop=HopName.ROUTE,
    title="The controller does not accept the route",
    symptom="404 or 500 from Envoy itself, or no answer if this is the only route.",
    cause="The controller checks an HTTPProxy or an HTTPRoute and writes the result into the object's status. It does "
    "not serve an HTTPProxy whose status is not `valid`, or an HTTPRoute whose condition Accepted is not True. If "
    "ResolvedRefs is not True, the affected requests get 500. If the Gateway is not Programmed, or if no controller "
    "has written a status, no route of the Gateway is served. With a Gateway, Contour also serves Ingresses and "
    "HTTPProxies by its listeners only: without one for HTTP, no plain route is served.",
    confirmed_by="The route matches the requested host, path, method, headers and query, and its status does not "
    "accept it. If the objects show the reason, the code is the one that names it: IN01, IN02, IN17 or IN18. The "
    "finding is advisory if the request is answered, as by another of the route's Services.",
    remedy="Correct the field that the status names. Without a status, check that Contour's configuration has "
    "`gateway.gatewayRef` for the Gateway, and that the object's ingress class is Contour's.",
    yields_to=("IN01", "IN02", "IN17", "T57"),
    references=(
        "https://projectcontour.io/docs/1.33/config/fundamentals/",
        "https://gateway-api.sigs.k8s.io/guides/implementers/#conditions",
    ),
)


def _sees(view: PathFacts) -> bool:
    """Whether what the objects claim is known, and no pod answered the request as it should."""
    return sees_routes(view) and view.well is False


def _unclaimed(view: PathFacts) -> Iterator[Finding]:
    claimed = claims(view)
    # An Envoy that has not received the deletion yet keeps the route of an Ingress that is gone.
    if not _sees(view) or claimed.hit or (taken(view) and not planned_ingress_missing(view)):
        return
    # Contour reads none of these objects, so their paths say nothing about Envoy's routes.
    if claimed.all and all(route.owner for route in claimed.all):
        return
    if claimed.all:
        yield _path_missing(view, claimed)
        return
    listening = envoy.listens(view.envoy, view.asked.scheme) if view.envoy and view.envoy.listeners else None
    others = [route for route in every(view) if not route.owner]
    open_ = listening is not None if view.envoy and view.envoy.listeners else bool(others)
    # A planned Ingress that names another host and has no valid route closes the listener as if there were none.
    secure = view.asked.scheme == "https"
    yield _host_missing(view, others) if open_ or secure or _of_planned(view) else _nothing(view, others)


def _about_to_end(view: PathFacts) -> Iterator[Finding]:
    """The stack's Ingress is gone and the request is still answered: Envoy has not received the deletion yet."""
    if planned_ingress_missing(view) and not claims(view).hit and view.well and (has := taken(view)):
        evidence = [f"Envoy's route: {envoy.shown(has)}"]
        message = "The stack declares it, and it is gone. Envoy still has its route and will lose it."
        yield no_virtual_host.finding(_subject(view), message, _create(view), evidence, stops=False)


def _detached(view: PathFacts) -> list[Identity]:
    """The routes that would take the request if a Gateway accepted them, and that are no others than the planned."""
    found = (route.resource.identity for route in detached(view))
    return [one for one in found if planned_ingress(view) in (None, one)]


def _nothing(view: PathFacts, others: list[Route]) -> Finding:
    evidence = [_listener(view), f"No route claims {view.asked.host}"]
    evidence += [f"{route.resource} claims {route.host or 'every host'}" for route in others]
    message = f"Nothing routes {view.asked.host}, and Envoy has no HTTP listener."
    return _absent(view, no_route_at_all, message, evidence)


def _absent(view: PathFacts, code: Code, message: str, evidence: list[str]) -> Finding:
    """No Ingress is there for the host. Without a known backend there is only something to compare."""
    create = _create(view)
    look = "" if create else kubectl(view, "get", "ingresses", "--all-namespaces")
    return code.finding(_subject(view), message, create, evidence, look=look, about=_detached(view))


def _host_missing(view: PathFacts, others: list[Route]) -> Finding:
    evidence = [_listener(view), *_hosts(view)]
    evidence += [f"{route.resource} claims {route.host or 'every host'}" for route in others]
    message = f"No route names the host {view.asked.host}."
    meant = next(iter(_of_planned(view)), None)
    if meant:
        who = meant.resource.identity
        message = f"{who} names the host {meant.host} and not {view.asked.host}."
        change = {"op": "replace", "path": f"{_rule(meant.pointer)}/host", "value": view.asked.host}
        # The Ingress is as the stack declares it: the asked host is another one than the stack's.
        planned = view.backend.host if view.planned and view.backend else None
        wrong = setting(view, "host") if meant.host == planned else ""
        remedy = patched(view, who, change)
        return no_virtual_host.finding(who, message, remedy, evidence, setting=wrong, about=_detached(view))
    return _absent(view, no_virtual_host, message, evidence)


def _path_missing(view: PathFacts, claimed: Claims) -> Finding:
    route = next(route for route in claimed.all if not route.owner)
    shown = ", ".join(f"{one} of {one.resource}" for one in claimed.all)
    evidence = [_listener(view), f"{view.asked.host} has {shown}", *_routes(view), *route.said]
    message = f"No path of {view.asked.host} matches {view.asked.path}."
    if unmet := next((one for one in claimed.all if takes_path(one.match, view.asked.path)), None):
        conditions = ", ".join(map(str, unmet.requires))
        message = f"{unmet.resource} matches {view.asked.path} only if the request meets its conditions: {conditions}."
    who = route.resource.identity
    remedy = kubectl(view, "edit", who.kind.lower(), who.name, namespace=who.namespace)
    wrong = ""
    if who.kind == "Ingress":
        path = view.backend.path if view.planned and view.backend else view.asked.path
        changes = [
            {"op": "replace", "path": f"{route.pointer}/path", "value": path},
            {"op": "replace", "path": f"{route.pointer}/pathType", "value": "Prefix"},
        ]
        remedy = patched(view, who, *changes)
        if view.planned and route.match[1] == path and not view.asked.path.startswith(path):
            wrong = setting(view, "path")
    return no_path.finding(who, message, remedy, evidence, setting=wrong, about=_detached(view))


def _forbidden(view: PathFacts) -> Iterator[Finding]:
    first = claims(view).first
    if view.asked.scheme == "https" or first is None or not _sees(view) or not http_refused(first) or taken(view):
        return
    who = first.resource.identity
    if ALLOW_HTTP not in first.resource.annotations:
        message = f"{who} is served by https only: its listener is {first.listener}."
        look = kubectl(view, "get", who.kind.lower(), who.name, "--output", "yaml", namespace=who.namespace)
        yield http_not_allowed.finding(who, message, "", [_listener(view), *_hosts(view)], look=look)
        return
    if by_https := over_https(view):
        message = f"{who} is served by https only, as its tls in the stack's file declares: use https."
        yield http_not_allowed.finding(who, message, by_https, [_listener(view), *_hosts(view)])
        return
    words = ("annotate", "ingress", who.name, f"{ALLOW_HTTP}-")
    remedy = mend(view, who, kubectl(view, *words, namespace=who.namespace))
    message = f'Its annotation {ALLOW_HTTP} is "false", so Contour gives it no HTTP route.'
    yield http_not_allowed.finding(who, message, remedy, [_listener(view), *_hosts(view)])


def _unaccepted(view: PathFacts) -> Iterator[Finding]:
    """T52: the route that takes the request is not accepted, for a reason that only its status has."""
    first = claims(view).first
    if first is None or not sees_routes(view) or contour_runs(view) is False:
        return
    answered = view.well is not False
    if not answered and not taken(view) and (gateway := without_listener(view)):
        yield _gateway_without_listener(view, gateway, first)
        return
    # A status that nobody has written yet says nothing against a route that is served.
    if first.accepted is not False or (answered and not first.said):
        return
    who = first.resource.identity
    shown = "; ".join(first.said) or f"the status of {first.resource} does not accept it"
    look = kubectl(view, "get", who.kind.lower(), who.name, "--output", "yaml", namespace=who.namespace)
    evidence = [f"{first.resource} claims {first} of {first.host or 'every host'}", *_hosts(view)]
    message = f"The controller does not accept the route: {shown}."
    # The stack's own Gateway can read its certificates as the stack declares it.
    remedy = mend(view, who, "") if any("RefNotPermitted" in said for said in first.said) else ""
    yield not_accepted.finding(who, message, remedy, evidence, look="" if remedy else look, stops=not answered)


def _gateway_without_listener(view: PathFacts, gateway: Resource, first: Route) -> Finding:
    scheme, who = view.asked.scheme, gateway.identity
    edit = kubectl(view, "edit", "gateway", who.name, namespace=who.namespace)
    message = f"With {gateway}, Contour serves {first.resource} by its listeners only, and none is for {scheme}."
    evidence = [_listener(view), f"{first.resource} claims {first} of {first.host or 'every host'}", *first.said]
    return not_accepted.finding(who, message, mend(view, who, edit), evidence)


# Rules


def _dropped(view: PathFacts) -> Iterator[Finding]:
    """IN01, IN02, IN17: the objects that should take the request, and that Contour drops.

    Also where their class or host keeps the request from them: the next thing would be this.
    """
    claimed = claims(view)
    if not (suffers(view) and sees_routes(view) and view.sees("Service")):
        return
    meant = claimed.served or claimed.hit or _of_planned(view)
    of_request = {(str(route.resource), route.pointer) for route in meant}
    for finding in [*judged(view, "IN01", "IN02", "IN17"), *_once_there(view)]:
        if finding.path.endswith(("Secret", "secretName")) and not view.sees("Secret"):
            continue
        own = [pointer for resource, pointer in of_request if resource == str(finding.resource)]
        if any(finding.path.startswith(pointer) or finding.code == "IN17" for pointer in own):
            route = next(r for r in meant if str(r.resource) == str(finding.resource))
            evidence = [
                _listener(view),
                *_hosts(view),
                *contour_said(view, finding.resource.name),
                *route.said,
            ]
            remedy = _mended(view, finding, route)
            look = "" if remedy else kubectl(view, "get", "services", namespace=finding.resource.namespace)
            yield as_trace_finding(finding, HopName.ROUTE, remedy, evidence, look=look)


def _once_there(view: PathFacts) -> list[Finding]:
    """IN02 as it will be when the planned Service, which is missing, is back."""
    backend = view.backend
    if backend is None or not view.makes_service or view.service is not None:
        return []
    ports = [{"port": backend.port, "targetPort": backend.target_port}]
    metadata = {"name": backend.service, "namespace": backend.namespace}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": ports}}
    return judged(view, "IN02", inventory=view.inventory_with(service))


def _mended(view: PathFacts, finding: Finding, route: Route) -> str:
    who, backend = finding.resource, view.backend
    offered = [port.port for port in as_service(view.service).ports] if view.service else []
    if backend and backend.foreign and backend.port not in offered:
        # No command is known that makes another one's Service.
        return ""
    if finding.patch:
        return patched(view, who, *finding.patch.operations)
    if backend is None or view.planned is None or who.kind != "Ingress":
        return mend(view, who, kubectl(view, "edit", who.kind.lower(), who.name, namespace=who.namespace))
    if who.namespace != backend.namespace:
        return f"{kubectl(view, 'delete', 'ingress', who.name, namespace=who.namespace)} && {_create(view)}"
    if view.service is None:
        pod = ("deployment", backend.service) if backend.deployment else ("pod", backend.pods[0])
        ports = ("--port", backend.port, "--target-port", backend.target_port)
        words = ("expose", *pod, "--name", backend.service, *ports)
        return mend(view, who, kubectl(view, *words, namespace=who.namespace))
    meant = {"service": {"name": backend.service, "port": {"number": backend.port}}}
    change = {"op": "replace", "path": f"{route.pointer}/backend", "value": meant}
    return patched(view, who, change)


def _unwatched(view: PathFacts) -> Iterator[Finding]:
    """RP05: Contour watches other namespaces than that of the route that should take the request."""
    first = claims(view).first
    if first is None or not _sees(view) or taken(view):
        return
    for finding in judged(view, "RP05"):
        if str(finding.resource) == str(first.resource):
            edit = kubectl(view, "edit", "deployment", view.contour.name, namespace=view.home)
            found = as_trace_finding(
                finding, HopName.ROUTE, mend(view, view.contour, edit), [_listener(view), *_hosts(view)]
            )
            yield replace(found, about=(view.contour,))


def _unserved(view: PathFacts) -> Iterator[Finding]:
    """IN09: all that claims the host is of a class that Contour doesn't serve, or will be with its host mended."""
    claimed = claims(view)
    nearest = claimed.hit or claimed.all or _of_planned(view)
    if not _sees(view) or any(not route.owner for route in nearest) or taken(view):
        return
    of_request = {str(route.resource) for route in nearest}
    for finding in judged(view, "IN09"):
        if str(finding.resource) in of_request:
            who = finding.resource
            change = {"op": "add", "path": "/spec/ingressClassName", "value": "contour"}
            operations = finding.patch.operations if finding.patch else (change,)
            remedy = patched(view, who, *operations)
            yield as_trace_finding(finding, HopName.ROUTE, remedy, [_listener(view), *_hosts(view)])


def _unattached(view: PathFacts) -> Iterator[Finding]:
    """IN18: no Gateway accepts the route that would take the request, and nothing else takes it."""
    if not _sees(view) or taken(view) or claims(view).served:
        return
    of_request = {str(route.resource): route for route in detached(view)}
    for finding in judged(view, "IN18"):
        if route := of_request.get(str(finding.resource)):
            who = finding.resource
            edit = kubectl(view, "edit", who.kind.lower(), who.name, namespace=who.namespace)
            yield as_trace_finding(
                finding, HopName.ROUTE, mend(view, who, edit), [_listener(view), *_hosts(view), *route.said]
            )


def _claimed_twice(view: PathFacts) -> Iterator[Finding]:
    """IN05: two objects claim the request for two Services, and Contour keeps one of them."""
    first = claims(view).first
    rivals = [route for route in view.inventory.once(routes).claims[first.key] if first] if first else []
    if first is None or all(rival.ends_with(first) for rival in rivals):
        return
    planned = planned_ingress(view)
    intruders = [rival.resource for rival in rivals if rival.resource.identity != planned]
    newest = max(intruders, key=lambda rival: objects.created(rival.body))
    cluster, backend = dialled(view), view.backend
    well = view.well is not False and not astray(view)
    if cluster and backend and not view.planned:
        well = well and is_cluster(cluster, backend.namespace, backend.service, backend.port)
    for finding in judged(view, "IN05"):
        if str(finding.resource) == str(newest):
            who = finding.resource
            remedy = kubectl(view, "delete", who.kind.lower(), who.name, namespace=who.namespace)
            shown = [f"{rival.resource} claims {rival} of {rival.host} for {_led(view, rival)}" for rival in rivals]
            evidence = [*shown, f"Envoy sends the request to {cluster}"] if cluster else shown
            yield as_trace_finding(
                finding, HopName.ROUTE, remedy, evidence, Level.ADVISORY if well else Level.MANDATORY
            )
            return


# What is shown


def _led(view: PathFacts, route: Route) -> str:
    leads = leads_to(view, route)
    return " or ".join(f"{service}:{port}" for _, service, port in leads) or "another backend"


def _of_planned(view: PathFacts) -> tuple[Route, ...]:
    """What the planned Ingress claims, of whatever host."""
    planned = planned_ingress(view)
    return tuple(route for route in every(view) if route.resource.identity == planned)


def _subject(view: PathFacts) -> Identity:
    return planned_ingress(view) or Identity("networking.k8s.io/v1", "Ingress", None, view.asked.host)


def _create(view: PathFacts) -> str:
    """The command that declares the Ingress that is missing; empty where its backend is not known."""
    backend = view.backend
    if backend is None:
        return ""
    rule = f"{view.asked.host}{backend.path}*={backend.service}:{backend.port}"
    words = ("create", "ingress", backend.ingress, "--class", "contour", "--rule", rule)
    otherwise = kubectl(view, *words, namespace=backend.namespace) if backend.kind == "Ingress" else ""
    return mend(view, _subject(view), otherwise)


def _rule(pointer: str) -> str:
    """The pointer of the rule that a path is of: /spec/rules/0/http/paths/1 of /spec/rules/0."""
    return "/".join(pointer.split("/")[:4])


def _listener(view: PathFacts) -> str:
    if view.envoy is None or not view.envoy.listeners:
        return "Envoy's listeners were not seen"
    name = envoy.listener(view.envoy, view.asked.scheme)
    return f"Envoy's listener {name}: {envoy.listens(view.envoy, view.asked.scheme) or 'none'}"


def _hosts(view: PathFacts) -> tuple[str, ...]:
    if view.envoy is None:
        return ()
    names = dict.fromkeys(name for host in _virtual_hosts(view) for name in envoy.domains(host))
    return (f"Envoy serves {', '.join(names) or 'no host'}",)


def _virtual_hosts(view: PathFacts) -> tuple[Mapping[str, JSON], ...]:
    return envoy.virtual_hosts(view.envoy, view.asked.scheme) if view.envoy else ()


def _routes(view: PathFacts) -> tuple[str, ...]:
    host = envoy.virtual_host(view.envoy, view.asked.host, view.asked.scheme) if view.envoy else None
    given = (host or {}).get("routes") or ()
    return tuple(f"Envoy's route: {envoy.shown(route)}" for route in given if isinstance(route, dict))


CHECKS: tuple[Callable[[PathFacts], Iterator[Finding]], ...] = (
    _unclaimed,
    _about_to_end,
    _forbidden,
    _dropped,
    _unwatched,
    _unserved,
    _unattached,
    _unaccepted,
    _claimed_twice,
)
