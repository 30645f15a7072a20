"""Which codes explain others away: two faults at once, in either order."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter

import pytest

from hops.trace.checks.registry import CHECKS
from hops.trace.precedence import YIELDS_TO, unexplained
from tests.hops.trace import faults
from tests.hops.trace.checks.envoy import test_contour_start
from tests.hops.trace.checks.nodes.test_between_nodes import switched_off
from tests.hops.trace.checks.pods import test_pod, test_process, test_share
from tests.hops.trace.names import (
    CONTOUR,
    CONTROL,
    CONTROL_IP,
    DNAT_CHAIN,
    ENVOY,
    HOST,
    JSON,
    POD,
    POD_INTERFACE,
    POD_IPV6,
    PORT,
    WORKER,
    WORKER_IP,
)
from tests.hops.trace.nodes import host_port, namespace, nat
from tests.hops.trace.objects import pod, thing
from tests.hops.trace.observations import added, container, dual, failed, found, healthy, node, request, view, without

_SANDBOX = 'Failed to create pod sandbox: plugin type="calico" failed (add): stat /var/lib/calico/nodename'
_SCHEDULED = "0/2 nodes are available: 1 node(s) didn't have free ports for the requested pod ports."


def _path(observation: JSON) -> None:
    faults.path(observation)["path"] = "/app"
    faults.envoy(observation)["routes"][0]["virtual_hosts"][0]["routes"][0]["match"] = {"path_separated_prefix": "/app"}
    faults.not_found(observation)


def _host(observation: JSON) -> None:
    faults.ingress(observation)["spec"]["rules"][0]["host"] = "my-servce.localhost"
    faults.second(observation)
    faults.unrouted(observation)


def _class(observation: JSON) -> None:
    faults.ingress(observation)["spec"]["ingressClassName"] = "nginx"
    faults.listenerless(observation)


def _https_only(observation: JSON) -> None:
    faults.ingress(observation)["metadata"]["annotations"] = {"kubernetes.io/ingress.allow-http": "false"}
    faults.listenerless(observation)


def _no_ingress(observation: JSON) -> None:
    without(observation, "Ingress", "my-service-ingress")
    faults.listenerless(observation)


def _no_service(observation: JSON) -> None:
    faults.path(observation)["backend"]["service"]["name"] = "my-servise"
    faults.listenerless(observation)


def _unresolved(**reference: object) -> Callable[[JSON], None]:
    """An HTTPRoute whose backend is not there, and its status says so."""

    def change(observation: JSON) -> None:
        route = faults.by_http_route(observation)
        route["spec"]["rules"][0]["backendRefs"][0] |= reference
        conditions = route["status"]["parents"][0]["conditions"]
        conditions[1] = faults.condition("ResolvedRefs", "False", "BackendNotFound")
        faults.unrouted(observation)

    return change


def _invalid_proxy(observation: JSON) -> None:
    proxy = faults.by_http_proxy(observation)
    proxy["spec"]["routes"][0]["services"][0]["name"] = "my-servise"
    proxy["status"] = {"currentStatus": "invalid"}
    faults.unrouted(observation)


def _contour(observation: JSON) -> None:
    faults.contourless(observation)
    found(observation, "EndpointSlice", "my-service-8fmwz")["endpoints"][0]["addresses"] = ["10.244.81.99"]


def _certificate(observation: JSON) -> None:
    """The Secret of Envoy's certificate is gone, and Envoy waits for it."""
    without(observation, "Secret", "envoycert")
    found(observation, "Pod", ENVOY)["spec"]["volumes"] = [{"name": "cert", "secret": {"secretName": "envoycert"}}]
    _envoy_waits(observation, "PodInitializing")
    message = 'MountVolume.SetUp failed for volume: secret "envoycert" not found'
    _event(observation, ENVOY, "projectcontour", "FailedMount", message)


def _expired(observation: JSON) -> None:
    observation["cluster"]["certificates"]["projectcontour/contourcert/tls.crt"] = "2026-11-23T09:00:00+00:00"
    faults.disconnected(observation)


def _event(observation: JSON, name: str, namespace: str, reason: str, message: str) -> None:
    about = {"kind": "Pod", "name": name, "namespace": namespace}
    event = thing("v1", "Event", f"{name}.{reason}", namespace, involvedObject=about, reason=reason, message=message)
    added(observation, event)


def _envoy_waits(observation: JSON, reason: str) -> None:
    """Envoy's container has not started."""
    faults.envoyless(observation)
    faults.waiting(observation, reason, ENVOY)
    faults.status(observation, ENVOY)["phase"] = "Pending"


def _envoy(observation: JSON) -> None:
    faults.envoyless(observation)
    faults.waiting(observation, "CrashLoopBackOff", ENVOY, terminated={"reason": "Error", "exitCode": 139})


def _crash(observation: JSON) -> None:
    faults.waiting(observation, "CrashLoopBackOff", terminated={"reason": "Error", "exitCode": 1})
    failed(observation, "refused", *faults.DIRECT)


def _unready_and_unasked(observation: JSON) -> None:
    """A pod that is not ready, and no request was sent to it past Envoy."""
    faults.unready(observation)
    observation["requests"] = [one for one in observation["requests"] if one["where"] not in faults.DIRECT]


def _no_pod(observation: JSON) -> None:
    without(observation, "Pod", POD)
    faults.no_endpoints(observation)
    failed(observation, "timeout", *faults.DIRECT)


def _loopback(observation: JSON) -> None:
    faults.listening(observation, ("127.0.0.1", 8080))


def _one_family(observation: JSON) -> None:
    """The process listens on IPv6 only, and the Service has IPv4."""
    faults.listening(observation, (f"[{POD_IPV6}]", 8080))


def _other_port(observation: JSON) -> None:
    faults.listening(observation, ("0.0.0.0", 8081))


def _selector(observation: JSON) -> None:
    found(observation, "Service", "my-service")["spec"]["selector"] = {"service": "exampel-pod"}
    faults.no_endpoints(observation)
    found(observation, "EndpointSlice", "my-service-8fmwz")["endpoints"] = []


def _target_port(observation: JSON) -> None:
    found(observation, "Service", "my-service")["spec"]["ports"][0]["targetPort"] = 9999
    failed(observation, "503", *faults.THROUGH_ENVOY)
    failed(observation, "refused", "service")


def _kube_proxy(observation: JSON) -> None:
    conditions = faults.status(observation, "kube-proxy-2m9xj")["conditions"]
    next(one for one in conditions if one["type"] == "Ready")["status"] = "False"


def _closed(observation: JSON) -> None:
    """No request gets through the node's port."""
    failed(observation, "empty", "client")
    failed(observation, "refused", "node")


def _flushed(observation: JSON) -> None:
    """The node has no rule that leads its port to Envoy's pod."""
    for key in ("nat", "nat_after"):
        node(observation)[key] = "\n".join(
            line for line in node(observation)[key].splitlines() if DNAT_CHAIN not in line
        )


def _portmap(observation: JSON) -> None:
    _flushed(observation)
    node(observation)["cni"] = {"10-calico.conflist": json.dumps({"name": "k8s", "plugins": [{"type": "calico"}]})}


def _operator(observation: JSON) -> None:
    _flushed(observation)
    spec = {"calicoNetwork": {"hostPorts": "Disabled"}}
    added(observation, thing("operator.tigera.io/v1", "Installation", "default", spec=spec))


def _stale(observation: JSON) -> None:
    """The node's port leads to a pod that is gone."""
    for key in ("nat", "nat_after"):
        node(observation)[key] = nat(*host_port("10.244.81.99", "CNI-DN-0000000000000000dead0"))


def _rival(observation: JSON) -> None:
    """Another pod has the host port, and Envoy waits for it."""
    faults.envoyless(observation)
    scheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": _SCHEDULED}
    waits = found(observation, "Pod", ENVOY)
    waits["status"] = {"phase": "Pending", "conditions": [scheduled]}
    term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [WORKER]}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    waits["spec"]["affinity"] = {"nodeAffinity": required}
    del waits["spec"]["nodeName"]
    ports = [{"containerPort": 80, "hostPort": 80, "protocol": "TCP"}]
    added(observation, pod("web-7d9c-x", "default", "10.244.81.70", {"app": "web"}, containers={"web": ports}))


def _calico(observation: JSON) -> None:
    """Calico does not run on the worker, and a new pod of the service has no network."""
    _no_calico(observation)
    faults.waiting(observation, "ContainerCreating")
    faults.status(observation).update({"phase": "Pending", "podIP": ""})
    failed(observation, "timeout", *faults.DIRECT)
    _event(observation, POD, "apps", "FailedCreatePodSandBox", _SANDBOX)


def _calico_of_envoy(observation: JSON) -> None:
    """Calico does not run on the worker, and a new Envoy has no network."""
    _no_calico(observation)
    _envoy_waits(observation, "ContainerCreating")
    faults.status(observation, ENVOY)["podIP"] = ""
    _event(observation, ENVOY, "projectcontour", "FailedCreatePodSandBox", _SANDBOX)


def _contour_waits(observation: JSON) -> None:
    """Contour's pod does not run, and Envoy has other pods than the objects want."""
    faults.waiting(observation, "ContainerCreating", CONTOUR)
    found(observation, "EndpointSlice", "my-service-8fmwz")["endpoints"][0]["addresses"] = ["10.244.81.99"]


def _calico_of_contour(observation: JSON) -> None:
    """Calico does not run on the worker, and a new Contour has no network."""
    _no_calico(observation)
    _contour_waits(observation)
    faults.status(observation, CONTOUR).update({"phase": "Pending", "podIP": ""})
    _event(observation, CONTOUR, "projectcontour", "FailedCreatePodSandBox", _SANDBOX)


def _inotify_of_contour(observation: JSON) -> None:
    _contour_waits(observation)
    _inotify(
        observation, "projectcontour", CONTOUR, faults.status(observation, CONTOUR)["containerStatuses"][0]["name"]
    )


def _no_calico(observation: JSON) -> None:
    without(observation, "Pod", "calico-node-5kq8v")


def _interface(observation: JSON) -> None:
    links = json.loads(node(observation)["links"])
    down = [link | {"flags": ["BROADCAST"]} if link["ifname"] == POD_INTERFACE else link for link in links]
    node(observation)["links"] = json.dumps(down)
    failed(observation, "503", *faults.THROUGH_ENVOY)
    failed(observation, "timeout", *faults.DIRECT)


def _inotify(observation: JSON, namespace: str, name: str, part: str) -> None:
    observation["host"]["inotify"]["max_user_instances"] = 128
    observation["cluster"]["logs"][f"{namespace}/{name}/{part} previous"] = "inotify_init: too many open files"


def _inotify_of_kube_proxy(observation: JSON) -> None:
    _kube_proxy(observation)
    status = faults.status(observation, "kube-proxy-2m9xj")["containerStatuses"][0]
    status |= {"ready": False, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}
    _inotify(observation, "kube-system", "kube-proxy-2m9xj", status["name"])


def _inotify_of_envoy(observation: JSON) -> None:
    _envoy(observation)
    _inotify(observation, "projectcontour", ENVOY, faults.status(observation, ENVOY)["containerStatuses"][0]["name"])


def _inotify_of_pod(observation: JSON) -> None:
    _crash(observation)
    _inotify(observation, "apps", POD, "server")


def _swapped(observation: JSON) -> None:
    for name, address in ((CONTROL, WORKER_IP), (WORKER, CONTROL_IP)):
        container(observation, name)["NetworkSettings"]["Networks"]["kind"]["IPAddress"] = address


def _no_api(observation: JSON) -> None:
    observation["cluster"] = None
    hop = {"name": "host-port", "address": WORKER_IP, "service": "apps/my-service"}
    observation["stack"]["outputs"]["hops"] = [hop]


def _tainted(observation: JSON) -> None:
    found(observation, "Node", WORKER)["spec"]["taints"] = [
        {"key": "dedicated", "value": "gpu", "effect": "NoSchedule"}
    ]
    faults.pending(observation, "0/2 nodes are available: 1 node(s) had untolerated taint {dedicated: gpu}.")


def _stopped(observation: JSON) -> None:
    faults.stopped(observation)
    listeners = observation["host"]["listeners"]
    observation["host"]["listeners"] = [one for one in listeners if one["process"] != "docker-proxy"]


def _taken(observation: JSON) -> None:
    observation["host"]["listeners"] = [{"address": "127.0.0.1", "port": PORT, "pid": 815, "process": "python3"}]


def _refused(observation: JSON) -> None:
    """The client is refused."""
    failed(observation, "refused", "client")


def _gone(observation: JSON) -> None:
    """The stack's cluster was never made."""
    observation["docker"]["containers"] = []
    observation["stack"]["outputs"] = None
    for key in ("cluster", "cluster_name"):
        observation[key] = None
    observation["nodes"] = observation["envoys"] = []
    observation["requests"] = [one for one in observation["requests"] if one["where"] == "client"]
    failed(observation, "refused", "client")


@dataclass(frozen=True)
class _Fault:
    """One change of a healthy observation.

    code: of the finding. needs: the evidence that it shows by. hides: the evidence that is gone with it. ends: how
    requests end by it, whatever lies behind.
    """

    code: str
    change: Callable[[JSON], object]
    needs: str = ""
    hides: str = ""
    ends: Callable[[JSON], None] | None = None

    def __str__(self) -> str:
        return self.change.__name__.removeprefix("_")

    def beside(self, other: "_Fault") -> bool:
        """Whether the evidence of both can be there at once."""
        return not (
            set(self.needs.split()) & set(other.hides.split()) or set(other.needs.split()) & set(self.hides.split())
        )


_FAULTS = (
    _Fault("T46", _swapped, "docker"),
    _Fault("T47", _no_api, "docker", "objects"),
    _Fault("T49", _inotify_of_kube_proxy, "objects"),
    _Fault("T49", _inotify_of_envoy, "objects start", "tables chain"),
    _Fault("T49", _inotify_of_pod, "objects pod"),
    _Fault("T49", _inotify_of_contour, "objects contour", "connection"),
    _Fault("T08", _taken, ends=_refused),
    _Fault("T10", _stopped, "docker", "inside tables"),
    _Fault("T48", _gone, "", "docker objects"),
    _Fault("T12", _portmap, "objects inside entrypoint", ends=_closed),
    _Fault("T12", _operator, "objects inside entrypoint", ends=_closed),
    _Fault("T13", _stale, "objects inside entrypoint chain rules", "rules", ends=_closed),
    _Fault("T14", _flushed, "objects inside rules", "rules", ends=_closed),
    _Fault("T15", _rival, "objects", "tables start entrypoint chain"),
    _Fault("T16", _envoy, "objects", "tables chain"),
    _Fault("T17", _no_ingress, "objects ingress", "ingress"),
    _Fault("T18", _https_only, "objects ingress", "ingress"),
    _Fault("T20", _contour, "objects", "connection contour endpoints"),
    _Fault("T20", faults.unrouted, "objects ingress tables status", "ingress"),
    _Fault("T21", _certificate, "objects", "tables entrypoint chain"),
    _Fault("T21", _expired, "objects connection"),
    _Fault("T22", _host, "objects ingress", "ingress"),
    _Fault("T23", _path, "objects ingress", "ingress"),
    _Fault("IN01", _no_service, "objects ingress", "ingress"),
    _Fault("IN05", faults.claimed_twice, "objects ingress", "ingress"),
    _Fault("IN09", _class, "objects ingress", "ingress"),
    _Fault("T45", _kube_proxy, "objects inside status"),
    _Fault("SV01", _selector, "objects", "endpoints"),
    _Fault("SV02", _target_port, "objects pod"),
    _Fault("T34", _interface, "objects inside pod wire", "probe"),
    _Fault("T37", _calico, "objects pod", "wire"),
    _Fault("T37", _calico_of_envoy, "objects start", "tables entrypoint chain"),
    _Fault("T37", _calico_of_contour, "objects contour", "connection"),
    _Fault("T32", faults.unready, "objects inside pod probe status"),
    _Fault("T32", _unready_and_unasked, "objects inside pod status"),
    _Fault("T40", _loopback, "objects inside pod sockets", "sockets"),
    _Fault("T90", _one_family, "objects inside pod sockets endpoints", "sockets"),
    _Fault("T41", _other_port, "objects inside pod sockets", "sockets"),
    _Fault("T42", _crash, "objects pod"),
    _Fault("T64", faults.unready_node, "objects inside", "status"),
    _Fault("T65", _tainted, "objects pod", "pod"),
    _Fault("T42", _no_pod, "objects", "pod"),
)


def _proxy_without_secret(observation: JSON) -> None:
    proxy = faults.by_http_proxy(observation)
    proxy["spec"]["virtualhost"]["tls"] = {"secretName": "web-tls"}
    proxy["status"] = {"currentStatus": "invalid", "description": "Spec.VirtualHost.TLS Secret is invalid"}
    faults.unrouted(observation)


def _redirected(observation: JSON, *, then: JSON) -> None:
    faults.redirected(observation)
    observation["then"] = then


def _into_nothing(observation: JSON) -> None:
    then = faults.secure(healthy())
    then["asked"]["port"] = 443
    request(then, "client").update({"port": 443, "seconds": {"name": 0.001}})
    failed(then, "refused", "client")
    _redirected(observation, then=then)


def _in_a_circle(observation: JSON) -> None:
    then = healthy()
    faults.redirected(then, to=f"http://{HOST}:{PORT}/")
    _redirected(observation, then=then)


def _rights(observation: JSON) -> None:
    test_contour_start.unready(observation)["cluster"]["logs"][test_contour_start.LOG] = test_contour_start.FORBIDDEN


def _misconfigured(observation: JSON) -> None:
    logs = test_contour_start.crashing(observation)["cluster"]["logs"]
    logs[f"{test_contour_start.LOG} previous"] = test_contour_start.INVALID


def _unwatched(observation: JSON) -> None:
    faults.listenerless(test_contour_start.flagged(observation, "--watch-namespaces=default"))


def _foreign(*refused: str) -> Callable[[JSON], None]:
    """A container whose program is for another architecture; the pod refuses these requests."""

    def change(observation: JSON) -> None:
        faults.waiting(observation, "CrashLoopBackOff", terminated={"exitCode": 255, "reason": "Error"})
        container_ = found(observation, "Pod", POD)["spec"]["containers"][0]["name"]
        observation["cluster"]["logs"][f"apps/{POD}/{container_} previous"] = "exec /app: exec format error"
        node(observation)["namespaces"] = []
        failed(observation, "refused", *refused)

    return change


def _no_room(observation: JSON) -> None:
    test_process.without_pod(observation)
    added(observation, test_process.quota(pods="0"))


def _hanging(line: str) -> Callable[[JSON], object]:
    return lambda observation: test_process.runs(test_process.hang(observation), line)


def _second(socket: tuple[str, int], process: str = "", failure: str = "refused") -> Callable[[JSON], None]:
    """The second of two pods takes no request, and the followed one came to it."""

    def change(observation: JSON) -> None:
        test_share.replicas(observation)
        space = namespace("cni-ee05", test_share.OTHER_IP, socket)
        node(observation)["namespaces"].append({**space, "processes": process})
        for one in observation["requests"]:
            if one["address"] == test_share.OTHER_IP:
                one |= {"failure": failure, "seconds": {"connect": 0.001, "total": 4.0}}
                one.pop("status")
        failed(observation, "503", *faults.THROUGH_ENVOY)

    return change


def _second_family(observation: JSON) -> None:
    """The process takes no connection by IPv6, and the followed request came to it by that."""
    observation |= test_pod.on_ipv4_only(dual())
    failed(observation, "503", *faults.THROUGH_ENVOY)


def _one_of_two(observation: JSON) -> None:
    test_share.answers(test_share.replicas(observation), test_share.OTHER_IP, 500)
    for place in faults.THROUGH_ENVOY:
        request(observation, place)["status"] = 500


def _no_gateway(observation: JSON) -> None:
    """The Gateway does not accept the route, and Envoy has no listener."""
    faults.by_http_route(observation)
    found(observation, "Gateway", "public")["spec"]["listeners"][0].pop("allowedRoutes")
    faults.listenerless(observation)


def _no_gateway_beside_others(observation: JSON) -> None:
    """The Gateway does not accept the route, and Envoy serves another host."""
    faults.by_http_route(observation)
    found(observation, "Gateway", "public")["spec"]["listeners"][0].pop("allowedRoutes")
    faults.unrouted(observation)


def _no_gateway_beside_another_path(observation: JSON) -> None:
    """The Gateway does not accept the route, and an Ingress has another path of the host."""
    other = faults.second(observation, host=HOST)
    other["spec"]["rules"][0]["http"]["paths"][0]["path"] = "/other"
    _no_gateway_beside_others(observation)


def _interface_and_route(observation: JSON) -> None:
    """The pod's interface is down, and the kernel removed its route."""
    _interface(observation)
    routes = json.loads(node(observation)["routes"])
    node(observation)["routes"] = json.dumps([route for route in routes if route.get("dev") != POD_INTERFACE])


def _kept_by_envoy(observation: JSON) -> None:
    """The stack's Ingress is gone, Envoy still has its route, and the request fails."""
    without(observation, "Ingress", "my-service-ingress")
    failed(observation, "503", *faults.THROUGH_ENVOY)


_ALONE = (
    _Fault("IN18", _no_gateway),
    _Fault("IN18", _no_gateway_beside_others),
    _Fault("IN18", _no_gateway_beside_another_path),
    _Fault("T34", _interface_and_route),
    _Fault("T22", _kept_by_envoy),
    _Fault("T76", _rights),
    _Fault("T77", _misconfigured),
    _Fault("RP05", _unwatched),
    _Fault("T69", _foreign(*faults.DIRECT)),
    _Fault("T69", _foreign()),
    _Fault("T68", _no_room),
    _Fault("T66", _hanging("934 T 5 64 python")),
    _Fault("T67", _hanging("934 S 64 64 python")),
    _Fault("T83", _one_of_two),
    _Fault("T90", _second_family),
    _Fault("T41", _second(("0.0.0.0", 8081))),
    _Fault("T66", _second(("0.0.0.0", 8080), "934 T 5 64 python", "timeout")),
    _Fault("T67", _second(("0.0.0.0", 8080), "934 S 64 64 python", "timeout")),
    _Fault("T57", _proxy_without_secret, "objects ingress"),
    _Fault("T59", _into_nothing),
    _Fault("T60", _in_a_circle),
    _Fault("IN01", _unresolved(name="my-servise"), "objects ingress"),
    _Fault("IN02", _unresolved(port=9090), "objects ingress"),
    _Fault("IN17", _invalid_proxy, "objects ingress"),
    _Fault("T84", switched_off),
)
"""Faults beside which none of the others is put: of other kinds of route, and those that change several parts."""


@cache
def _judged(*broken: _Fault) -> tuple[frozenset[str], frozenset[str]] | None:
    """The codes that the checks find and those that are reported; None where one fault leaves the other nothing."""
    observation = healthy()
    try:
        for one in broken:
            one.change(observation)
        for end in (one.ends for one in broken if one.ends):
            end(observation)
    except (LookupError, StopIteration, TypeError, ValueError):
        return None
    seen = view(observation)
    found_ = [finding for check in CHECKS for finding in check(seen)]
    return frozenset(one.code for one in found_), frozenset(one.code for one in unexplained(found_))


@pytest.mark.parametrize("fault", [*_FAULTS, *_ALONE], ids=str)
def test_a_fault_alone_is_reported_alone(fault: _Fault) -> None:
    judged = _judged(fault)
    assert judged is not None
    assert judged[1] == {fault.code}


@pytest.mark.parametrize("first", _FAULTS, ids=str)
def test_of_two_faults_both_are_reported_or_the_codes_declare_which_one_goes(first: _Fault) -> None:
    for second in _FAULTS:
        judged = _judged(first, second) if first is not second and first.beside(second) else None
        if judged is not None:
            found_, reported = judged
            wrong = f"{first}, then {second}: {sorted(found_)} found, {sorted(reported)} reported"
            assert all(code in reported or _explained(code, reported) for code in (first.code, second.code)), wrong


def test_every_declared_precedence_has_a_case() -> None:
    met = set()
    for first in _FAULTS:
        for second in _FAULTS:
            judged = _judged(first) if first is second else _judged(first, second) if first.beside(second) else None
            found_, reported = judged or (frozenset(), frozenset())
            met |= {(code, other) for code in found_ - reported for other in YIELDS_TO[code] if other in reported}
    for found_, reported in filter(None, map(_judged, _ALONE)):
        met |= {(code, other) for code in found_ - reported for other in YIELDS_TO[code] if other in reported}
    assert {(code, other) for code, others in YIELDS_TO.items() for other in others} == met


def _explained(code: str, reported: frozenset[str]) -> bool:
    return any(other in reported or _explained(other, reported) for other in YIELDS_TO[code])


def test_every_code_that_another_yields_to_exists() -> None:
    assert {code for codes in YIELDS_TO.values() for code in codes} <= set(YIELDS_TO)


def test_no_two_codes_explain_each_other_away() -> None:
    order = list(TopologicalSorter(YIELDS_TO).static_order())
    assert len(order) == len(YIELDS_TO)
