"""What can break: hop 7, the pod and its process."""

from collections.abc import Callable, Iterator, Mapping

from hops.kubernetes import objects
from hops.kubernetes.resources.pods import as_pod
from hops.kubernetes.values import JSON, at
from hops.model.finding import Finding, Identity
from hops.model.hop import HopName, SocketAddress
from hops.model.pod_network import POD_NETWORK
from hops.trace.code import Code
from hops.trace.facts.declared_routes import claims, shares
from hops.trace.facts.envoy_drift import astray, suffers
from hops.trace.facts.evidence import request_line
from hops.trace.facts.path_facts import PathFacts, identity
from hops.trace.facts.pod_states import Trouble, events, last_line, stranded, trouble
from hops.trace.facts.remedies import kubectl, make, mend, service_settings, setting
from hops.trace.observed.observation import SentRequest, Where
from hops.trace.readers import kernel

not_ready = Code(
    code="T32",
    hop=HopName.POD,
    title="The pod runs and is not ready",
    symptom="503 from Envoy (`no healthy upstream`), while the pod answers direct requests.",
    cause="The readiness probe fails: it requests a port or path that the process does not serve, or it is too "
    "strict. Envoy receives no endpoint that is not ready.",
    confirmed_by="The pod's containers run, its condition Ready is false, its endpoint is not ready, and the process "
    "answers. A pod that crashes or is starting is T42, one that does not listen T40 or T41.",
    remedy="Correct the readiness probe; `kubectl describe pod` shows why it fails.",
    references=("https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/",),
    yields_to=("T40", "T41", "T42", "T69", "T90"),
)

loopback_only = Code(
    code="T40",
    hop=HopName.POD,
    title="The process listens on loopback only",
    symptom="503 from Envoy at once (`connection refused`). Inside the pod, `localhost` answers.",
    cause="The server is bound to 127.0.0.1, so it accepts connections from its own pod only.",
    confirmed_by="In the pod's network namespace, a socket listens on the port at a loopback address and at no other "
    "address.",
    remedy="Bind the server to 0.0.0.0, such as `python -m http.server 8080 --bind 0.0.0.0`.",
    references=("https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/",),
    yields_to=("T42",),
)

one_family = Code(
    code="T90",
    hop=HopName.POD,
    title="The process listens on one IP family, and Envoy connects by the other too",
    symptom="503 from Envoy (`connection refused`): for every second request in a cluster of both families, for all in "
    "a cluster of IPv6.",
    cause="The server is bound to 0.0.0.0, which takes IPv4 only. Contour gives Envoy the pod's addresses of all "
    "families of the Service.",
    confirmed_by="In the pod's network namespace, a socket listens on the port, and none takes connections to one of "
    "the pod's addresses that the Service has. The finding is advisory if the followed request was answered.",
    remedy="Bind the server to `::`, which takes both families in most servers, or give the Service the family that it "
    "listens on.",
    references=("https://kubernetes.io/docs/concepts/services-networking/dual-stack/",),
    yields_to=("T42",),
)

other_port = Code(
    code="T41",
    hop=HopName.POD,
    title="The process listens on another port",
    symptom="503 from Envoy at once (`connection refused`).",
    cause="The server listens on another port than the one that Service and container name, or does not listen at "
    "all. `containerPort` opens no port, it only documents one.",
    confirmed_by="Sockets listen in the pod's network namespace, but none on the port to which Envoy connects; or the "
    "pod refuses the connection.",
    remedy="Change the server's port to the container's port, or correct port and targetPort.",
    references=("https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/",),
    yields_to=("T42", "T69"),
)

not_running = Code(
    code="T42",
    hop=HopName.POD,
    title="The pod does not run",
    symptom="503 from Envoy (`no healthy upstream`).",
    cause="The container crashes or exceeds its memory limit, its image cannot be pulled, its configuration is "
    "missing, no node can run the pod, it was evicted, or the pod does not exist.",
    confirmed_by="The pod's phase, its containers' states with reason and exit code, its events and the last line of "
    f"its log. A pod that waits for a network while {POD_NETWORK.title} is away is T37.",
    remedy="`kubectl describe pod` and `kubectl logs --previous` show the reason.",
    references=("https://kubernetes.io/docs/tasks/debug/debug-application/debug-pods/",),
    yields_to=("T37", "T49", "T65", "T68"),
)

refused_by_app = Code(
    code="T43",
    hop=HopName.POD,
    title="The app itself answers 404",
    symptom="404, or another status from 400 to 499, with the header `x-envoy-upstream-service-time`.",
    cause="The request reached the process, and the process has nothing at this path: it serves another directory, "
    "or the path is wrong.",
    confirmed_by="The answer has the header `x-envoy-upstream-service-time`, which Envoy's own 404 lacks, or it came "
    "from the pod without Envoy. An answer without Envoy shows nothing if the route rewrites the path.",
    remedy="Request a path that the app serves, or correct what the app serves.",
    references=("https://projectcontour.io/docs/1.33/troubleshooting/",),
)

other_architecture = Code(
    code="T69",
    hop=HopName.POD,
    title="The image is for another architecture than the node",
    symptom="503 from Envoy (`no healthy upstream`). The container exits at once, again and again.",
    cause="The image was built for another processor, such as arm64 on a node with amd64, or its program is not "
    "executable: for example a script without its first line, `#!`.",
    confirmed_by="The container's log or state says `exec format error`, which is the kernel's ENOEXEC.",
    remedy="Build or pull the image for the node's architecture.",
    references=("https://docs.docker.com/build/building/multi-platform/",),
)

failed_by_app = Code(
    code="T44",
    hop=HopName.POD,
    title="The app fails, is slow, or gives an unexpected answer",
    symptom="A status of 500 or more with an upstream time, no answer in time, or a body without the expected text.",
    cause="The process receives the request and fails.",
    confirmed_by="The answer has Envoy's upstream time, or the pod accepted the connection and sent no byte. The body "
    "is compared with `--expect`.",
    remedy="Read the log of the pod with `kubectl logs`.",
    references=("https://kubernetes.io/docs/tasks/debug/debug-application/debug-pods/",),
    yields_to=("T66", "T67", "T83"),
)


# It does not run


def _not_running(view: PathFacts) -> Iterator[Finding]:
    backend = view.backend
    if not suffers(view) or backend is None or not view.sees("Pod"):
        return
    for pod in view.pods:
        problem = trouble(view, pod)
        if problem:
            yield _stopped(view, pod, problem)
    for name in missing(view):
        who = Identity("v1", "Pod", backend.namespace, name)
        message = "The pod does not exist."
        if backend.deployment:
            who, message = Identity("apps/v1", "Deployment", backend.namespace, name), "The Deployment has no pod."
        look = kubectl(view, "get", "pods", namespace=backend.namespace)
        # A Service whose pods are all missing selects none, whatever its selector is.
        unselected = [Identity("v1", "Service", backend.namespace, backend.service)] if not view.pods else []
        yield not_running.finding(who, message, _created(view, who), look=look, about=unselected)


def _stopped(view: PathFacts, pod: Mapping[str, JSON], problem: Trouble) -> Finding:
    who = identity(pod)
    words: tuple[str, ...] = ("describe", "pod", who.name)
    if problem.exit_code is not None:
        words = ("logs", who.name, "--container", str(problem.container), "--previous")
    look = kubectl(view, *words, namespace=who.namespace)
    remedy, wrong = _changed(view, pod, "image" if problem.image else "command")
    if problem.reason == "Evicted":
        remedy, wrong = kubectl(view, "delete", "pod", who.name, namespace=who.namespace), ""
    evidence = [
        f"{who}: {problem}" + (f": {problem.detail}" if problem.detail else ""),
        *events(view, pod)[-2:],
        *last_line(view, pod, problem.container),
    ]
    if any("exec format error" in line for line in evidence):
        node = view.get("Node", None, str(objects.node_of(pod)))
        kind = objects.architecture(node) or "another architecture"
        image = next((each.image for each in as_pod(pod).containers if each.name == problem.container), None)
        remedy, wrong = _changed(view, pod, "image")
        evidence.append(f"{objects.node_of(pod)} has the architecture {kind}")
        message = f"The program of the container {problem.container} ({image}) does not run on {kind}."
        return other_architecture.finding(who, message, remedy, evidence, setting=wrong, look=look)
    return not_running.finding(who, f"The pod does not run: {problem}.", remedy, evidence, setting=wrong, look=look)


def missing(view: PathFacts) -> tuple[str, ...]:
    """The planned pods that are not there; of a Deployment without pods its own name."""
    if not view.planned or view.backend is None:
        return ()
    if view.backend.deployment:
        return () if view.pods else (view.backend.service,)
    there = {objects.name(pod) for pod in view.pods}
    return tuple(name for name in view.backend.pods if name not in there)


def _created(view: PathFacts, who: Identity) -> str:
    """The command that makes a planned pod; empty where its service is not known."""
    service = service_settings(view)
    if service is None or view.backend is None:
        return ""
    if view.backend.deployment:
        return make(view)
    labels = ",".join(f"{key}={value}" for key, value in view.backend.selector.items())
    options = ("--image", service.image, "--port", service.ports[0].target, "--labels", labels)
    words = ("run", who.name, *options, "--command", "--", *service.command)
    return mend(view, who, kubectl(view, *words, namespace=who.namespace))


# It runs and can't be reached


def _deaf(view: PathFacts) -> Iterator[Finding]:
    if not suffers(view) or view.backend is None or not view.sees("Pod"):
        return
    port = view.backend.target_port
    for pod in view.pods:
        space = view.namespace(pod)
        listening = kernel.sockets(space.sockets) if space and space.sockets else ()
        on_port = [socket for socket in listening if socket.port == port]
        if any(not socket.loopback for socket in on_port):
            continue
        if on_port:
            yield _bound(view, pod, port, listening)
        elif listening or _refused(view, pod):
            yield _elsewhere(view, pod, port, listening)


def _refused(view: PathFacts, pod: Mapping[str, JSON]) -> SentRequest | None:
    """The request by which the pod refused the connection, sent from its own node."""
    address = objects.address(pod)
    sent = (request for request in view.observation.requests if request.where == "pod" and request.address == address)
    return next((request for request in sent if request.failure == "refused"), None)


def _bound(view: PathFacts, pod: Mapping[str, JSON], port: int, listening: tuple[kernel.Socket, ...]) -> Finding:
    message = f"The process listens on port {port} of loopback only."
    remedy, wrong = _changed(view, pod, "command")
    return loopback_only.finding(identity(pod), message, remedy, _ears(view, pod, listening), setting=wrong)


def _elsewhere(view: PathFacts, pod: Mapping[str, JSON], port: int, listening: tuple[kernel.Socket, ...]) -> Finding:
    ports = sorted({socket.port for socket in listening})
    where = f"listens on {', '.join(map(str, ports))} and not on {port}" if ports else f"does not listen on {port}"
    remedy, wrong = _changed(view, pod, "command")
    evidence = _ears(view, pod, listening)
    return other_port.finding(identity(pod), f"The process {where}.", remedy, evidence, setting=wrong)


def _half_deaf(view: PathFacts) -> Iterator[Finding]:
    if view.backend is None or not view.sees("Pod"):
        return
    port = view.backend.target_port
    dialled = {one.address for one in view.endpoints(view.backend.namespace, view.backend.service)}
    for pod in view.pods:
        space = view.namespace(pod)
        listening = kernel.sockets(space.sockets) if space and space.sockets else ()
        on_port = [socket for socket in listening if socket.port == port and not socket.loopback]
        own = [address for address in objects.addresses(pod) if address in dialled]
        deaf = [address for address in own if on_port and not any(socket.takes(address) for socket in on_port)]
        # The kubelet probes the first address. If that one is taken, the pod is not ready for another reason.
        if not deaf or (objects.ready(pod) is False and objects.address(pod) not in deaf):
            continue
        where = " and ".join(map(str, on_port))
        also = "" if len(deaf) == len(own) else " as well"
        message = f"The process listens on {where}, and Envoy connects to {SocketAddress(deaf[0], port)}{also}."
        remedy, wrong = _changed(view, pod, "command")
        evidence = _ears(view, pod, listening)
        evidence += [f"the Service has the addresses {' and '.join(own)} of the pod"]
        stops = view.well is False
        yield one_family.finding(identity(pod), message, remedy, evidence, setting=wrong, stops=stops)


def _ears(view: PathFacts, pod: Mapping[str, JSON], listening: tuple[kernel.Socket, ...]) -> list[str]:
    refused = _refused(view, pod)
    shown = [f"listens in its namespace: {', '.join(map(str, listening))}"] if listening else []
    return [*shown, *_commands(pod), *([request_line(refused)] if refused else [])]


def _commands(pod: Mapping[str, JSON]) -> list[str]:
    containers = as_pod(pod).lasting
    return [f"container {each.name} runs {' '.join(each.command)}" for each in containers if each.command]


def _changed(view: PathFacts, pod: Mapping[str, JSON], key: str) -> tuple[str, str]:
    """The command that changes what a pod runs, and the stack's setting to correct first.

    The stack or the pod's owner makes the pod again. key: of the service's settings, `command` or `image`. The setting
    is empty where the pod differs from it: the stack then puts the pod right as it is. An update applies a corrected
    setting in any cluster, and repairs a changed pod in clusters of the stack's own making only.
    """
    service = service_settings(view)
    runs = [(each.image, each.command) for each in as_pod(pod).lasting]
    if service and view.makes_service and runs == [(service.image, (*service.command, *service.args))]:
        return make(view), setting(view, key)
    kind, name = objects.workload(pod) or ("Pod", objects.name(pod))
    who = identity(pod)
    made_by = Identity("apps/v1", kind, who.namespace, name) if kind == "Deployment" else who
    return mend(view, made_by, kubectl(view, "edit", kind.lower(), name, namespace=who.namespace)), ""


# It runs and isn't ready


def _not_ready(view: PathFacts) -> Iterator[Finding]:
    if not suffers(view) or not view.sees("Pod"):
        return
    for pod in view.pods:
        # The status of a pod on a stopped node says nothing about the pod.
        if objects.ready(pod) is not False or stranded(view, pod):
            continue
        asked = (
            sent for sent in view.observation.requests if sent.where == "pod" and sent.address == objects.address(pod)
        )
        direct = next(asked, None)
        if direct and direct.status is None:
            # Its own node can't reach it either. Nothing then shows that the probe is wrong.
            continue
        probes = (container.body.get("readinessProbe") for container in as_pod(pod).lasting)
        probe = next(filter(None, probes), None)
        evidence = [f"{identity(pod)} runs and is not ready", f"readiness probe: {_probe(probe)}"]
        evidence += events(view, pod, "Unhealthy")[-1:]
        evidence += [request_line(direct)] if direct else []
        message = "The pod runs, and its readiness probe fails."
        remedy, wrong = _changed(view, pod, "command")
        look = kubectl(view, "describe", "pod", objects.name(pod), namespace=identity(pod).namespace)
        yield not_ready.finding(identity(pod), message, remedy, evidence, setting=wrong, look=look)


def _probe(probe: JSON) -> str:
    kinds = ("httpGet", "tcpSocket", "exec", "grpc")
    kind = next((kind for kind in kinds if at(probe, kind)), None)
    if kind is None:
        return "none"
    return f"{kind} {at(probe, kind, 'path') or ''}:{at(probe, kind, 'port') or at(probe, kind, 'command')}"


# It answers


def _answers(view: PathFacts) -> Iterator[Finding]:
    answer = _own(view)
    if answer is None or view.backend is None:
        return
    pod, direct = _answering(view, answer)
    who = identity(pod) if pod else Identity("v1", "Service", view.backend.namespace, view.backend.service)
    target = who.name if pod else f"service/{who.name}"
    look = kubectl(view, "logs", target, "--tail", "20", namespace=view.backend.namespace)
    some = pod or next(iter(view.pods), None)
    remedy, wrong = _changed(view, some, "command") if some else ("", "")
    evidence = [
        request_line(answer),
        *_marks(answer),
        *([request_line(direct)] if direct and direct is not answer else []),
    ]
    if answer.status is None:
        message = f"The process accepted the connection and sent nothing in {answer.seconds.get('total', 0):.0f} s."
        yield failed_by_app.finding(who, message, remedy, evidence, setting=wrong, look=look)
    elif answer.status >= 500:
        message = f"The app answers {answer.status} itself."
        yield failed_by_app.finding(who, message, remedy, evidence, setting=wrong, look=look)
    elif answer.status >= 400:
        message = f"The app answers {answer.status} for {view.asked.path} itself."
        yield refused_by_app.finding(who, message, remedy, evidence, setting=wrong, look=look)
    elif answer.expected is False:
        evidence.append(f"the body has {answer.size} bytes, sha256 {answer.sha256[:16]}")
        message = f"The answer does not contain {view.asked.expect!r}."
        yield failed_by_app.finding(who, message, remedy, evidence, setting=wrong, look=look)


def _answering(view: PathFacts, answer: SentRequest) -> tuple[Mapping[str, JSON] | None, SentRequest | None]:
    """The pod that gave an answer and what it answers directly; None where several may have given it.

    Envoy does not say which pod it asked. Where one of several answers the same directly, it is that one.
    """
    behind = {share.address for share in shares(view)}
    others = (pod for pod in view.of("Pod") if objects.address(pod) in behind and pod not in view.pods)
    pods = [*view.pods, *others]
    for pod in pods:
        if answer.address == objects.address(pod):
            return pod, answer
    for pod in pods:
        for sent in view.observation.requests:
            direct = sent.where in ("pod from envoy", "pod") and sent.address == objects.address(pod)
            if direct and sent.status == answer.status and sent.expected == answer.expected:
                return pod, sent
    return (pods[0], None) if len(pods) == 1 else (None, None)


def _own(view: PathFacts) -> SentRequest | None:
    """What the process itself made of the request, where that isn't as it should be."""
    if not suffers(view):
        return None
    client = view.request("client")
    if client and client.by_envoy and client.by_pod and not astray(view):
        return client
    claimed = claims(view).hit
    places: tuple[Where, ...] = ("pod from envoy", "pod")
    for place in places:
        direct = view.request(place)
        if direct and direct.status is not None:
            if direct.status < 500 and claimed and claimed[0].rewrite is not None:
                # The pod was asked for the path before the rewrite.
                return None
            return direct if direct.status >= 400 or direct.expected is False else None
        if direct and direct.failure == "timeout" and "connect" in direct.seconds and not _begun(direct):
            return direct
    return None


def _begun(request: SentRequest) -> bool:
    return "first byte" in request.seconds


def _marks(answer: SentRequest) -> tuple[str, ...]:
    keys = ("server", "x-envoy-upstream-service-time")
    return tuple(f"{key}: {answer.headers[key]}" for key in keys if key in answer.headers)


CHECKS: tuple[Callable[[PathFacts], Iterator[Finding]], ...] = (_not_running, _deaf, _half_deaf, _not_ready, _answers)
