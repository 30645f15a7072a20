"""The values that the API server refuses in workloads, their scaling, their schedules and their disruption budgets."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from hops.kubernetes.schemas.catalogue import time_zones
from hops.kubernetes.schemas.refusals import Refusal, nearest
from hops.kubernetes.validation.value_checks import Check, present, refused, refused_requirement
from hops.kubernetes.values import JSON, at, entries, mapping, number, sequence, text

_PERCENT = re.compile(r"([0-9]+)%")
_MACROS = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_CRON: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 6, _DAYS),
)
_BESIDE_ZONES = re.compile("^(?:posix|right)/")
"""Folders of the time zone database that hold every zone once more."""


def _schedule(body: Mapping[str, Any], _: str) -> Iterator[Refusal]:
    given = text(at(body, "spec", "schedule"))
    reason = _cron(given.partition(" ")[2].strip() if re.match(r"(CRON_)?TZ=", given) else given) if given else ""
    if reason:
        yield refused(
            "/spec/schedule",
            f"is {str(given)[:60]!r}: {reason}",
            "Write minute, hour, day of the month, month and day of the week, such as 0 4 * * 1.",
        )
    zone = text(at(body, "spec", "timeZone"))
    if zone is not None and _BESIDE_ZONES.sub("", zone) not in time_zones():
        near = nearest(zone, time_zones()) or "a zone such as Europe/Berlin"
        yield refused("/spec/timeZone", f"is {zone[:60]!r}, which is no time zone", f"Write {near}.")


def refused_zone_in_schedule(body: Mapping[str, Any], _: str) -> Iterator[Refusal]:
    given = text(at(body, "spec", "schedule")) or ""
    if "TZ" in given:
        yield refused(
            "/spec/schedule",
            f"is {given[:60]!r}, which has a time zone",
            "Write the time zone into spec.timeZone.",
        )


def _cron(schedule: str) -> str:
    """Why a schedule is not one; "" if it is. Source: github.com/robfig/cron/v3, parser.go."""
    if schedule.startswith("@"):
        known = schedule in _MACROS or re.fullmatch(r"@every ([0-9.]+(ns|us|µs|ms|s|m|h))+", schedule)
        return "" if known else "there is no such macro"
    fields = schedule.split()
    if len(fields) != len(_CRON):
        return f"it has {len(fields)} fields and must have {len(_CRON)}"
    wrong = (
        f"{name} {field} is not within {first} to {last}"
        for field, (name, first, last, names) in zip(fields, _CRON, strict=True)
        if not all(_cron_part(part, first, last, names) for part in field.split(",") if part)
    )
    return next(wrong, "")


def _cron_part(part: str, first: int, last: int, names: tuple[str, ...]) -> bool:
    span, slash, step = part.partition("/")
    if slash and not (step.isdecimal() and int(step) > 0):
        return False
    if span in ("*", "?"):
        return True
    found = [
        names.index(word.lower()) + first if word.lower() in names else int(word) if word.isdecimal() else -1
        for word in span.split("-")
    ]
    return len(found) <= 2 and all(first <= value <= last for value in found) and found == sorted(found)


def _whole_or_percent(value: JSON, path: str, most: int | None = 100) -> Iterator[Refusal]:
    """A number of pods or a part of them. most: the highest percentage; None for any."""
    if isinstance(value, str):
        found = _PERCENT.fullmatch(value)
        if not found:
            yield refused(path, f"is {value[:60]!r}, which is no percentage", "Write a whole number, or one with %.")
        elif most is not None and int(found[1]) > most:
            yield refused(path, f"is {value}, which is more than {most}%", f"Write at most {most}%.")
    elif (number(value) or 0) < 0:
        yield refused(path, f"is {value}, which is negative", "Write a number of 0 or more.")


def _disruption(body: Mapping[str, Any], _: str) -> Iterator[Refusal]:
    spec = mapping(body.get("spec"))
    both = present(spec, "minAvailable", "maxUnavailable")
    if len(both) == 2:
        yield refused("/spec/maxUnavailable", "is set beside minAvailable", "Remove one of the two.")
        return
    for key in both:
        yield from _whole_or_percent(spec[key], f"/spec/{key}")


def _strategy(body: Mapping[str, Any], _: str) -> Iterator[Refusal]:
    strategy = mapping(at(body, "spec", "strategy"))
    rolling = strategy.get("rollingUpdate")
    path = "/spec/strategy/rollingUpdate"
    if text(strategy.get("type")) == "Recreate":
        if rolling is not None:
            yield refused(path, "is set, and the strategy is Recreate", "Remove it, or set type to RollingUpdate.")
        return
    surge, unavailable = mapping(rolling).get("maxSurge"), mapping(rolling).get("maxUnavailable")
    yield from _whole_or_percent(surge, f"{path}/maxSurge", None)
    yield from _whole_or_percent(unavailable, f"{path}/maxUnavailable")
    if surge in (0, "0%") and unavailable in (0, "0%"):
        yield refused(f"{path}/maxUnavailable", "is 0, and maxSurge is 0", "Set one of them to 1 or more.")


def _scaling(body: Mapping[str, Any], _: str) -> Iterator[Refusal]:
    least, most = number(at(body, "spec", "minReplicas")), number(at(body, "spec", "maxReplicas"))
    if most is not None and most < 1:
        yield refused("/spec/maxReplicas", f"is {most}, which is less than 1", "Write 1 or more.")
    elif least is not None and most is not None and least > most:
        yield refused(
            "/spec/minReplicas", f"is {least}, which is more than maxReplicas {most}", "Write at most maxReplicas."
        )


def _without_selector(body: Mapping[str, Any], _: str) -> Iterator[Refusal]:
    selector = at(body, "spec", "selector")
    if isinstance(selector, dict) and not any(selector.values()):
        yield refused("/spec/selector", "is empty", "Set matchLabels to labels of the pod template.")
    for index, demand in entries(sequence(at(selector, "matchExpressions"))):
        yield from refused_requirement(demand, f"/spec/selector/matchExpressions/{index}")


def _progress(body: Mapping[str, Any], _: str) -> Iterator[Refusal]:
    ready, deadline = number(at(body, "spec", "minReadySeconds")) or 0, at(body, "spec", "progressDeadlineSeconds")
    last = _DEADLINE if deadline is None else number(deadline)
    if last is not None and last <= ready:
        path = "/spec/minReadySeconds" if deadline is None else "/spec/progressDeadlineSeconds"
        yield refused(
            path,
            f"is {ready if deadline is None else last}; progressDeadlineSeconds ({_DEADLINE} by default) must be more "
            "than minReadySeconds",
            "Raise progressDeadlineSeconds, or lower minReadySeconds.",
        )


_DEADLINE = 600


def _stateful_update(body: Mapping[str, Any], _: str) -> Iterator[Refusal]:
    update = mapping(at(body, "spec", "updateStrategy"))
    if text(update.get("type")) == "OnDelete" and update.get("rollingUpdate") is not None:
        path = "/spec/updateStrategy/rollingUpdate"
        yield refused(path, "is set, and the type is OnDelete", "Remove it, or set type to RollingUpdate.")


def _daemon_update(body: Mapping[str, Any], _: str) -> Iterator[Refusal]:
    rolling = mapping(at(body, "spec", "updateStrategy", "rollingUpdate"))
    if rolling.get("maxUnavailable") in (0, "0%") and rolling.get("maxSurge") in (None, 0, "0%"):
        path = "/spec/updateStrategy/rollingUpdate/maxUnavailable"
        yield refused(path, "is 0, and maxSurge is 0", "Set one of them to 1 or more.")


def _indexed(body: Mapping[str, Any], _: str) -> Iterator[Refusal]:
    if text(at(body, "spec", "completionMode")) == "Indexed" and at(body, "spec", "completions") is None:
        yield refused("/spec/completions", "is missing, and completionMode is Indexed", "Set completions.")


CHECKS: Mapping[str, tuple[Check, ...]] = {
    "apps/v1 DaemonSet": (_daemon_update, _without_selector),
    "apps/v1 Deployment": (_progress, _strategy, _without_selector),
    "apps/v1 ReplicaSet": (_without_selector,),
    "apps/v1 StatefulSet": (_stateful_update, _without_selector),
    "autoscaling/v1 HorizontalPodAutoscaler": (_scaling,),
    "autoscaling/v2 HorizontalPodAutoscaler": (_scaling,),
    "batch/v1 CronJob": (_schedule,),
    "batch/v1 Job": (_indexed,),
    "policy/v1 PodDisruptionBudget": (_disruption,),
}
