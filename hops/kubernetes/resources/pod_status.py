"""The status of a running pod and of its containers, as the API gives it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from hops.kubernetes import objects
from hops.kubernetes.values import JSON, at, mapping, number, sequence, text


@dataclass(frozen=True)
class StateReason:
    """Why a pod or a container is in its state.

    reason: one word, such as `CrashLoopBackOff`; "" if there is none.
    message: the kubelet's or the scheduler's sentence; "" if there is none.
    exit_code: exit code of the container's process; None if it has not ended.
    lasted: how long the process ran; None if it has not ended, or its times are missing.
    """

    reason: str
    message: str
    exit_code: int | None
    lasted: timedelta | None = None


@dataclass(frozen=True)
class ContainerStatus:
    """The status of one container.

    name: name of the container; "" if missing.
    ready: whether its readiness probe succeeds; None if missing.
    restarts: how often it was started again.
    waiting, terminated: its current state; None if it is in another one.
    running: whether it runs.
    started: when it was started, in RFC 3339; None if it does not run.
    unprobed: whether its startup probe has not succeeded yet.
    last_terminated: how it ended before its last start; None if it did not.
    """

    name: str
    ready: bool | None
    restarts: int
    waiting: StateReason | None
    terminated: StateReason | None
    running: bool
    started: str | None
    unprobed: bool
    last_terminated: StateReason | None


def container_statuses(pod: Mapping[str, JSON] | None) -> tuple[ContainerStatus, ...]:
    """The statuses of a pod's containers, without init containers."""
    return _statuses(pod, "containerStatuses")


def init_container_statuses(pod: Mapping[str, JSON] | None) -> tuple[ContainerStatus, ...]:
    return _statuses(pod, "initContainerStatuses")


def pod_reason(pod: Mapping[str, JSON]) -> StateReason:
    """Why the whole pod is in its phase, such as `Evicted`."""
    return _state(at(dict(pod), "status")) or StateReason("", "", None)


def unscheduled(pod: Mapping[str, JSON]) -> StateReason | None:
    """Why the scheduler found no node for a pod; None if it found one."""
    scheduled = objects.condition(pod, "PodScheduled")
    if scheduled is None or scheduled.status != "False":
        return None
    return StateReason(scheduled.reason, scheduled.message, None)


def _statuses(pod: Mapping[str, JSON] | None, key: str) -> tuple[ContainerStatus, ...]:
    return tuple(map(_status, sequence(at(dict(pod or {}), "status", key))))


def _status(entry: JSON) -> ContainerStatus:
    state = mapping(at(entry, "state"))
    ready = at(entry, "ready")
    return ContainerStatus(
        name=text(at(entry, "name")) or "",
        ready=ready if isinstance(ready, bool) else None,
        restarts=number(at(entry, "restartCount")) or 0,
        waiting=_state(state.get("waiting")),
        terminated=_state(state.get("terminated")),
        running=isinstance(state.get("running"), dict),
        started=text(at(state.get("running"), "startedAt")),
        unprobed=at(entry, "started") is False,
        last_terminated=_state(at(entry, "lastState", "terminated")),
    )


def _state(value: JSON) -> StateReason | None:
    if not isinstance(value, Mapping):
        return None
    started, finished = moment(text(value.get("startedAt"))), moment(text(value.get("finishedAt")))
    return StateReason(
        text(value.get("reason")) or "",
        text(value.get("message")) or "",
        number(value.get("exitCode")),
        finished - started if started and finished else None,
    )


def moment(value: str | None) -> datetime | None:
    """A time as the API writes it; None for any other text."""
    try:
        return datetime.fromisoformat(value or "")
    except ValueError:
        return None
