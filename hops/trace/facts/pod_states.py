"""Why a pod does not run, as its status, its events and its logs tell."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from hops.kubernetes import objects
from hops.kubernetes.values import JSON, at, mapping, number, sequence, text
from hops.trace.facts.path_facts import PathFacts

_COMING = ("ContainerCreating", "PodInitializing")
_LONGEST_PAUSE = timedelta(minutes=5)
"""The kubelet's longest wait before it starts a crashing container again (CrashLoopBackOff)."""
_IMAGE = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError")


@dataclass(frozen=True)
class Trouble:
    """Why a pod does not run.

    reason: the kubelet's or scheduler's own word. detail: what they say beside it, one line. container: which one.
    exit_code: of the last time it ended.
    """

    reason: str
    detail: str = ""
    container: str | None = None
    exit_code: int | None = None

    @property
    def image(self) -> bool:
        """Whether it is the image that can't be had."""
        return self.reason in _IMAGE

    def __str__(self) -> str:
        where = f" in container {self.container}" if self.container else ""
        code = f", exit code {self.exit_code}" if self.exit_code is not None else ""
        return f"{self.reason}{where}{code}"


def trouble(view: PathFacts, pod: Mapping[str, JSON]) -> Trouble | None:
    """What keeps a pod from running; None where it runs, ready or not."""
    body = dict(pod)
    status = at(body, "status")
    phase = text(at(status, "phase")) or ""
    if objects.deleting(body):
        return None if stranded(view, pod) else Trouble("Terminating")
    if phase in ("Failed", "Succeeded"):
        ended = next(filter(None, (_ended(entry, "state") for entry in _statuses(status))), None)
        reason = text(at(status, "reason"))
        if ended and not reason:
            return ended
        return Trouble(reason or ("Completed" if phase == "Succeeded" else phase), _line(at(status, "message")))
    scheduled = objects.condition(body, "PodScheduled") or {}
    if scheduled.get("status") == "False":
        return Trouble(text(scheduled.get("reason")) or "Pending", _line(scheduled.get("message")))
    taken = datetime.fromisoformat(view.sight.taken)
    given = [_of_container(entry, taken) for entry in _statuses(status)]
    found = [one for one in given if one]
    if stranded(view, pod):
        found = [one for one in found if one.reason not in _COMING]
    # A container that can't start says more than one that waits for it.
    return min(found, key=lambda one: one.reason in _COMING, default=None)


def _statuses(status: JSON) -> Iterator[Mapping[str, JSON]]:
    for key in ("initContainerStatuses", "containerStatuses"):
        yield from (entry for entry in sequence(at(status, key)) if isinstance(entry, dict))


def _of_container(entry: Mapping[str, JSON], taken: datetime) -> Trouble | None:
    name, state = text(entry.get("name")), mapping(entry.get("state"))
    last = _ended(entry, "lastState")
    if "waiting" in state:
        reason = text(at(dict(state), "waiting", "reason")) or "Waiting"
        if last and reason == "CrashLoopBackOff":
            reason = f"{reason} ({last.reason})"
        return Trouble(reason, _line(at(dict(state), "waiting", "message")), name, last.exit_code if last else None)
    if "terminated" in state:
        ended = _ended(entry, "state")
        done = ended is not None and ended.exit_code == 0 and entry.get("ready") is True
        return None if done else ended
    # Between two crashes a container runs for a moment.
    started = _time(at(dict(state), "running", "startedAt"))
    if entry.get("ready") is False and last and last.exit_code and started and taken - started < _LONGEST_PAUSE:
        return last
    return None


def _ended(entry: Mapping[str, JSON], key: str) -> Trouble | None:
    ended = at(dict(entry), key, "terminated")
    if not isinstance(ended, dict):
        return None
    reason = text(ended.get("reason")) or "Terminated"
    return Trouble(reason, _line(ended.get("message")), text(entry.get("name")), number(ended.get("exitCode")))


def _time(value: JSON) -> datetime | None:
    try:
        return datetime.fromisoformat(text(value) or "")
    except ValueError:
        return None


def _line(value: JSON) -> str:
    return " ".join((text(value) or "").split())[:300]


def stranded(view: PathFacts, pod: Mapping[str, JSON]) -> bool:
    """Whether a pod's node is stopped or not ready, so that its status says nothing of the pod itself."""
    name = objects.node_of(pod)
    if name is None:
        return False
    return objects.ready(view.get("Node", None, name)) is False or (
        name in view.node_containers and view.running(name) is False
    )


def events(view: PathFacts, pod: Mapping[str, JSON], *reasons: str) -> tuple[str, ...]:
    """What Kubernetes warned of a pod, of these reasons or of any."""
    name, namespace = objects.name(pod), objects.namespace(pod)
    return tuple(
        f"event {at(event, 'reason')}: {_line(at(event, 'message') or at(event, 'note'))}"
        for event in view.of("Event", namespace)
        if at(mapping(event.get("involvedObject") or event.get("regarding")), "name") == name
        and (not reasons or at(event, "reason") in reasons)
    )


def last_line(view: PathFacts, pod: Mapping[str, JSON], container: str | None = None) -> tuple[str, ...]:
    """The last line that a pod's container wrote before it died, or since."""
    body = dict(pod)
    start = f"{objects.full_name(body)}/{container or ''}"
    given = view.sight.cluster.logs if view.sight.cluster else {}
    found = [
        (not key.endswith(" previous"), key, log)
        for key, log in given.items()
        if (key.removesuffix(" previous") == start if container else key.startswith(start))
    ]
    for _, key, log in sorted(found):
        if lines := log.strip().splitlines():
            return (f"log of {key}: {lines[-1][:300]}",)
    return ()


def holds(view: PathFacts, pod: Mapping[str, JSON], *words: str) -> bool:
    """Whether a pod's logs hold one of the words."""
    start = f"{objects.full_name(pod)}/"
    given = view.sight.cluster.logs if view.sight.cluster else {}
    return any(word in log for key, log in given.items() if key.startswith(start) for word in words)
