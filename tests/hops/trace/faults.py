"""What follows from a fault of Envoy, a route, a Service or a pod: a test breaks a path as it really breaks."""

import copy

from hops.model.path import envoy_cluster
from hops.trace.verdict import trace
from tests.hops.trace.asked import checked
from tests.hops.trace.names import CONTOUR, ENVOY, HOST, JSON, POD, POD_IP, SERVICE_IP, WORKER
from tests.hops.trace.objects import thing
from tests.hops.trace.observations import added, container, failed, found, node, request, view, without

THROUGH_ENVOY = ("client", "node", "envoy")
DIRECT = ("pod", "pod from envoy")
CLUSTER = envoy_cluster("apps", "my-service", 8080)
_GATEWAY_API, _CONTROLLER = "gateway.networking.k8s.io/v1", "projectcontour.io/gateway-controller"


def told(sight: JSON) -> list[tuple[str | None, str]]:
    """The hops and codes of all findings, in their order; no check may have failed on the sight."""
    traced = trace(view(sight).sight)
    assert [part for part, _ in traced.unseen if part.startswith("check ")] == []
    checked(traced.findings)
    assert all(finding.evidence is not None for finding in traced.findings)
    return [(finding.hop, finding.code) for finding in traced.findings]


def unowned(sight: JSON) -> JSON:
    """The same in an existing cluster, where an update of the stack puts no object right."""
    other = copy.deepcopy(sight)
    other["stack"]["settings"]["cluster"]["existing"] = "elsewhere"
    return other


def envoy(sight: JSON) -> JSON:
    return sight["envoys"][0]  # type: ignore[no-any-return]


def ingress(sight: JSON) -> JSON:
    return found(sight, "Ingress", "my-service-ingress")


def path(sight: JSON) -> JSON:
    """The only path of the Ingress."""
    return ingress(sight)["spec"]["rules"][0]["http"]["paths"][0]  # type: ignore[no-any-return]


def status(sight: JSON, name: str = POD) -> JSON:
    return found(sight, "Pod", name)["status"]  # type: ignore[no-any-return]


def unready(sight: JSON, name: str = POD) -> None:
    """A pod that runs and isn't ready, and what Envoy makes of it."""
    for condition in status(sight, name)["conditions"]:
        if condition["type"] in ("Ready", "ContainersReady"):
            condition["status"] = "False"
    status(sight, name)["containerStatuses"][0]["ready"] = False
    if name == POD:
        no_endpoints(sight)


def waiting(sight: JSON, reason: str, name: str = POD, **last: JSON) -> None:
    """A container that doesn't run."""
    unready(sight, name)
    one = status(sight, name)["containerStatuses"][0]
    one |= {
        "state": {"waiting": {"reason": reason, "message": f"{reason} it is"}},
        "lastState": last,
        "restartCount": 4,
    }


def no_endpoints(sight: JSON) -> None:
    """A Service without ready endpoints: 503 from Envoy, a REJECT rule of kube-proxy."""
    for endpoint in found(sight, "EndpointSlice", "my-service-8fmwz")["endpoints"]:
        endpoint["conditions"]["ready"] = False
    envoy(sight)["clusters"]["cluster_statuses"][0]["host_statuses"] = []
    failed(sight, "503", *THROUGH_ENVOY)
    failed(sight, "refused", "service")
    for one in sight["nodes"]:
        for key in ("nat", "nat_after"):
            one[key] = "\n".join(line for line in one[key].splitlines() if SERVICE_IP not in line)


def unrouted(sight: JSON) -> None:
    """Envoy without a virtual host for the name, beside another one."""
    envoy(sight)["routes"][0]["virtual_hosts"] = [
        {"name": "other.localhost", "domains": ["other.localhost"], "routes": [{"match": {"prefix": "/"}}]}
    ]
    not_found(sight)


def not_found(sight: JSON) -> None:
    """404 of Envoy itself."""
    failed(sight, "503", *THROUGH_ENVOY)
    for place in THROUGH_ENVOY:
        request(sight, place)["status"] = 404


def listenerless(sight: JSON) -> None:
    """Envoy without its plain listener: connections to it are refused, and through docker-proxy reset."""
    listeners = envoy(sight)["listeners"]
    listeners["listener_statuses"] = [one for one in listeners["listener_statuses"] if one["name"] != "ingress_http"]
    envoy(sight)["routes"] = []
    envoy(sight)["clusters"]["cluster_statuses"] = []
    failed(sight, "refused", "node", "envoy")
    failed(sight, "reset", "client")


def envoyless(sight: JSON) -> None:
    """No Envoy: no rule for its port, and nothing to ask."""
    sight["envoys"] = []
    sight["requests"] = [one for one in sight["requests"] if one["where"] not in ("envoy", "pod from envoy")]
    failed(sight, "refused", "node")
    failed(sight, "reset", "client")
    for key in ("nat", "nat_after"):
        node(sight)[key] = "\n".join(line for line in node(sight)[key].splitlines() if "CNI-" not in line)


def contourless(sight: JSON) -> None:
    """Contour scaled to nothing."""
    found(sight, "Deployment", "contour")["spec"]["replicas"] = 0
    without(sight, "Pod", CONTOUR)
    disconnected(sight)


def disconnected(sight: JSON) -> None:
    for key in ("stats", "stats_after"):
        for part in ("listener_manager.lds", "cluster.apps_my-service_8080"):
            envoy(sight)[key][f"{part}.control_plane.connected_state"] = 0


def listening(sight: JSON, *sockets: tuple[str, int]) -> None:
    """What the pod's process listens on; where that isn't its port, connections are refused and the probe fails."""
    space = next(one for one in node(sight)["namespaces"] if POD_IP in one["links"])
    space["sockets"] = "\n".join(f"LISTEN 0 5 {address}:{port} 0.0.0.0:*" for address, port in sockets)
    unready(sight)
    failed(sight, "refused", *DIRECT)


def second(sight: JSON, name: str = "other", host: str = "other.localhost") -> JSON:
    """Another Ingress beside the path's own."""
    other = copy.deepcopy(ingress(sight))
    other["metadata"] |= {"name": name, "creationTimestamp": "2026-11-24T09:59:00Z"}
    other["spec"]["rules"][0]["host"] = host
    added(sight, other)
    return other


def claimed_twice(sight: JSON) -> JSON:
    """A second Ingress for the same host and path, whose Service gets the requests."""
    other = second(sight, host=HOST)
    other["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]["name"] = "other"
    port = {"name": "http", "port": 8080, "protocol": "TCP", "targetPort": 8080}
    added(sight, thing("v1", "Service", "other", "apps", spec={"selector": {"app": "other"}, "ports": [port]}))
    cluster = "apps/other/8080/da39a3ee5e"
    envoy(sight)["routes"][0]["virtual_hosts"][0]["routes"][0]["route"]["cluster"] = cluster
    return other


def stopped(sight: JSON) -> None:
    """The worker's container stopped: its pods lose their readiness, and nothing comes through it."""
    container(sight, WORKER)["State"] |= {"Running": False, "Status": "exited"}
    conditions = found(sight, "Node", WORKER)["status"]["conditions"]
    next(one for one in conditions if one["type"] == "Ready")["status"] = "Unknown"
    for name in (ENVOY, CONTOUR, "kube-proxy-2m9xj"):
        next(one for one in status(sight, name)["conditions"] if one["type"] == "Ready")["status"] = "False"
    sight["nodes"] = [one for one in sight["nodes"] if one["name"] != WORKER]
    sight["envoys"] = []
    sight["requests"] = [one for one in sight["requests"] if one["where"] == "client"]
    failed(sight, "refused", "client")


def condition(kind: str, status: str = "True", reason: str = "", message: str = "") -> JSON:
    return {"type": kind, "status": status, "reason": reason or kind, "message": message}


def by_http_route(sight: JSON, *, planned: bool = False) -> JSON:
    """An HTTPRoute in the place of the Ingress, without a stack; planned: beside the Ingress of a stack."""
    if not planned:
        sight["stack"] = None
        without(sight, "Ingress", "my-service-ingress")
    accepted = [condition("Accepted"), condition("Programmed")]
    listener = {
        "name": "http",
        "protocol": "HTTP",
        "port": 80,
        "allowedRoutes": {"namespaces": {"from": "All"}},
    }
    parent = {"name": "public", "namespace": "projectcontour"}
    conditions = [condition("Accepted"), condition("ResolvedRefs")]
    added(
        sight,
        thing(
            _GATEWAY_API,
            "GatewayClass",
            "contour",
            None,
            spec={"controllerName": "projectcontour.io/gateway-controller"},
        ),
        thing(
            _GATEWAY_API,
            "Gateway",
            "public",
            "projectcontour",
            spec={"gatewayClassName": "contour", "listeners": [listener]},
            status={"conditions": accepted},
        ),
        thing(
            _GATEWAY_API,
            "HTTPRoute",
            "web",
            "apps",
            spec={
                "parentRefs": [parent],
                "hostnames": [HOST],
                "rules": [{"backendRefs": [{"name": "my-service", "port": 8080}]}],
            },
            status={
                "parents": [
                    {
                        "parentRef": parent,
                        "controllerName": _CONTROLLER,
                        "conditions": conditions,
                    }
                ]
            },
        ),
    )
    return found(sight, "HTTPRoute", "web")


def by_http_proxy(sight: JSON) -> JSON:
    """An HTTPProxy in the place of the Ingress, without a stack."""
    sight["stack"] = None
    without(sight, "Ingress", "my-service-ingress")
    services = [{"name": "my-service", "port": 8080}]
    proxy = thing(
        "projectcontour.io/v1",
        "HTTPProxy",
        "web",
        "apps",
        spec={"virtualhost": {"fqdn": HOST}, "routes": [{"services": services}]},
        status={"currentStatus": "valid", "description": "Valid HTTPProxy", "conditions": []},
    )
    added(sight, proxy)
    return proxy
