"""The progress of a starting pod, and the reason why it does not serve."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hops.kubernetes import objects
from hops.kubernetes.resources.pod_status import container_statuses, unscheduled
from hops.kubernetes.values import JSON

SECONDS_RUNNING = 60
"""Seconds after which a route whose pods run counts as unanswered."""
SECONDS_FAILING = 20
"""Seconds for which a pod may fail before it is given up."""
SECONDS_AT_MOST = 330
"""The most seconds to wait: a startup probe has 300, and the kubelet then restarts the container."""
LOG_LINES = 10
MIGRATION = "ingress-hops/migration"
"""The label of the pods of a migration. Its value is the name of the service."""

_STARTING = ("ContainerCreating", "PodInitializing")
_IMAGE = ("ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError")
_NO_COMMAND = (127, 128)
"""Exit codes of a command that does not exist: a shell's, and the one that containerd reports."""


@dataclass(frozen=True)
class PodStart:
    """The state of a pod with one container.

    phase: phase of the pod; "missing" if there is no pod.
    ready: whether the pod is ready.
    reason: why the container waits or ended; "" if it runs.
    message: the kubelet's sentence about the reason.
    exit_code: exit code of the last process that ended; None if none has ended.
    restarts: how often the container was started again.
    unprobed: whether the container runs and its startup probe has not succeeded yet.
    """

    phase: str
    ready: bool = False
    reason: str = ""
    message: str = ""
    exit_code: int | None = None
    restarts: int = 0
    unprobed: bool = False

    @property
    def starting(self) -> bool:
        """Whether the pod has not come as far as its readiness probe, and nothing has failed."""
        return (self.phase == "Pending" or self.unprobed) and not self.failing

    @property
    def failing(self) -> bool:
        """Whether the pod will not serve unless something changes; a crashing process may run for a moment."""
        return not self.ready and (self.reason not in ("", *_STARTING) or self.restarts > 0)


def pod_start(pod: JSON) -> PodStart:
    """The state of a pod's first container.

    pod: the Pod object of the API; None if the pod does not exist.
    """
    if not isinstance(pod, Mapping):
        return PodStart("missing")
    container = next(iter(container_statuses(pod)), None)
    ended = container and (container.last_terminated or container.terminated)
    current = container and (container.waiting or container.terminated)
    if container is None or not (current or container.running):
        current = unscheduled(pod)
    return PodStart(
        phase=objects.phase(pod) or "Pending",
        ready=bool(objects.ready(pod)),
        reason=current.reason if current else "",
        message=(current.message if current else "") or (ended.message if ended else ""),
        exit_code=ended.exit_code if ended else None,
        restarts=container.restarts if container else 0,
        unprobed=bool(container and container.running and container.unprobed),
    )


@dataclass
class Patience:
    """How long to wait for the pods of one service. All times are seconds of one clock.

    began: when the wait began.
    """

    began: float
    _running: float | None = field(default=None, init=False)
    _failing: float | None = field(default=None, init=False)

    def spent(self, now: float, pods: Sequence[PodStart]) -> bool:
        """Whether to stop waiting.

        now: the current time.
        pods: the current states of the pods.
        """
        starting, failing = any(pod.starting for pod in pods), any(pod.failing for pod in pods)
        self._running = None if starting else now if self._running is None else self._running
        self._failing = None if not failing else now if self._failing is None else self._failing
        return (
            now - self.began >= SECONDS_AT_MOST
            or (self._failing is not None and now - self._failing >= SECONDS_FAILING)
            or (self._running is not None and now - self._running >= SECONDS_RUNNING)
        )


@dataclass(frozen=True)
class ServicePod:
    """A pod of a service, with the service's settings.

    key: key of the service in the stack's file, such as services[0].
    name: NAMESPACE/NAME of the pod.
    image, command: as set for the service.
    port: the first port of the service that the container listens on.
    port_key: the key under which the service has it. Default: port.
    start: state of the pod.
    log: last lines of its log.
    cluster: name of the kind cluster.
    probed: whether the service declares its own readiness probe.
    """

    key: str
    name: str
    image: str
    command: Sequence[str]
    port: int
    start: PodStart
    log: Sequence[str]
    cluster: str
    probed: bool = False
    port_key: str = "port"


def unanswered(key: str, service: str, url: str, pods: Sequence[ServicePod], foreign: str = "") -> str:
    """The message about a route that no pod answers: the reason, and what to change.

    key, service: key and name of the service.
    url: the address that was requested.
    pods: the pods of the service that do not serve; if there are none, the route itself is at fault.
    foreign: NAMESPACE/NAME of a Service that the stack does not make. Default: "", the stack makes it.
    """
    lines = [f"ingress-hops:{key} ({service}): no pod answered {url}"]
    lines += [line for pod in pods for line in _pod(pod)]
    if foreign:
        lines.append(
            f"Its kind is Service, so the stack does not make Service {foreign} and its pods: hops trace shows what is "
            "missing."
        )
    elif not pods:
        lines.append("All its pods are ready, so the request stops on its way to them: hops trace shows where.")
    return "\n".join(lines)


def not_ready(key: str, service: str, pods: Sequence[ServicePod]) -> str:
    """The message about pods that do not serve although their route is answered: the reasons, and what to change."""
    return "\n".join(
        [
            f"ingress-hops:{key} ({service}): not all pods are ready",
            *(x for pod in pods for x in _pod(pod)),
        ]
    )


def migration_failed(key: str, service: str, name: str, start: PodStart, log: Sequence[str]) -> str:
    """The message about a migration that failed: the reason, and what to change.

    key, service: key and name of the service.
    name: NAMESPACE/NAME of the migration's last pod.
    start: state of that pod.
    log: last lines of its log.
    """
    return "\n".join(
        [
            f"ingress-hops:{key} ({service}): its migration did not succeed, so its pods stay as they were",
            *_facts(name, start, log),
            f"  Correct {key}.migration.command, or what it needs; the next up runs it again",
        ]
    )


def _pod(pod: ServicePod) -> list[str]:
    return [*_facts(pod.name, pod.start, pod.log), f"  {_remedy(pod)}"]


def _facts(name: str, start: PodStart, log: Sequence[str]) -> list[str]:
    facts = [start.phase, start.reason] if start.reason else [start.phase, *([] if start.ready else ["not ready"])]
    if start.exit_code is not None:
        facts.append(f"exit code {start.exit_code}")
    if start.restarts:
        facts.append(f"{start.restarts} restarts")
    lines = [f"pod {name}: {', '.join(facts)}"]
    if start.message:
        lines.append(f"  {' '.join(start.message.split())[:300]}")
    return [*lines, *(f"  log: {_printable(line)[:300]}" for line in log[-LOG_LINES:])]


def _printable(line: str) -> str:
    return "".join(character if character.isprintable() else " " for character in line)


def _remedy(pod: ServicePod) -> str:
    start, command = pod.start, " ".join(pod.command) or "that of the image"
    if start.reason == "FailedCreate":
        remedy = "The API server refuses the pod: correct what its message names"
    elif start.phase == "missing":
        remedy = "The pod does not exist: the next up makes it again."
    elif start.reason in _IMAGE:
        remedy = (
            f"The image {pod.image} cannot be pulled: correct {pod.key}.image, or load it into the cluster: "
            f"kind load docker-image {pod.image} --name {pod.cluster}"
        )
    elif start.exit_code in _NO_COMMAND or "executable file not found" in start.message:
        remedy = f"The image {pod.image} has no such command: correct {pod.key}.command, which is: {command}"
    elif start.reason == "Unschedulable":
        remedy = f"No node takes the pod: give the machine room, or lower {pod.key}.replicas"
    elif start.unprobed:
        remedy = (
            f"The process runs, and its startup probe has not succeeded: correct {pod.key}.probes.startup, or the "
            "process, which has 5 minutes"
        )
    elif start.failing:
        remedy = f"The process does not stay up: correct {pod.key}.command, which is: {command}"
    elif start.starting:
        remedy = f"It is still being started, from the image {pod.image}: the next up waits for it again"
    elif pod.probed:
        remedy = f"The process runs, and its readiness probe fails: correct {pod.key}.probes.readiness, or the process"
    else:
        remedy = (
            f"The process runs and does not listen on port {pod.port}: let {pod.key}.command listen there, on 0.0.0.0, "
            f"or set {pod.key}.{pod.port_key} to its port"
        )
    return remedy
