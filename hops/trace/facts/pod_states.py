"""Why a pod does not run, from its status, its events and its logs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from hops.kubernetes import objects
from hops.kubernetes.resources.pod_status import (
    ContainerStatus,
    StateReason,
    container_statuses,
    init_container_statuses,
    moment,
    pod_reason,
    unscheduled,
)
from hops.kubernetes.values import JSON
from hops.trace.facts.path_facts import PathFacts

_STARTING = ("ContainerCreating", "PodInitializing")
_LONGEST_PAUSE = timedelta(minutes=5)
"""The kubelet's longest wait before it starts a crashing container again (CrashLoopBackOff)."""
_START = timedelta(seconds=10)
"""How much later than the last time a container may crash that crashes again and again."""
_IMAGE = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError")


@dataclass(frozen=True)
class Trouble:
    """Why a pod does not run.

    reason: the kubelet's or the scheduler's word.
    detail: their message, as one line; "" if there is none.
    container: name of the container; None if the reason is about the whole pod.
    exit_code: exit code of the container's last run; None if it has not ended.
    """

    reason: str
    detail: str = ""
    container: str | None = None
    exit_code: int | None = None

    @property
    def image(self) -> bool:
        """Whether the image cannot be pulled."""
        return self.reason in _IMAGE

    def __str__(self) -> str:
        where = f" in container {self.container}" if self.container else ""
        code = f", exit code {self.exit_code}" if self.exit_code is not None else ""
        return f"{self.reason}{where}{code}"


def trouble(view: PathFacts, pod: Mapping[str, JSON]) -> Trouble | None:
    """Why a pod does not run; None if it runs, ready or not."""
    if objects.deleting(pod):
        return None if stranded(view, pod) else Trouble("Terminating")
    phase = objects.phase(pod) or ""
    statuses = (*init_container_statuses(pod), *container_statuses(pod))
    if phase in ("Failed", "Succeeded"):
        ended = next((_ended(status, status.terminated) for status in statuses if status.terminated), None)
        whole = pod_reason(pod)
        if ended and not whole.reason:
            return ended
        return Trouble(whole.reason or ("Completed" if phase == "Succeeded" else phase), _line(whole.message))
    if reason := unscheduled(pod):
        return Trouble(reason.reason or "Pending", _line(reason.message))
    taken = datetime.fromisoformat(view.observation.taken)
    troubles = [trouble for status in statuses if (trouble := _of_container(status, taken))]
    if stranded(view, pod):
        troubles = [trouble for trouble in troubles if trouble.reason not in _STARTING]
    # A container that cannot start explains more than one that waits for it.
    return min(troubles, key=lambda trouble: trouble.reason in _STARTING, default=None)


def _of_container(status: ContainerStatus, taken: datetime) -> Trouble | None:
    last = _ended(status, status.last_terminated) if status.last_terminated else None
    if status.waiting:
        reason = status.waiting.reason or "Waiting"
        if last and reason == "CrashLoopBackOff":
            reason = f"{reason} ({last.reason})"
        return Trouble(reason, _line(status.waiting.message), status.name, last.exit_code if last else None)
    if status.terminated:
        done = status.terminated.exit_code == 0 and status.ready is True
        return None if done else _ended(status, status.terminated)
    # Between two crashes a container runs for a moment. One that has run for longer than the last time is another case.
    started, before = moment(status.started), status.last_terminated
    pause = min(_LONGEST_PAUSE, before.lasted + _START) if before and before.lasted else _LONGEST_PAUSE
    if status.ready is False and last and last.exit_code and started and taken - started < pause:
        return last
    return None


def _ended(status: ContainerStatus, end: StateReason) -> Trouble:
    return Trouble(end.reason or "Terminated", _line(end.message), status.name, end.exit_code)


def _line(message: str) -> str:
    return " ".join(message.split())[:300]


def stranded(view: PathFacts, pod: Mapping[str, JSON]) -> bool:
    """Whether a pod's node is stopped or not ready; the pod's status is then outdated."""
    name = objects.node_of(pod)
    if name is None:
        return False
    return objects.ready(view.get("Node", None, name)) is False or (
        name in view.node_containers and view.running(name) is False
    )


def events(view: PathFacts, pod: Mapping[str, JSON], *reasons: str) -> tuple[str, ...]:
    """The warning events of a pod, one line each.

    reasons: the reasons to include. Default: all.
    """
    return tuple(
        f"event {event.reason}: {_line(event.message)}"
        for event in view.events(pod)
        if not reasons or event.reason in reasons
    )


def last_line(view: PathFacts, pod: Mapping[str, JSON], container: str | None = None) -> tuple[str, ...]:
    """The last line of a pod's logs, with its source; that of a container that ended comes first.

    container: the container to read. Default: any.
    """
    start = f"{objects.full_name(pod)}/{container or ''}"
    logs = view.observation.cluster.logs if view.observation.cluster else {}
    own = [
        (not key.endswith(" previous"), key, log)
        for key, log in logs.items()
        if (key.removesuffix(" previous") == start if container else key.startswith(start))
    ]
    for _, key, log in sorted(own):
        if lines := log.strip().splitlines():
            return (f"log of {key}: {lines[-1][:300]}",)
    return ()


def holds(view: PathFacts, pod: Mapping[str, JSON], *words: str) -> bool:
    """Whether a pod's logs contain one of the words."""
    start = f"{objects.full_name(pod)}/"
    logs = view.observation.cluster.logs if view.observation.cluster else {}
    return any(word in log for key, log in logs.items() if key.startswith(start) for word in words)
