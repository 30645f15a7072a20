"""What can break: hop 4, the route that Envoy takes."""

from collections.abc import Callable, Iterator

from hops.kubernetes.routes import Route, routes
from hops.kubernetes.values import at, text
from hops.model.finding import Finding, Identity, Level, Severity
from hops.model.hop import HopName
from hops.trace.checks.name import LOOPBACK, client_address
from hops.trace.code import Code
from hops.trace.facts.declared_routes import (
    ALLOW_HTTP,
    Claims,
    claims,
    every,
    http_refused,
    is_cluster,
    leads_to,
    planned_ingress,
    planned_ingress_missing,
)
from hops.trace.facts.envoy_drift import astray, contour_said, dialled, proxy_said, suffers, taken
from hops.trace.facts.evidence import told
from hops.trace.facts.live_rules import judged, patched, retold
from hops.trace.facts.path_facts import PathFacts
from hops.trace.facts.remedies import command, kubectl, mend, setting
from hops.trace.readers import envoy

no_route_at_all = Code(
    code="T17",
    hop=HopName.ROUTE,
    title="Nothing is routed, so Envoy does not listen",
    symptom="`curl` connects to the published port and has a reset or an empty reply, not a 404.",
    cause="Contour opens Envoy's plain listener with the first valid route and closes it with the last: in a cluster "
    "without any Ingress or HTTPProxy for it, nothing listens in Envoy's pod.",
    told_apart="Envoy runs, its admin interface shows no listener `ingress_http`, and no object claims the asked host. "
    "Where an object claims it, the code says what keeps it from being served: T18, IN01, IN02 or IN09.",
    remedy="Declare an Ingress for the host, in the namespace of its Service: `kubectl create ingress`.",
    references=("https://github.com/projectcontour/contour/issues/5371",),
)

http_not_allowed = Code(
    code="T18",
    hop=HopName.ROUTE,
    title="The Ingress forbids plain HTTP",
    symptom="As T17 where it is the only Ingress, else 404.",
    cause='The annotation `kubernetes.io/ingress.allow-http: "false"` makes Contour leave the Ingress out of the plain '
    "listener.",
    told_apart="The Ingress that claims the asked host and path carries the annotation, and Envoy has no plain route "
    "for it.",
    remedy="`kubectl annotate ingress NAME kubernetes.io/ingress.allow-http-`, or ask by https.",
    references=("https://projectcontour.io/docs/1.33/config/ingress/",),
)

no_virtual_host = Code(
    code="T22",
    hop=HopName.ROUTE,
    title="No route for the host name",
    symptom="404 from Envoy itself: it has no `x-envoy-upstream-service-time`. Other host names are served.",
    cause="No Ingress and no HTTPProxy names the asked host, often by a typing error in either.",
    told_apart="Envoy listens and has virtual hosts, none of them for the asked host, and no object claims it.",
    remedy="Correct the host in the Ingress, or ask for one that is served.",
    references=("https://projectcontour.io/docs/1.33/troubleshooting/",),
)

no_path = Code(
    code="T23",
    hop=HopName.ROUTE,
    title="The host is routed, the path is not",
    symptom="404 from Envoy itself for this path; another path of the same host is served.",
    cause="The paths of the host's Ingress don't take the asked one: another prefix, or an Exact path where a Prefix "
    "was meant.",
    told_apart="Envoy has a virtual host for the asked host, and none of its routes takes the path; nor does any path "
    "of the objects.",
    remedy="Give the Ingress a path that takes it: `/` of type Prefix takes all.",
    references=("https://kubernetes.io/docs/concepts/services-networking/ingress/#path-types",),
)

redirected = Code(
    code="T51",
    hop=HopName.ROUTE,
    title="Envoy sends the client elsewhere",
    symptom="301 or 302 with a `location` header, from Envoy itself: no pod was asked.",
    cause="An HTTPProxy with TLS, or an Ingress with `ingress.kubernetes.io/force-ssl-redirect`, sends plain requests "
    "to https. That is meant so; a trace follows plain HTTP and ends there.",
    told_apart="The answer has a location and no `x-envoy-upstream-service-time`; a pod's own redirect has both.",
    remedy="Ask for the location itself: `curl --insecure https://…`.",
    level=Level.ADVISORY,
    severity=Severity.LOW,
    references=("https://projectcontour.io/docs/1.33/config/tls-termination/",),
)


def _sees(view: PathFacts) -> bool:
    """Whether what the objects claim is known, and no pod answered the request as it should."""
    return view.sees("Ingress") and view.sees("HTTPProxy") and view.well is False


def _unclaimed(view: PathFacts) -> Iterator[Finding]:
    claimed = claims(view)
    # An Envoy that has not heard of the deletion yet keeps the route of an Ingress that is gone.
    if not _sees(view) or claimed.hit or (taken(view) and not planned_ingress_missing(view)):
        return
    # Contour reads none of these objects, so their paths say nothing about Envoy's routes.
    if claimed.all and all(route.owner for route in claimed.all):
        return
    if claimed.all:
        yield _path_missing(view, claimed)
        return
    listening = envoy.listens(view.envoy) if view.envoy and view.envoy.listeners else None
    others = [route for route in every(view) if not route.owner]
    open_ = listening is not None if view.envoy and view.envoy.listeners else bool(others)
    # A planned Ingress that names another host and has no valid route closes the listener as if there were none.
    yield _host_missing(view, others) if open_ or _of_planned(view) else _nothing(view, others)


def _about_to_end(view: PathFacts) -> Iterator[Finding]:
    """The stack's Ingress is gone and the request is still answered: Envoy has not heard of it yet."""
    if planned_ingress_missing(view) and not claims(view).hit and view.well and (has := taken(view)):
        evidence = [f"Envoy's route: {envoy.shown(has)}"]
        message = "The stack declares it, and it is gone. Envoy still has its route and will lose it."
        yield no_virtual_host.finding(_subject(view), message, _create(view), evidence, stops=False)


def _nothing(view: PathFacts, others: list[Route]) -> Finding:
    evidence = [_listener(view), f"No Ingress or HTTPProxy claims {view.asked.host}"]
    evidence += [f"{route.resource} claims {route.host or 'every host'}" for route in others]
    message = f"Nothing routes {view.asked.host}, and Envoy has no plain listener."
    return _absent(view, no_route_at_all, message, evidence)


def _absent(view: PathFacts, code: Code, message: str, evidence: list[str]) -> Finding:
    """No Ingress is there for the host. Without a known backend there is only something to compare."""
    create = _create(view)
    look = "" if create else kubectl(view, "get", "ingresses", "--all-namespaces")
    return code.finding(_subject(view), message, create, evidence, look=look)


def _host_missing(view: PathFacts, others: list[Route]) -> Finding:
    evidence = [_listener(view), *_hosts(view)]
    evidence += [f"{route.resource} claims {route.host or 'every host'}" for route in others]
    message = f"No Ingress or HTTPProxy names the host {view.asked.host}."
    meant = next(iter(_of_planned(view)), None)
    if meant:
        who = meant.resource.identity
        message = f"{who} names the host {meant.host} and not {view.asked.host}."
        change = {"op": "replace", "path": f"{_rule(meant.pointer)}/host", "value": view.asked.host}
        # The Ingress is as the stack declares it: the asked host is another one than the stack's.
        planned = view.backend.host if view.planned and view.backend else None
        wrong = setting(view, "host") if meant.host == planned else ""
        return no_virtual_host.finding(who, message, patched(view, who, change), evidence, setting=wrong)
    return _absent(view, no_virtual_host, message, evidence)


def _path_missing(view: PathFacts, claimed: Claims) -> Finding:
    route = next(route for route in claimed.all if not route.owner)
    shown = ", ".join(f"{one} of {one.resource}" for one in claimed.all)
    evidence = [_listener(view), f"{view.asked.host} has {shown}", *_routes(view), *proxy_said(route)]
    message = f"No path of {view.asked.host} takes {view.asked.path}."
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
    return no_path.finding(who, message, remedy, evidence, setting=wrong)


def _forbidden(view: PathFacts) -> Iterator[Finding]:
    first = claims(view).first
    if first is None or not _sees(view) or not http_refused(first) or taken(view):
        return
    who = first.resource.identity
    words = ("annotate", "ingress", who.name, f"{ALLOW_HTTP}-")
    remedy = mend(view, who, kubectl(view, *words, namespace=who.namespace))
    message = f'Its annotation {ALLOW_HTTP} is "false", so Contour gives it no plain route.'
    yield http_not_allowed.finding(who, message, remedy, [_listener(view), *_hosts(view)])


def _elsewhere(view: PathFacts) -> Iterator[Finding]:
    answer = view.request("client")
    if answer is None or not answer.redirected:
        return
    first, has, location = claims(view).first, taken(view), answer.headers["location"]
    who = first.resource.identity if first else _subject(view)
    message = f"Envoy answers {answer.status} and sends the client to {location}; no pod is asked."
    evidence = [told(answer), *([f"Envoy's route: {envoy.shown(has)}"] if has else [])]
    yield redirected.finding(who, message, "", evidence, look=_followed(view, location))


def _followed(view: PathFacts, location: str) -> str:
    """The command that asks for a location, by the port that is published for https, if one is."""
    secure = next((m for m in view.door.mappings if m.scheme == "https"), None) if view.door else None
    enter = ("--connect-to", f"::{client_address(view) or LOOPBACK}:{secure.host}") if secure else ()
    return command("curl", "--insecure", *enter, location)


# Rules


def _dropped(view: PathFacts) -> Iterator[Finding]:
    """IN01, IN02, IN17: the objects that should take the request, and that Contour drops.

    Also where their class or host keeps the request from them: the next thing would be this.
    """
    claimed = claims(view)
    if not (suffers(view) and view.sees("Ingress") and view.sees("HTTPProxy") and view.sees("Service")):
        return
    meant = claimed.served or claimed.hit or _of_planned(view)
    of_request = {(str(route.resource), route.pointer) for route in meant}
    for finding in [*judged(view, "IN01", "IN02", "IN17"), *_once_there(view)]:
        own = [pointer for resource, pointer in of_request if resource == str(finding.resource)]
        if any(finding.path.startswith(pointer) or finding.resource.kind == "HTTPProxy" for pointer in own):
            route = next(r for r in meant if str(r.resource) == str(finding.resource))
            evidence = [
                _listener(view),
                *_hosts(view),
                *contour_said(view, finding.resource.name),
                *proxy_said(route),
            ]
            yield retold(finding, HopName.ROUTE, _mended(view, finding, route), evidence)


def _once_there(view: PathFacts) -> list[Finding]:
    """IN02 as it will be when the planned Service, which is missing, is back."""
    backend = view.backend
    if backend is None or view.planned is None or view.service is not None:
        return []
    ports = [{"port": backend.port, "targetPort": backend.target_port}]
    metadata = {"name": backend.service, "namespace": backend.namespace}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": ports}}
    return judged(view, "IN02", inventory=view.inventory_with(service))


def _mended(view: PathFacts, finding: Finding, route: Route) -> str:
    who, backend = finding.resource, view.backend
    if finding.patch:
        return patched(view, who, *finding.patch.operations)
    if backend is None or view.planned is None or who.kind != "Ingress":
        return kubectl(view, "edit", who.kind.lower(), who.name, namespace=who.namespace)
    if who.namespace != backend.namespace:
        return f"{kubectl(view, 'delete', 'ingress', who.name, namespace=who.namespace)} && {_create(view)}"
    if view.service is None:
        pod = backend.pods[0]
        ports = ("--port", backend.port, "--target-port", backend.target_port)
        words = ("expose", "pod", pod, "--name", backend.service, *ports)
        return mend(view, who, kubectl(view, *words, namespace=who.namespace))
    meant = {"service": {"name": backend.service, "port": {"number": backend.port}}}
    change = {"op": "replace", "path": f"{route.pointer}/backend", "value": meant}
    return patched(view, who, change)


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
            yield retold(finding, HopName.ROUTE, remedy, [_listener(view), *_hosts(view)])


def _claimed_twice(view: PathFacts) -> Iterator[Finding]:
    """IN05: two objects claim the request for two Services, and Contour keeps one of them."""
    first = claims(view).first
    rivals = [route for route in view.inventory.once(routes).claims[first.key] if first] if first else []
    if first is None or all(rival.ends_with(first) for rival in rivals):
        return
    planned = planned_ingress(view)
    intruders = [rival.resource for rival in rivals if rival.resource.identity != planned]
    newest = max(intruders, key=lambda r: text(at(dict(r.body), "metadata", "creationTimestamp")) or "")
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
            yield retold(finding, HopName.ROUTE, remedy, evidence, Level.ADVISORY if well else Level.MANDATORY)
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
    return mend(view, _subject(view), kubectl(view, *words, namespace=backend.namespace))


def _rule(pointer: str) -> str:
    """The pointer of the rule that a path is of: /spec/rules/0/http/paths/1 of /spec/rules/0."""
    return "/".join(pointer.split("/")[:4])


def _listener(view: PathFacts) -> str:
    if view.envoy is None or not view.envoy.listeners:
        return "Envoy's listeners were not seen"
    return f"Envoy's listener {envoy.HTTP}: {envoy.listens(view.envoy) or 'none'}"


def _hosts(view: PathFacts) -> tuple[str, ...]:
    if view.envoy is None:
        return ()
    names = dict.fromkeys(name for host in envoy.virtual_hosts(view.envoy) for name in envoy.domains(host))
    return (f"Envoy serves {', '.join(names) or 'no host'}",)


def _routes(view: PathFacts) -> tuple[str, ...]:
    host = envoy.virtual_host(view.envoy, view.asked.host) if view.envoy else None
    given = (host or {}).get("routes") or ()
    return tuple(f"Envoy's route: {envoy.shown(route)}" for route in given if isinstance(route, dict))


CHECKS: tuple[Callable[[PathFacts], Iterator[Finding]], ...] = (
    _unclaimed,
    _about_to_end,
    _forbidden,
    _dropped,
    _unserved,
    _claimed_twice,
    _elsewhere,
)
