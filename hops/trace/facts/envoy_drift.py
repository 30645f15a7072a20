"""The configuration that Envoy has from Contour, compared with the objects, and whether Contour can give it one."""

from collections.abc import Mapping
from datetime import datetime

from hops.kubernetes import objects
from hops.kubernetes.routing.route import Route
from hops.kubernetes.values import JSON
from hops.trace.facts.conditions import met
from hops.trace.facts.declared_routes import (
    Claims,
    claims,
    http_refused,
    is_cluster,
    leads_to,
    sees_routes,
    without_listener,
)
from hops.trace.facts.path_facts import PathFacts
from hops.trace.facts.pod_states import stranded, trouble
from hops.trace.facts.served_certificate import handshake, secret, secret_problem
from hops.trace.readers import envoy


def taken(view: PathFacts) -> Mapping[str, JSON] | None:
    """Envoy's route for the followed request; None where it has none or was not seen."""
    # Envoy keeps the routes of a listener that it drains, and no request gets to them.
    if view.envoy and view.envoy.listeners and not envoy.listens(view.envoy, view.asked.scheme):
        return None
    host = envoy.virtual_host(view.envoy, view.asked.host, view.asked.scheme) if view.envoy else None
    return envoy.matching(host, view.asked.path, lambda conditions: met(conditions, view.asked)) if host else None


def dialled(view: PathFacts) -> str | None:
    """The cluster that Envoy sends the followed request to; None where it takes no such route or was not seen."""
    route = taken(view)
    return next(iter(envoy.clusters(route)), None) if route else None


def astray(view: PathFacts) -> bool:
    """Whether Envoy sends the followed request to another Service than the planned one."""
    cluster, backend = dialled(view), view.backend
    if cluster is None or backend is None or view.planned is None:
        return False
    return not is_cluster(cluster, backend.namespace, backend.service, backend.port)


def arrived(view: PathFacts) -> bool:
    """Whether the client's request was answered through Envoy by a pod of the Service that it should come to."""
    request = view.request("client")
    return request is not None and request.by_pod and view.through_envoy("client") and not astray(view)


def suffers(view: PathFacts) -> bool:
    """Whether the followed request has no good answer of the pods that should give it."""
    return view.well is False or astray(view)


def _refused(view: PathFacts, route: Route) -> bool:
    """Whether the controller has no route for the scheme of the request."""
    if view.asked.scheme != "https":
        return http_refused(route)
    tls = route.tls
    return tls is None or bool(tls.secret and secret_problem(view, secret(tls.namespace, tls.secret)))


def stale(view: PathFacts) -> str | None:
    """In which way Envoy has something else than the objects want; None where it doesn't, or where that isn't known."""
    if view.envoy is None or not view.envoy.listeners or not sees_routes(view):
        return None
    claimed, has = claims(view), taken(view)
    refused = any(route.accepted is False or route.conditions for route in claimed.all if not route.owner)
    if refused or (has is None and without_listener(view)):
        return None
    declared = claimed.first
    leads = leads_to(view, declared) if declared and not _refused(view, declared) else ()
    if declared is None or not leads:
        who = f"{declared.resource} does not declare" if declared else "no Ingress claims"
        shown = handshake(view)
        # Envoy keeps the routes of a listener that it drains, and no request gets to them.
        lasts = has and not (shown and not shown.protocol)
        return f"Envoy still routes {view.asked.host}{view.asked.path}, which {who}" if lasts else None
    own = envoy.clusters(has) if has else ()
    if own and _rivals(view, claimed, own):
        return None
    if has is None or (own and not any(is_cluster(name, *lead) for lead in leads for name in own)):
        services = " or ".join(f"{service}:{port}" for _, service, port in leads)
        return f"{declared.resource} declares {services}, Envoy has {envoy.shown(has) if has else 'no route'}"
    namespace, service, _ = leads[0]
    return _other_pods(view, own, namespace, service) if len(leads) == 1 else None


def _rivals(view: PathFacts, claimed: Claims, own: tuple[str, ...]) -> bool:
    """Whether Envoy has another of several routes that claim the same: one of them is all that it can have."""
    same = [route for route in claimed.served[1:] if claimed.first and route.key == claimed.first.key]
    leads = [lead for route in same for lead in leads_to(view, route)]
    return any(is_cluster(name, *lead) for lead in leads for name in own)


def _other_pods(view: PathFacts, own: tuple[str, ...], namespace: str, service: str) -> str | None:
    if not view.sees("EndpointSlice") or not own or view.envoy is None:
        return None
    given = envoy.endpoints(view.envoy, own[0])
    wants = {one.address for one in view.endpoints(namespace, service) if one.reached and ":" not in one.address}
    has = {one.address for one in given or () if ":" not in one.address}
    if given is None or has == wants or _received_meanwhile(view, own[0]):
        return None
    shown = ", ".join(sorted(has)) or "nobody"
    return f"Service {service} has the pods {', '.join(sorted(wants)) or 'none'}, Envoy dials {shown}"


def _received_meanwhile(view: PathFacts, cluster: str) -> bool:
    """Whether Envoy got pods for a cluster while the look went on, so that the objects may be older than its own."""
    received = envoy.pods_received_at(view.envoy, cluster) if view.envoy else None
    return received is not None and received > datetime.fromisoformat(view.observation.taken)


def contour_pods(view: PathFacts) -> tuple[dict[str, JSON], ...]:
    """Contour's pods."""
    labels = view.installed.labels if view.installed else {"app": "contour"}
    return tuple(view.labelled("Pod", view.home, **labels))


def contour_runs(view: PathFacts) -> bool | None:
    """Whether a pod of Contour is ready; None where that isn't known, or Contour lives elsewhere."""
    if not view.sees("Pod"):
        return None
    pods = contour_pods(view)
    if not pods and not (view.planned or view.installed):
        return None
    # What stood on a node that is gone may run; of that the node's own finding tells.
    return any(objects.ready(pod) and not trouble(view, pod) for pod in pods) or (
        None if any(stranded(view, pod) for pod in pods) else False
    )


def contour_said(view: PathFacts, *words: str) -> tuple[str, ...]:
    """The last line of Contour's log that holds all the words."""
    given = view.observation.cluster.logs if view.observation.cluster else {}
    lines = [
        line
        for key, log in given.items()
        if key.startswith(f"{view.home}/{view.contour.name}")
        for line in log.splitlines()
        if all(word in line for word in words)
    ]
    return (f"Contour's log: {lines[-1][:400]}",) if lines else ()
