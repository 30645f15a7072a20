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
from tests.hops.trace.checks.pods import test_process, test_share
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
    PORT,
    WORKER,
    WORKER_IP,
)
from tests.hops.trace.nodes import host_port, namespace, nat
from tests.hops.trace.objects import pod, thing
from tests.hops.trace.observations import added, container, failed, found, healthy, node, request, view, without

_SANDBOX = 'Failed to create pod sandbox: plugin type="calico" failed (add): stat /var/lib/calico/nodename'
_SCHEDULED = "0/2 nodes are available: 1 node(s) didn't have free ports for the requested pod ports."


def _path(sight: JSON) -> None:
    faults.path(sight)["path"] = "/app"
    faults.envoy(sight)["routes"][0]["virtual_hosts"][0]["routes"][0]["match"] = {"path_separated_prefix": "/app"}
    faults.not_found(sight)


def _host(sight: JSON) -> None:
    faults.ingress(sight)["spec"]["rules"][0]["host"] = "my-servce.localhost"
    faults.second(sight)
    faults.unrouted(sight)


def _class(sight: JSON) -> None:
    faults.ingress(sight)["spec"]["ingressClassName"] = "nginx"
    faults.listenerless(sight)


def _https_only(sight: JSON) -> None:
    faults.ingress(sight)["metadata"]["annotations"] = {"kubernetes.io/ingress.allow-http": "false"}
    faults.listenerless(sight)


def _no_ingress(sight: JSON) -> None:
    without(sight, "Ingress", "my-service-ingress")
    faults.listenerless(sight)


def _no_service(sight: JSON) -> None:
    faults.path(sight)["backend"]["service"]["name"] = "my-servise"
    faults.listenerless(sight)


def _unresolved(**reference: object) -> Callable[[JSON], None]:
    """An HTTPRoute whose backend is not there, and its status says so."""

    def change(sight: JSON) -> None:
        route = faults.by_http_route(sight)
        route["spec"]["rules"][0]["backendRefs"][0] |= reference
        conditions = route["status"]["parents"][0]["conditions"]
        conditions[1] = faults.condition("ResolvedRefs", "False", "BackendNotFound")
        faults.unrouted(sight)

    return change


def _invalid_proxy(sight: JSON) -> None:
    proxy = faults.by_http_proxy(sight)
    proxy["spec"]["routes"][0]["services"][0]["name"] = "my-servise"
    proxy["status"] = {"currentStatus": "invalid"}
    faults.unrouted(sight)


def _contour(sight: JSON) -> None:
    faults.contourless(sight)
    found(sight, "EndpointSlice", "my-service-8fmwz")["endpoints"][0]["addresses"] = ["10.244.81.99"]


def _certificate(sight: JSON) -> None:
    """The Secret of Envoy's certificate is gone, and Envoy waits for it."""
    without(sight, "Secret", "envoycert")
    found(sight, "Pod", ENVOY)["spec"]["volumes"] = [{"name": "cert", "secret": {"secretName": "envoycert"}}]
    _envoy_waits(sight, "PodInitializing")
    message = 'MountVolume.SetUp failed for volume: secret "envoycert" not found'
    _event(sight, ENVOY, "projectcontour", "FailedMount", message)


def _expired(sight: JSON) -> None:
    sight["cluster"]["certificates"]["projectcontour/contourcert/tls.crt"] = "2026-11-23T09:00:00+00:00"
    faults.disconnected(sight)


def _event(sight: JSON, name: str, namespace: str, reason: str, message: str) -> None:
    about = {"kind": "Pod", "name": name, "namespace": namespace}
    event = thing("v1", "Event", f"{name}.{reason}", namespace, involvedObject=about, reason=reason, message=message)
    added(sight, event)


def _envoy_waits(sight: JSON, reason: str) -> None:
    """Envoy's container has not started."""
    faults.envoyless(sight)
    faults.waiting(sight, reason, ENVOY)
    faults.status(sight, ENVOY)["phase"] = "Pending"


def _envoy(sight: JSON) -> None:
    faults.envoyless(sight)
    faults.waiting(sight, "CrashLoopBackOff", ENVOY, terminated={"reason": "Error", "exitCode": 139})


def _crash(sight: JSON) -> None:
    faults.waiting(sight, "CrashLoopBackOff", terminated={"reason": "Error", "exitCode": 1})
    failed(sight, "refused", *faults.DIRECT)


def _unready_and_unasked(sight: JSON) -> None:
    """A pod that is not ready, and no request was sent to it past Envoy."""
    faults.unready(sight)
    sight["requests"] = [one for one in sight["requests"] if one["where"] not in faults.DIRECT]


def _no_pod(sight: JSON) -> None:
    without(sight, "Pod", POD)
    faults.no_endpoints(sight)
    failed(sight, "timeout", *faults.DIRECT)


def _loopback(sight: JSON) -> None:
    faults.listening(sight, ("127.0.0.1", 8080))


def _other_port(sight: JSON) -> None:
    faults.listening(sight, ("0.0.0.0", 8081))


def _selector(sight: JSON) -> None:
    found(sight, "Service", "my-service")["spec"]["selector"] = {"service": "exampel-pod"}
    faults.no_endpoints(sight)
    found(sight, "EndpointSlice", "my-service-8fmwz")["endpoints"] = []


def _target_port(sight: JSON) -> None:
    found(sight, "Service", "my-service")["spec"]["ports"][0]["targetPort"] = 9999
    failed(sight, "503", *faults.THROUGH_ENVOY)
    failed(sight, "refused", "service")


def _kube_proxy(sight: JSON) -> None:
    conditions = faults.status(sight, "kube-proxy-2m9xj")["conditions"]
    next(one for one in conditions if one["type"] == "Ready")["status"] = "False"


def _closed(sight: JSON) -> None:
    """No request gets through the node's port."""
    failed(sight, "empty", "client")
    failed(sight, "refused", "node")


def _flushed(sight: JSON) -> None:
    """The node has no rule that leads its port to Envoy's pod."""
    for key in ("nat", "nat_after"):
        node(sight)[key] = "\n".join(line for line in node(sight)[key].splitlines() if DNAT_CHAIN not in line)


def _portmap(sight: JSON) -> None:
    _flushed(sight)
    node(sight)["cni"] = {"10-calico.conflist": json.dumps({"name": "k8s", "plugins": [{"type": "calico"}]})}


def _operator(sight: JSON) -> None:
    _flushed(sight)
    spec = {"calicoNetwork": {"hostPorts": "Disabled"}}
    added(sight, thing("operator.tigera.io/v1", "Installation", "default", spec=spec))


def _stale(sight: JSON) -> None:
    """The node's port leads to a pod that is gone."""
    for key in ("nat", "nat_after"):
        node(sight)[key] = nat(*host_port("10.244.81.99", "CNI-DN-0000000000000000dead0"))


def _rival(sight: JSON) -> None:
    """Another pod has the host port, and Envoy waits for it."""
    faults.envoyless(sight)
    scheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": _SCHEDULED}
    waits = found(sight, "Pod", ENVOY)
    waits["status"] = {"phase": "Pending", "conditions": [scheduled]}
    term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [WORKER]}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    waits["spec"]["affinity"] = {"nodeAffinity": required}
    del waits["spec"]["nodeName"]
    ports = [{"containerPort": 80, "hostPort": 80, "protocol": "TCP"}]
    added(sight, pod("web-7d9c-x", "default", "10.244.81.70", {"app": "web"}, containers={"web": ports}))


def _calico(sight: JSON) -> None:
    """Calico does not run on the worker, and a new pod of the service has no network."""
    _no_calico(sight)
    faults.waiting(sight, "ContainerCreating")
    faults.status(sight).update({"phase": "Pending", "podIP": ""})
    failed(sight, "timeout", *faults.DIRECT)
    _event(sight, POD, "apps", "FailedCreatePodSandBox", _SANDBOX)


def _calico_of_envoy(sight: JSON) -> None:
    """Calico does not run on the worker, and a new Envoy has no network."""
    _no_calico(sight)
    _envoy_waits(sight, "ContainerCreating")
    faults.status(sight, ENVOY)["podIP"] = ""
    _event(sight, ENVOY, "projectcontour", "FailedCreatePodSandBox", _SANDBOX)


def _contour_waits(sight: JSON) -> None:
    """Contour's pod does not run, and Envoy has other pods than the objects want."""
    faults.waiting(sight, "ContainerCreating", CONTOUR)
    found(sight, "EndpointSlice", "my-service-8fmwz")["endpoints"][0]["addresses"] = ["10.244.81.99"]


def _calico_of_contour(sight: JSON) -> None:
    """Calico does not run on the worker, and a new Contour has no network."""
    _no_calico(sight)
    _contour_waits(sight)
    faults.status(sight, CONTOUR).update({"phase": "Pending", "podIP": ""})
    _event(sight, CONTOUR, "projectcontour", "FailedCreatePodSandBox", _SANDBOX)


def _inotify_of_contour(sight: JSON) -> None:
    _contour_waits(sight)
    _inotify(sight, "projectcontour", CONTOUR, faults.status(sight, CONTOUR)["containerStatuses"][0]["name"])


def _no_calico(sight: JSON) -> None:
    without(sight, "Pod", "calico-node-5kq8v")


def _interface(sight: JSON) -> None:
    links = json.loads(node(sight)["links"])
    down = [link | {"flags": ["BROADCAST"]} if link["ifname"] == POD_INTERFACE else link for link in links]
    node(sight)["links"] = json.dumps(down)
    failed(sight, "503", *faults.THROUGH_ENVOY)
    failed(sight, "timeout", *faults.DIRECT)


def _inotify(sight: JSON, namespace: str, name: str, part: str) -> None:
    sight["host"]["inotify"]["max_user_instances"] = 128
    sight["cluster"]["logs"][f"{namespace}/{name}/{part} previous"] = "inotify_init: too many open files"


def _inotify_of_kube_proxy(sight: JSON) -> None:
    _kube_proxy(sight)
    status = faults.status(sight, "kube-proxy-2m9xj")["containerStatuses"][0]
    status |= {"ready": False, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}
    _inotify(sight, "kube-system", "kube-proxy-2m9xj", status["name"])


def _inotify_of_envoy(sight: JSON) -> None:
    _envoy(sight)
    _inotify(sight, "projectcontour", ENVOY, faults.status(sight, ENVOY)["containerStatuses"][0]["name"])


def _inotify_of_pod(sight: JSON) -> None:
    _crash(sight)
    _inotify(sight, "apps", POD, "server")


def _swapped(sight: JSON) -> None:
    for name, address in ((CONTROL, WORKER_IP), (WORKER, CONTROL_IP)):
        container(sight, name)["NetworkSettings"]["Networks"]["kind"]["IPAddress"] = address


def _no_api(sight: JSON) -> None:
    sight["cluster"] = None
    hop = {"name": "host-port", "address": WORKER_IP, "service": "apps/my-service"}
    sight["stack"]["outputs"]["hops"] = [hop]


def _tainted(sight: JSON) -> None:
    found(sight, "Node", WORKER)["spec"]["taints"] = [{"key": "dedicated", "value": "gpu", "effect": "NoSchedule"}]
    faults.pending(sight, "0/2 nodes are available: 1 node(s) had untolerated taint {dedicated: gpu}.")


def _stopped(sight: JSON) -> None:
    faults.stopped(sight)
    listeners = sight["host"]["listeners"]
    sight["host"]["listeners"] = [one for one in listeners if one["process"] != "docker-proxy"]


def _taken(sight: JSON) -> None:
    sight["host"]["listeners"] = [{"address": "127.0.0.1", "port": PORT, "pid": 815, "process": "python3"}]


def _refused(sight: JSON) -> None:
    """The client is refused."""
    failed(sight, "refused", "client")


def _gone(sight: JSON) -> None:
    """The stack's cluster was never made."""
    sight["docker"]["containers"] = []
    sight["stack"]["outputs"] = None
    for key in ("cluster", "cluster_name"):
        sight[key] = None
    sight["nodes"] = sight["envoys"] = []
    sight["requests"] = [one for one in sight["requests"] if one["where"] == "client"]
    failed(sight, "refused", "client")


@dataclass(frozen=True)
class _Fault:
    """One change of a healthy sight.

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
    _Fault("T12", _portmap, "objects inside door", ends=_closed),
    _Fault("T12", _operator, "objects inside door", ends=_closed),
    _Fault("T13", _stale, "objects inside door chain rules", "rules", ends=_closed),
    _Fault("T14", _flushed, "objects inside rules", "rules", ends=_closed),
    _Fault("T15", _rival, "objects", "tables start door chain"),
    _Fault("T16", _envoy, "objects", "tables chain"),
    _Fault("T17", _no_ingress, "objects ingress", "ingress"),
    _Fault("T18", _https_only, "objects ingress", "ingress"),
    _Fault("T20", _contour, "objects", "connection contour"),
    _Fault("T20", faults.unrouted, "objects ingress tables status", "ingress"),
    _Fault("T21", _certificate, "objects", "tables door chain"),
    _Fault("T21", _expired, "objects connection"),
    _Fault("T22", _host, "objects ingress", "ingress"),
    _Fault("T23", _path, "objects ingress", "ingress"),
    _Fault("IN01", _no_service, "objects ingress", "ingress"),
    _Fault("IN05", faults.claimed_twice, "objects ingress", "ingress"),
    _Fault("IN09", _class, "objects ingress", "ingress"),
    _Fault("T45", _kube_proxy, "objects inside status"),
    _Fault("SV01", _selector, "objects"),
    _Fault("SV02", _target_port, "objects pod"),
    _Fault("T34", _interface, "objects inside pod wire", "probe"),
    _Fault("T37", _calico, "objects pod", "wire"),
    _Fault("T37", _calico_of_envoy, "objects start", "tables door chain"),
    _Fault("T37", _calico_of_contour, "objects contour", "connection"),
    _Fault("T32", faults.unready, "objects inside pod probe status"),
    _Fault("T32", _unready_and_unasked, "objects inside pod status"),
    _Fault("T40", _loopback, "objects inside pod sockets", "sockets"),
    _Fault("T41", _other_port, "objects inside pod sockets", "sockets"),
    _Fault("T42", _crash, "objects pod"),
    _Fault("T64", faults.unready_node, "objects inside", "status"),
    _Fault("T65", _tainted, "objects pod", "pod"),
    _Fault("T42", _no_pod, "objects", "pod"),
)


def _proxy_without_secret(sight: JSON) -> None:
    proxy = faults.by_http_proxy(sight)
    proxy["spec"]["virtualhost"]["tls"] = {"secretName": "web-tls"}
    proxy["status"] = {"currentStatus": "invalid", "description": "Spec.VirtualHost.TLS Secret is invalid"}
    faults.unrouted(sight)


def _redirected(sight: JSON, *, then: JSON) -> None:
    faults.redirected(sight)
    sight["then"] = then


def _into_nothing(sight: JSON) -> None:
    then = faults.secure(healthy())
    then["asked"]["port"] = 443
    request(then, "client").update({"port": 443, "seconds": {"name": 0.001}})
    failed(then, "refused", "client")
    _redirected(sight, then=then)


def _in_a_circle(sight: JSON) -> None:
    then = healthy()
    faults.redirected(then, to=f"http://{HOST}:{PORT}/")
    _redirected(sight, then=then)


def _rights(sight: JSON) -> None:
    test_contour_start.unready(sight)["cluster"]["logs"][test_contour_start.LOG] = test_contour_start.FORBIDDEN


def _misconfigured(sight: JSON) -> None:
    logs = test_contour_start.crashing(sight)["cluster"]["logs"]
    logs[f"{test_contour_start.LOG} previous"] = test_contour_start.INVALID


def _unwatched(sight: JSON) -> None:
    faults.listenerless(test_contour_start.flagged(sight, "--watch-namespaces=default"))


def _foreign(*refused: str) -> Callable[[JSON], None]:
    """A container whose program is for another architecture; the pod refuses these requests."""

    def change(sight: JSON) -> None:
        faults.waiting(sight, "CrashLoopBackOff", terminated={"exitCode": 255, "reason": "Error"})
        container_ = found(sight, "Pod", POD)["spec"]["containers"][0]["name"]
        sight["cluster"]["logs"][f"apps/{POD}/{container_} previous"] = "exec /app: exec format error"
        node(sight)["namespaces"] = []
        failed(sight, "refused", *refused)

    return change


def _no_room(sight: JSON) -> None:
    test_process.without_pod(sight)
    added(sight, test_process.quota(pods="0"))


def _hanging(line: str) -> Callable[[JSON], object]:
    return lambda sight: test_process.runs(test_process.hang(sight), line)


def _second(socket: tuple[str, int], process: str = "", failure: str = "refused") -> Callable[[JSON], None]:
    """The second of two pods takes no request, and the followed one came to it."""

    def change(sight: JSON) -> None:
        test_share.replicas(sight)
        space = namespace("cni-ee05", test_share.OTHER_IP, socket)
        node(sight)["namespaces"].append({**space, "processes": process})
        for one in sight["requests"]:
            if one["address"] == test_share.OTHER_IP:
                one |= {"failure": failure, "seconds": {"connect": 0.001, "total": 4.0}}
                one.pop("status")
        failed(sight, "503", *faults.THROUGH_ENVOY)

    return change


def _one_of_two(sight: JSON) -> None:
    test_share.answers(test_share.replicas(sight), test_share.OTHER_IP, 500)
    for place in faults.THROUGH_ENVOY:
        request(sight, place)["status"] = 500


_ALONE = (
    _Fault("T76", _rights),
    _Fault("T77", _misconfigured),
    _Fault("RP05", _unwatched),
    _Fault("T69", _foreign(*faults.DIRECT)),
    _Fault("T69", _foreign()),
    _Fault("T68", _no_room),
    _Fault("T66", _hanging("934 T 5 64 python")),
    _Fault("T67", _hanging("934 S 64 64 python")),
    _Fault("T83", _one_of_two),
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
    """The codes that the checks find and those that are told; None where one fault leaves the other nothing."""
    sight = healthy()
    try:
        for one in broken:
            one.change(sight)
        for end in (one.ends for one in broken if one.ends):
            end(sight)
    except (LookupError, StopIteration, TypeError, ValueError):
        return None
    seen = view(sight)
    found_ = [finding for check in CHECKS for finding in check(seen)]
    return frozenset(one.code for one in found_), frozenset(one.code for one in unexplained(found_))


@pytest.mark.parametrize("fault", [*_FAULTS, *_ALONE], ids=str)
def test_a_fault_alone_is_told_alone(fault: _Fault) -> None:
    judged = _judged(fault)
    assert judged is not None
    assert judged[1] == {fault.code}


@pytest.mark.parametrize("first", _FAULTS, ids=str)
def test_of_two_faults_both_are_told_or_the_codes_declare_which_one_goes(first: _Fault) -> None:
    for second in _FAULTS:
        judged = _judged(first, second) if first is not second and first.beside(second) else None
        if judged is not None:
            found_, told = judged
            wrong = f"{first}, then {second}: {sorted(found_)} found, {sorted(told)} told"
            assert all(code in told or _explained(code, told) for code in (first.code, second.code)), wrong


def test_every_declared_precedence_has_a_case() -> None:
    met = set()
    for first in _FAULTS:
        for second in _FAULTS:
            judged = _judged(first) if first is second else _judged(first, second) if first.beside(second) else None
            found_, told = judged or (frozenset(), frozenset())
            met |= {(code, other) for code in found_ - told for other in YIELDS_TO[code] if other in told}
    for found_, told in filter(None, map(_judged, _ALONE)):
        met |= {(code, other) for code in found_ - told for other in YIELDS_TO[code] if other in told}
    assert {(code, other) for code, others in YIELDS_TO.items() for other in others} == met


def _explained(code: str, told: frozenset[str]) -> bool:
    return any(other in told or _explained(other, told) for other in YIELDS_TO[code])


def test_every_code_that_another_yields_to_exists() -> None:
    assert {code for codes in YIELDS_TO.values() for code in codes} <= set(YIELDS_TO)


def test_no_two_codes_explain_each_other_away() -> None:
    order = list(TopologicalSorter(YIELDS_TO).static_order())
    assert len(order) == len(YIELDS_TO)
