"""The warning events of an object."""

from collections.abc import Mapping
from dataclasses import dataclass

from hops.kubernetes.values import JSON, at, text


@dataclass(frozen=True)
class WarningEvent:
    """An event of type Warning, of core/v1 or events.k8s.io/v1.

    subject: name of the object that the event is about.
    reason: one word, such as `FailedMount`.
    message: the sentence of the component that reports the event.
    time: when it was last seen, in RFC 3339; "" if missing.
    """

    subject: str
    reason: str
    message: str
    time: str


def warning_event(body: Mapping[str, JSON]) -> WarningEvent:
    event = dict(body)
    subject = event.get("involvedObject") or event.get("regarding")
    return WarningEvent(
        subject=text(at(subject, "name")) or "",
        reason=text(at(event, "reason")) or "",
        message=text(at(event, "message")) or text(at(event, "note")) or "",
        time=text(at(event, "lastTimestamp")) or text(at(event, "eventTime")) or "",
    )
