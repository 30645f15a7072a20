"""What can break: hop 5 beside the path, and the endpoints that a Service gives hop 6."""

from collections.abc import Callable, Iterator

from hops.kubernetes import objects
from hops.kubernetes.resources.pods import as_pod
from hops.kubernetes.resources.services import ServicePort, as_service
from hops.model.finding import Finding, Identity, Level, Place
from hops.model.hop import HopName
from hops.model.kind_names import KUBECTL, is_control_plane
from hops.rules.catalogue import RULES
from hops.trace.code import Code
from hops.trace.facts.envoy_drift import astray, suffers
from hops.trace.facts.live_rules import as_trace_finding, judged, patched
from hops.trace.facts.path_facts import THROUGH_ENVOY, PathFacts, identity
from hops.trace.facts.pod_states import events, last_line, stranded
from hops.trace.facts.remedies import command, kubectl
from hops.trace.observed.observation import SentRequest
from hops.trace.readers import kernel

kube_proxy_gone = Code(
    code="T45",
    hop=HopName.SERVICE,
    title="kube-proxy does not serve the ClusterIP",
    symptom="The request is answered. A client in the cluster that uses the Service's ClusterIP or DNS name gets a "
    "timeout or a refusal. So does Envoy once its connection to Contour is lost.",
    cause="kube-proxy does not run on the node, or its rules were flushed.",
    confirmed_by="The trace reads kube-proxy's DaemonSet and pods and its nat chain for the ClusterIP, and compares a "
    "request to the ClusterIP with one through Envoy. Envoy connects to the pods themselves, so this fault never "
    "stops a request through Envoy.",
    remedy="`kubectl --namespace kube-system rollout restart daemonset/kube-proxy`; where it is gone, in the control "
    "plane's node: `kubeadm init phase addon kube-proxy`.",
    level=Level.ADVISORY,
    references=("https://kubernetes.io/docs/reference/networking/virtual-ips/",),
    yields_to=("T49",),
)


def _selects(view: PathFacts) -> Iterator[Finding]:
    """SV01, reported at the endpoint: Envoy has nobody to dial."""
    service, backend = view.service, view.backend
    if not _suffers(view) or service is None or backend is None or not view.sees("Pod"):
        return
    for finding in judged(view, "SV01"):
        if finding.resource == identity(service):
            remedy = _reselected(view, finding)
            look = "" if remedy else kubectl(view, "get", "pods", "--show-labels", namespace=finding.resource.namespace)
            yield as_trace_finding(
                finding, HopName.ENDPOINT, remedy, [*_endpoints(view), *_envoys_answer(view)], look=look
            )


def _reselected(view: PathFacts, finding: Finding) -> str:
    who = finding.resource
    if view.makes_service and view.backend:
        change = {"op": "replace", "path": "/spec/selector", "value": dict(view.backend.selector)}
        return patched(view, who, change)
    if finding.patch:
        return patched(view, who, *finding.patch.operations)
    return ""


def _target_port(view: PathFacts) -> Iterator[Finding]:
    """SV02, reported at the endpoint: Envoy dials a port that no pod offers, or nobody."""
    service, backend = view.service, view.backend
    if not _suffers(view) or service is None or backend is None or not view.sees("Pod"):
        return
    port = _port(view)
    if port is None:
        return
    path = f"{port.pointer}/targetPort"
    target = port.target_port or backend.port
    planned = backend.target_port if view.makes_service else None
    if target == planned and not isinstance(target, str):
        # The Service has the planned port, so nothing shows that the Service is wrong.
        return
    for finding in judged(view, "SV02"):
        if finding.resource == identity(service) and finding.path == path:
            yield _retargeted(view, finding, path)
            return
    if planned and not isinstance(target, str) and _listening(view, planned) and not _listening(view, target):
        rule = RULES["SV02"]
        found = Finding(
            code=rule.code,
            level=rule.level,
            severity=rule.severity,
            hop=rule.hop,
            resource=identity(service),
            place=Place(),
            path=path,
            message=f"no pod listens on {target}.",
            remedy=rule.remedy,
        )
        yield _retargeted(view, found, path)


def _retargeted(view: PathFacts, finding: Finding, path: str) -> Finding:
    who = finding.resource
    offered = {port.container_port for pod in view.pods for port in as_pod(pod).ports}
    target = view.backend.target_port if view.makes_service and view.backend else next(iter(offered), None)
    remedy = kubectl(view, "edit", "service", who.name, namespace=who.namespace)
    if target:
        change = {"op": "add", "path": path, "value": target}
        remedy = patched(view, who, change)
    return as_trace_finding(finding, HopName.ENDPOINT, remedy, [*_endpoints(view), *_envoys_answer(view)])


def _port(view: PathFacts) -> ServicePort | None:
    """The Service's port that the route names."""
    ports = as_service(view.service).ports if view.service else ()
    return next((port for port in ports if view.backend and port.port == view.backend.port), None)


def _listening(view: PathFacts, port: int) -> bool:
    spaces = (view.namespace(pod) for pod in view.pods)
    return any(socket.port == port for space in spaces if space for socket in kernel.sockets(space.sockets))


def _suffers(view: PathFacts) -> bool:
    return suffers(view) and view.sees("Service")


def _endpoints(view: PathFacts) -> tuple[str, ...]:
    backend = view.backend
    if backend is None or not view.sees("EndpointSlice"):
        return ()
    shown = map(str, view.endpoints(backend.namespace, backend.service))
    return (f"endpoints of {backend.namespace}/{backend.service}: {', '.join(shown) or 'none'}",)


def _envoys_answer(view: PathFacts) -> tuple[str, ...]:
    answer = view.request("client")
    if answer is None or answer.status is None or answer.by_pod:
        return ()
    return (f"Envoy answers {answer.status}: {' '.join(answer.body.split())[:120] or 'no text'}",)


def _kube_proxy(view: PathFacts) -> Iterator[Finding]:
    if not view.sees("DaemonSet") or not view.sees("Pod"):
        return
    workload = view.get("DaemonSet", "kube-system", "kube-proxy")
    pods = list(view.labelled("Pod", "kube-system", **{"k8s-app": "kube-proxy"}))
    answer = view.request("service")
    unserved = answer is not None and answer.status is None and _envoy_is_served(view)
    lacking = _lacks_rules(view) or (workload is None and _never_served(view))
    idle = [pod for pod in pods if objects.ready(pod) is False and not stranded(view, pod)]
    evidence = [
        *(("the node's nat table has no chain for the ClusterIP",) if lacking else ()),
        *((f"request to {answer.address}:{answer.port} (service): {_ended(answer)}",) if answer else ()),
        *(line for pod in idle for line in (*events(view, pod)[-1:], *last_line(view, pod))),
    ]
    who = Identity("apps/v1", "DaemonSet", "kube-system", "kube-proxy")
    restart = kubectl(view, "rollout", "restart", "daemonset/kube-proxy", namespace="kube-system")
    if workload is None and not pods and (unserved or lacking):
        control = next((name for name in view.node_containers if is_control_plane(name)), None)
        words = ("kubeadm", "init", "phase", "addon", "kube-proxy", *KUBECTL[1:])
        remedy = command(*(("docker", "exec", control) if control else ()), *words)
        yield kube_proxy_gone.finding(who, "There is no kube-proxy in the cluster.", remedy, evidence)
    elif workload is not None and (idle or not pods):
        names = ", ".join(objects.name(pod) for pod in idle) or "none has been made"
        message = f"Pods of kube-proxy are not ready: {names}."
        yield kube_proxy_gone.finding(who, message, restart, evidence, about=map(identity, pods))
    elif workload is not None and (unserved or lacking):
        message = "kube-proxy runs, and the ClusterIP is not served."
        yield kube_proxy_gone.finding(who, message, restart, evidence, about=map(identity, pods))


def _lacks_rules(view: PathFacts) -> bool:
    """Whether the asked node has no rules for the ClusterIP, though there are endpoints and iptables is used."""
    node, address = view.node(view.neighbour), objects.cluster_ip(view.service)
    if node is None or not node.nat_of(address) or not view.backend or address is None or not _has_endpoints(view):
        return False
    # Where kube-proxy works by ipvs or nftables it has no chain here, and a request shows whether it serves.
    return not _by_backend(view) and not kernel.service_rules(node.nat_of(address), address, view.backend.port)


def _never_served(view: PathFacts) -> bool:
    """Whether the asked node has no rules of kube-proxy at all in a cluster of the stack's own, where kind puts it."""
    node = view.node(view.neighbour)
    kind = view.planned is not None and view.planned.control_plane is not None
    nat = node.nat_of(objects.cluster_ip(view.service)) if node else ""
    return kind and bool(nat) and "-A KUBE-SERVICES " not in nat


def _by_backend(view: PathFacts) -> bool:
    """Whether the ClusterIP answers as the pods do: without a rule the request leaves the node for somebody else."""
    answer = view.request("service")
    if answer is None or answer.status is None:
        return False
    pods = [one for one in view.observation.requests if one.where in ("pod", "pod from envoy")]
    return not pods or any(
        (one.status, one.headers.get("server")) == (answer.status, answer.headers.get("server")) for one in pods
    )


def _ended(answer: SentRequest) -> str:
    return answer.failure or f"{answer.status} by {answer.headers.get('server', 'somebody')}"


def _has_endpoints(view: PathFacts) -> bool:
    backend = view.backend
    return backend is not None and any(one.reached for one in view.endpoints(backend.namespace, backend.service))


def _envoy_is_served(view: PathFacts) -> bool:
    """Whether the endpoints that the ClusterIP leads to answer Envoy."""
    if astray(view) or not _has_endpoints(view):
        # Without endpoints kube-proxy refuses, as it should.
        return False
    through = (view.request(place) for place in THROUGH_ENVOY)
    return any(request is not None and request.by_envoy and request.by_pod for request in through)


CHECKS: tuple[Callable[[PathFacts], Iterator[Finding]], ...] = (_kube_proxy, _selects, _target_port)
