"""What follows from a fault of Envoy, a route, a Service or a pod: a test breaks a path as it really breaks."""

import copy
import re

from hops.model.path import envoy_cluster
from hops.trace.verdict import trace
from tests.hops.trace.asked import checked
from tests.hops.trace.names import CONTOUR, ENVOY, HOST, JSON, POD, POD_IP, SERVICE_IP, WORKER
from tests.hops.trace.nodes import host_port, nat
from tests.hops.trace.objects import thing
from tests.hops.trace.observations import added, container, failed, found, node, request, view, without

THROUGH_ENVOY = ("client", "node", "envoy")
DIRECT = ("pod", "pod from envoy")
CLUSTER = envoy_cluster("apps", "my-service", 8080)
_GATEWAY_API, _CONTROLLER = "gateway.networking.k8s.io/v1", "projectcontour.io/gateway-controller"


def reported(observation: JSON) -> list[tuple[str | None, str]]:
    """The hops and codes of all findings, in their order; no check may have failed on the observation."""
    traced = trace(view(observation).observation)
    assert [part for part, _ in traced.unseen if part.startswith("check ")] == []
    checked(traced.findings)
    assert all(finding.evidence is not None for finding in traced.findings)
    return [(finding.hop, finding.code) for finding in traced.findings]


def unowned(observation: JSON) -> JSON:
    """The same in an existing cluster, where an update of the stack puts no object right."""
    other = copy.deepcopy(observation)
    ports = {"listenAddress": None, "httpPort": 80, "httpsPort": 443}
    other["stack"]["settings"]["cluster"] |= {"existing": "elsewhere", **ports}
    return other


def envoy(observation: JSON) -> JSON:
    return observation["envoys"][0]  # type: ignore[no-any-return]


def ingress(observation: JSON) -> JSON:
    return found(observation, "Ingress", "my-service-ingress")


def path(observation: JSON) -> JSON:
    """The only path of the Ingress."""
    return ingress(observation)["spec"]["rules"][0]["http"]["paths"][0]  # type: ignore[no-any-return]


def status(observation: JSON, name: str = POD) -> JSON:
    return found(observation, "Pod", name)["status"]  # type: ignore[no-any-return]


def unready(observation: JSON, name: str = POD) -> None:
    """A pod that runs and isn't ready, and what Envoy makes of it."""
    for condition in status(observation, name)["conditions"]:
        if condition["type"] in ("Ready", "ContainersReady"):
            condition["status"] = "False"
    status(observation, name)["containerStatuses"][0]["ready"] = False
    if name == POD:
        no_endpoints(observation)


def waiting(observation: JSON, reason: str, name: str = POD, **last: JSON) -> None:
    """A container that doesn't run."""
    unready(observation, name)
    one = status(observation, name)["containerStatuses"][0]
    one |= {
        "state": {"waiting": {"reason": reason, "message": f"{reason} it is"}},
        "lastState": last,
        "restartCount": 4,
    }


def no_endpoints(observation: JSON) -> None:
    """A Service without ready endpoints: 503 from Envoy, a REJECT rule of kube-proxy."""
    for one in observation["cluster"]["objects"]:
        if one["kind"] == "EndpointSlice" and one["metadata"]["name"].startswith("my-service-"):
            for endpoint in one["endpoints"]:
                endpoint["conditions"]["ready"] = False
    envoy(observation)["clusters"]["cluster_statuses"][0]["host_statuses"] = []
    failed(observation, "503", *THROUGH_ENVOY)
    failed(observation, "refused", "service")
    for one in observation["nodes"]:
        for key in ("nat", "nat_after"):
            one[key] = "\n".join(line for line in one[key].splitlines() if SERVICE_IP not in line)


def unrouted(observation: JSON) -> None:
    """Envoy without a virtual host for the name, beside another one."""
    envoy(observation)["routes"][0]["virtual_hosts"] = [
        {"name": "other.localhost", "domains": ["other.localhost"], "routes": [{"match": {"prefix": "/"}}]}
    ]
    not_found(observation)


def not_found(observation: JSON) -> None:
    """404 of Envoy itself."""
    failed(observation, "503", *THROUGH_ENVOY)
    for place in THROUGH_ENVOY:
        request(observation, place)["status"] = 404


def listenerless(observation: JSON) -> None:
    """Envoy without its plain listener: connections to it are refused, and through docker-proxy reset."""
    listeners = envoy(observation)["listeners"]
    listeners["listener_statuses"] = [
        one for one in listeners["listener_statuses"] if one["name"] not in ("ingress_http", "http-80")
    ]
    envoy(observation)["routes"] = []
    envoy(observation)["clusters"]["cluster_statuses"] = []
    failed(observation, "refused", "node", "envoy")
    failed(observation, "reset", "client")


def envoyless(observation: JSON) -> None:
    """No Envoy: no rule for its port, and nothing to ask."""
    observation["envoys"] = []
    observation["requests"] = [
        one for one in observation["requests"] if one["where"] not in ("envoy", "pod from envoy")
    ]
    failed(observation, "refused", "node")
    failed(observation, "reset", "client")
    for key in ("nat", "nat_after"):
        node(observation)[key] = "\n".join(line for line in node(observation)[key].splitlines() if "CNI-" not in line)


def contourless(observation: JSON) -> None:
    """Contour scaled to nothing."""
    found(observation, "Deployment", "contour")["spec"]["replicas"] = 0
    without(observation, "Pod", CONTOUR)
    disconnected(observation)


def disconnected(observation: JSON) -> None:
    for key in ("stats", "stats_after"):
        for part in ("listener_manager.lds", "cluster.apps_my-service_8080"):
            envoy(observation)[key][f"{part}.control_plane.connected_state"] = 0


def listening(observation: JSON, *sockets: tuple[str, int]) -> None:
    """What the pod's process listens on; where that isn't its port, connections are refused and the probe fails."""
    space = next(one for one in node(observation)["namespaces"] if POD_IP in one["links"])
    space["sockets"] = "\n".join(f"LISTEN 0 5 {address}:{port} 0.0.0.0:*" for address, port in sockets)
    unready(observation)
    failed(observation, "refused", *DIRECT)


def second(observation: JSON, name: str = "other", host: str = "other.localhost") -> JSON:
    """Another Ingress beside the path's own."""
    other = copy.deepcopy(ingress(observation))
    other["metadata"] |= {"name": name, "creationTimestamp": "2026-11-24T09:59:00Z"}
    other["spec"]["rules"][0]["host"] = host
    added(observation, other)
    return other


def claimed_twice(observation: JSON) -> JSON:
    """A second Ingress for the same host and path, whose Service gets the requests."""
    other = second(observation, host=HOST)
    other["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]["name"] = "other"
    port = {"name": "http", "port": 8080, "protocol": "TCP", "targetPort": 8080}
    added(observation, thing("v1", "Service", "other", "apps", spec={"selector": {"app": "other"}, "ports": [port]}))
    cluster = "apps/other/8080/da39a3ee5e"
    envoy(observation)["routes"][0]["virtual_hosts"][0]["routes"][0]["route"]["cluster"] = cluster
    return other


def stopped(observation: JSON) -> None:
    """The worker's container stopped: its pods lose their readiness, and nothing comes through it."""
    container(observation, WORKER)["State"] |= {"Running": False, "Status": "exited"}
    conditions = found(observation, "Node", WORKER)["status"]["conditions"]
    next(one for one in conditions if one["type"] == "Ready")["status"] = "Unknown"
    for name in (ENVOY, CONTOUR, "kube-proxy-2m9xj"):
        next(one for one in status(observation, name)["conditions"] if one["type"] == "Ready")["status"] = "False"
    observation["nodes"] = [one for one in observation["nodes"] if one["name"] != WORKER]
    observation["envoys"] = []
    observation["requests"] = [one for one in observation["requests"] if one["where"] == "client"]
    failed(observation, "refused", "client")


def unready_node(observation: JSON) -> None:
    """The worker's kubelet stopped a minute ago: its pods are out of service, and still answer."""
    ready = next(one for one in found(observation, "Node", WORKER)["status"]["conditions"] if one["type"] == "Ready")
    ready |= {"status": "Unknown", "reason": "NodeStatusUnknown", "message": "Kubelet stopped posting node status."}
    for name in (POD, ENVOY, CONTOUR):
        next(one for one in status(observation, name)["conditions"] if one["type"] == "Ready")["status"] = "False"
    failed(observation, "503", "client", "node", "envoy")


def pending(observation: JSON, message: str) -> None:
    """The scheduler finds no node for the pod."""
    pod = found(observation, "Pod", POD)
    pod["spec"].pop("nodeName", None)
    pod["status"] = {
        "phase": "Pending",
        "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}],
    }
    failed(observation, "503", "client", "node", "envoy")
    failed(observation, "unreachable", *DIRECT)


def redirected(observation: JSON, to: str = f"https://{HOST}/") -> None:
    """Envoy's own redirect in the place of each answer."""
    for place in THROUGH_ENVOY:
        answer = request(observation, place)
        answer |= {"status": 301, "headers": {"server": "envoy", "location": to}}
    route = envoy(observation)["routes"][0]["virtual_hosts"][0]["routes"][0]
    route["redirect"] = {"https_redirect": True}
    route.pop("route", None)


SECRET, ISSUER = "web-tls", "CN=Example Root CA,O=Example"
PORT_HTTPS = 8443


def certificate(**other: object) -> JSON:
    """The facts of a certificate for the path's host."""
    return {
        "subject": f"CN={HOST}",
        "issuer": ISSUER,
        "begins": "2026-11-01T00:00:00+00:00",
        "ends": "2027-11-01T00:00:00+00:00",
        "hosts": [HOST],
        "key": "RSA 2048",
        "sha256": "ab" * 32,
        **other,
    }


def secure(observation: JSON, *chain: JSON) -> JSON:
    """The same path over https: the Ingress names a certificate, Envoy serves it and the client trusts it."""
    shown = list(chain) or [certificate()]
    observation["asked"] |= {"scheme": "https", "port": PORT_HTTPS}
    observation["stack"]["settings"]["cluster"]["httpsPort"] = PORT_HTTPS
    ingress(observation)["spec"]["tls"] = [{"hosts": [HOST], "secretName": SECRET}]
    added(observation, {**thing("v1", "Secret", SECRET, "apps"), "type": "kubernetes.io/tls"})
    observation["cluster"]["fingerprints"] = {f"apps/{SECRET}": shown[0]["sha256"]}
    worker = container(observation, WORKER)
    for ports in (worker["HostConfig"]["PortBindings"], worker["NetworkSettings"]["Ports"]):
        ports["443/tcp"] = [{"HostIp": "127.0.0.1", "HostPort": str(PORT_HTTPS)}]
    observation["host"]["listeners"].append({"address": "127.0.0.1", "port": PORT_HTTPS, "process": "docker-proxy"})
    pod_ports = next(c for c in found(observation, "Pod", ENVOY)["spec"]["containers"] if c["name"] == "envoy")["ports"]
    if not any(port.get("hostPort") == 443 for port in pod_ports):
        pod_ports.append({"containerPort": 8443, "hostPort": 443, "name": "https", "protocol": "TCP"})
    rules = [*host_port(), *host_port(chain="CNI-DN-7c0de5b2a91f4e3d86210", outside=443, inside=8443)]
    node(observation).update({"nat": nat(*rules), "nat_after": nat(*rules)})
    seen = envoy(observation)
    address = {"address": "0.0.0.0", "port_value": 8443}
    seen["listeners"]["listener_statuses"].append(
        {"name": "ingress_https", "local_address": {"socket_address": address}}
    )
    plain = seen["routes"][0]
    seen["routes"].append({"name": f"https/{HOST}", "virtual_hosts": copy.deepcopy(plain["virtual_hosts"])})
    tls = {"name": HOST, "protocol": "TLSv1.3", "cipher": "TLS_AES_256_GCM_SHA384", "alpn": "h2", "chain": shown}
    for place, port in zip(THROUGH_ENVOY, (PORT_HTTPS, 443, 8443), strict=True):
        request(observation, place).update({"port": port, "tls": copy.deepcopy(tls)})
    request(observation, "client")["tls"]["verified"] = True
    return observation


def distrusted(observation: JSON, code: int, why: str, **more: object) -> None:
    """The client ends the handshake, as OpenSSL does with this code."""
    failed(observation, "tls", "client")
    request(observation, "client")["error"] = why
    request(observation, "client")["tls"] |= {
        "protocol": None,
        "verified": False,
        "code": code,
        "distrust": why,
        **more,
    }


def refused_handshake(observation: JSON, error: str, failure: str = "tls", **more: object) -> None:
    """Envoy ends the handshake."""
    failed(observation, failure, *THROUGH_ENVOY)
    for place in THROUGH_ENVOY:
        given: JSON = {"protocol": None, "cipher": None, "alpn": None, "chain": [], "verified": None, "error": error}
        request(observation, place)["tls"] |= given | more


def condition(kind: str, status: str = "True", reason: str = "", message: str = "") -> JSON:
    return {"type": kind, "status": status, "reason": reason or kind, "message": message}


def by_http_route(observation: JSON, *, planned: bool = False) -> JSON:
    """An HTTPRoute in the place of the Ingress, without a stack; planned: beside the Ingress of a stack."""
    if not planned:
        observation["stack"] = None
        without(observation, "Ingress", "my-service-ingress")
    # Contour names Envoy's listeners and routes by the Gateway's ports.
    for named in (*envoy(observation)["listeners"]["listener_statuses"], *envoy(observation)["routes"]):
        named["name"] = {"ingress_http": "http-80"}.get(named["name"], named["name"])
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
        observation,
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
    return found(observation, "HTTPRoute", "web")


def by_secure_http_route(observation: JSON) -> JSON:
    """The route becomes an HTTPRoute, which both listeners of its Gateway accept. Returns the Gateway."""
    by_http_route(observation)
    for named in (*envoy(observation)["listeners"]["listener_statuses"], *envoy(observation)["routes"]):
        named["name"] = re.sub(r"^(ingress_)?https(?=/|$)", "https-443", named["name"])
    gateway = found(observation, "Gateway", "public")
    reference = {"name": SECRET, "namespace": "apps"}
    own = {"name": "https", "protocol": "HTTPS", "port": 443, "hostname": HOST, "tls": {"certificateRefs": [reference]}}
    gateway["spec"]["listeners"].append({**gateway["spec"]["listeners"][0], **own})
    return gateway


def by_http_proxy(observation: JSON) -> JSON:
    """An HTTPProxy in the place of the Ingress, without a stack."""
    observation["stack"] = None
    without(observation, "Ingress", "my-service-ingress")
    services = [{"name": "my-service", "port": 8080}]
    proxy = thing(
        "projectcontour.io/v1",
        "HTTPProxy",
        "web",
        "apps",
        spec={"virtualhost": {"fqdn": HOST}, "routes": [{"services": services}]},
        status={"currentStatus": "valid", "description": "Valid HTTPProxy", "conditions": []},
    )
    added(observation, proxy)
    return proxy
