"""What a preview said, read from the events that the engine writes: a JSON object a line.

Source of their form: Pulumi, sdk/go/common/apitype/events.go. Whoever writes a program writes its events, so nothing
is taken for granted of them: what hasn't the form of its kind says nothing.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from hops.kubernetes.values import at, number, pointer
from hops.model.finding import Finding, Level
from hops.model.settings.stack_config import own_values
from hops.rules.finding_text import from_message, urn_parts

_STACK = "pulumi:pulumi:Stack"
_ONLY_FINDINGS = ("preview failed", "update failed")
"""The engine's whole word on a preview or an update that nothing but a finding stopped."""
_STACK_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")
"""Source: Pulumi, sdk/go/common/tokens/stack.go."""
_UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""Source: Pulumi, sdk/go/common/resource/plugin/rpc.go, UnknownStringValue."""
_CLOCK = 1_000_000_000
_DEEPEST = 40
_HOP_TEXTS = ("service", "name", "component", "address", "next", "protocol", "standing", "known_at")


CUT_OFF = "the events end before the preview did"
"""The failure of a preview without a summary. Pulumi may have said on standard error why."""


class EventsError(ValueError):
    """A text in which no engine speaks."""


@dataclass(frozen=True)
class PreviewedResource:
    """A resource of a preview.

    urn: Pulumi's name of the resource.
    type: Pulumi's type token.
    name: of the resource.
    op: create, update, replace, delete, same and so on.
    component: the class of the component that declares it, "" for the program itself.
    parent: that component's name.
    inputs: its values by JSON pointer.
    changed: JSON pointers to the inputs that change.
    """

    urn: str
    type: str
    name: str
    op: str
    component: str
    parent: str
    inputs: Mapping[str, Any]
    changed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Preview:
    """One preview or update.

    stack: its name.
    config: the stack's, of our namespace, each value as JSON knows it.
    resources: by URN, in order.
    hops: as the output `hops` holds them.
    mended: JSON pointers to the inputs that the pack changed, by URN.
    warnings: the engine's words.
    failure: why the preview says less than it should, None for one that a finding stopped at most.
    unread: how many lines are no events.
    notes: what the program says that is no warning.
    outputs_change: whether an output of the stack differs from before.
    """

    stack: str
    config: Mapping[str, Any]
    resources: Mapping[str, PreviewedResource]
    hops: tuple[Mapping[str, Any], ...]
    findings: tuple[Finding, ...]
    mended: Mapping[str, tuple[str, ...]]
    warnings: tuple[str, ...]
    failure: str | None
    unread: int
    notes: tuple[str, ...] = ()
    outputs_change: bool = False


def read(text: str) -> Preview:
    """A preview from its events. Raises EventsError where there is none among the lines."""
    lines = [line for line in text.split("\n") if line.strip()]
    events = [event for line in lines if (event := read_event(line))]
    if not events:
        said = f", only {lines[-1][:200]!r}" if lines else ""
        raise EventsError(f"it holds no event of Pulumi's engine{said}")
    found = tuple(_findings(events))
    resources = dict(_resources(events))
    outputs = _outputs(events)
    return Preview(
        stack=_stack(events, resources),
        config=_config(events),
        resources=_comparable(resources, outputs),
        hops=tuple(hop_rows(outputs.get("hops"))),
        findings=found,
        mended=_mended(events),
        warnings=tuple(_said(events, "warning")),
        failure=_failure(events, found),
        unread=len(lines) - len(events),
        notes=tuple(dict.fromkeys(_said([e for e in events if _of_program(e)], "info"))),
        outputs_change=_outputs_change(events),
    )


def read_event(line: str) -> dict[str, Any] | None:
    """The event on a line, None where there is none."""
    try:
        event = json.loads(line)
        if "\\ud" in line.lower():
            # Half a pair is no character, and no output takes it.
            event = json.loads(json.dumps(event, ensure_ascii=False).encode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) and isinstance(event.get("sequence"), int) else None


def _of(events: list[dict[str, Any]], kind: str) -> Iterator[dict[str, Any]]:
    return (event[kind] for event in events if isinstance(event.get(kind), dict))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _stack(events: list[dict[str, Any]], resources: Mapping[str, PreviewedResource]) -> str:
    # A program that refuses its settings declares nothing but the stack itself, which is none of the resources.
    declared = (event.get("metadata") for event in _of(events, "resourcePreEvent"))
    urns = [
        *resources,
        *(_text(event.get("urn")) for event in _of(events, "diagnosticEvent")),
        *(_text(metadata.get("urn")) for metadata in declared if isinstance(metadata, dict)),
    ]
    named = (urn_parts(urn)[0] for urn in urns if urn.startswith("urn:pulumi:"))
    return next((stack for stack in named if _STACK_NAME.fullmatch(stack)), "")


def _config(events: list[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for event in _of(events, "preludeEvent"):
        config = event.get("config")
        found |= own_values(config if isinstance(config, dict) else {})
    return found


def _resources(events: list[dict[str, Any]]) -> Iterator[tuple[str, PreviewedResource]]:
    seen: set[str] = set()
    for event in _of(events, "resourcePreEvent"):
        new = at(event, "metadata", "new")
        state = new if isinstance(new, dict) else at(event, "metadata", "old")
        urn, kind = _text(at(event, "metadata", "urn")), _text(at(event, "metadata", "type"))
        if not urn or kind in ("", _STACK):
            continue
        op = _text(at(event, "metadata", "op"))
        # Where the new resource comes first, the last step tells only the old one.
        if op == "delete-replaced" and urn in seen:
            continue
        seen.add(urn)
        _, component, parent = urn_parts(_text(at(state, "parent")))
        component = component.rpartition("$")[2]
        yield (
            urn,
            PreviewedResource(
                urn=urn,
                type=kind,
                name=urn_parts(urn)[2],
                # A replacement has three steps, of which each names the same resource.
                op="replace" if "replace" in op else op,
                component="" if component == _STACK else component.rpartition(":")[2],
                parent=parent,
                inputs=dict(_leaves(at(state, "inputs"))),
                changed=_changed(at(event, "metadata", "old"), new),
            ),
        )


def _changed(old: object, new: object) -> tuple[str, ...]:
    if not isinstance(old, dict) or not isinstance(new, dict) or at(old, "inputs") == at(new, "inputs"):
        return ()
    return tuple(differing(dict(_leaves(at(old, "inputs"))), dict(_leaves(at(new, "inputs")))))


def _leaves(value: object) -> Iterator[tuple[str, Any]]:
    """All values below, by JSON pointer; what lies too deep is left out."""
    rest: list[tuple[str, Any, int]] = [("", value, 0)]
    while rest:
        base, item, depth = rest.pop()
        if not isinstance(item, dict | list) or not item:
            yield base, item
        elif depth < _DEEPEST:
            entries = item.items() if isinstance(item, dict) else enumerate(item)
            rest += [(pointer(base, key), below, depth + 1) for key, below in entries]


def _outputs(events: list[dict[str, Any]]) -> dict[str, Any]:
    """Of the stack: the last that it registered."""
    found = [
        at(event, "metadata", "new", "outputs")
        for event in _of(events, "resOutputsEvent")
        if at(event, "metadata", "type") == _STACK
    ]
    return next((outputs for outputs in reversed(found) if isinstance(outputs, dict) and outputs), {})


def _outputs_change(events: list[dict[str, Any]]) -> bool:
    states = [
        (at(event, "metadata", "old", "outputs"), at(event, "metadata", "new", "outputs"))
        for event in _of(events, "resOutputsEvent")
        if at(event, "metadata", "type") == _STACK
    ]
    return any(old != new for old, new in states[-1:])


def _comparable(resources: Mapping[str, PreviewedResource], outputs: Mapping[str, Any]) -> dict[str, PreviewedResource]:
    """Without what may differ between two previews of one stack: the folder, and a generation of an older version."""
    generation, kubeconfig = number(at(outputs, "cluster", "generation")), _text(at(outputs, "cluster", "kubeconfig"))
    # Older versions took the generation from a clock. A small number stands in many other texts.
    clock = str(generation) if generation and generation > _CLOCK else ""
    own = [(clock, "GENERATION"), (kubeconfig.rpartition("/")[0], "FOLDER")]

    def plain(value: Any) -> Any:
        for word, general in own:
            if word and isinstance(value, str):
                value = value.replace(word, general)
        return value

    return {
        urn: replace(resource, inputs={place: plain(value) for place, value in resource.inputs.items()})
        for urn, resource in resources.items()
    }


def hop_rows(listed: object) -> Iterator[dict[str, Any]]:
    """The hops of an output `hops`, without their details."""
    for hop in listed if isinstance(listed, list) else ():
        place = number(at(hop, "number"))
        if place and _text(at(hop, "service")) and _text(at(hop, "name")):
            texts = {key: _known(at(hop, key)) for key in _HOP_TEXTS}
            yield {**texts, "number": place, "port": number(at(hop, "port"))}


def _known(value: object) -> str | None:
    """A text, None where there is none or a preview does not know it yet."""
    return None if value == _UNKNOWN else _text(value) or None


def _findings(events: list[dict[str, Any]]) -> Iterator[Finding]:
    for event in _of(events, "policyEvent"):
        level = Level.MANDATORY if event.get("enforcementLevel") == "mandatory" else Level.ADVISORY
        yield from_message(
            _text(event.get("message")), _text(event.get("resourceUrn")), level, _text(event.get("policyName"))
        )


def _mended(events: list[dict[str, Any]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for event in _of(events, "policyRemediationEvent"):
        urn = _text(event.get("resourceUrn"))
        before, after = (dict(_leaves(event.get(side) or {})) for side in ("before", "after"))
        found[urn] = tuple(dict.fromkeys((*found.get(urn, ()), *differing(before, after))))
    return found


def differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """The pointers whose values are not the same on both sides."""
    for place in sorted({*after, *before}):
        if before.get(place, before) != after.get(place, after):
            yield place


def _said(events: list[dict[str, Any]], severity: str) -> Iterator[str]:
    for event in _of(events, "diagnosticEvent"):
        # What is ephemeral is progress: a pod that is not ready yet.
        if (
            event.get("severity") == severity
            and not event.get("ephemeral")
            and (message := _text(event.get("message")).strip())
        ):
            yield message


def _of_program(event: dict[str, Any]) -> bool:
    """Whether the program itself speaks, and none of its resources."""
    urn = _text(at(event, "diagnosticEvent", "urn"))
    return not urn or f"::{_STACK}::" in urn


def _failure(events: list[dict[str, Any]], found: tuple[Finding, ...]) -> str | None:
    *_, summary = [{}, *_of(events, "summaryEvent")]
    if not summary:
        return CUT_OFF
    errors = [error for error in _said(events, "error") if error not in _ONLY_FINDINGS]
    errors += [_text(event.get("error")) for event in _of(events, "errorEvent")]
    if errors:
        return "\n".join(errors)
    stopped = any(finding.level is Level.MANDATORY for finding in found)
    return (
        None
        if summary.get("result") == "succeeded" or stopped
        else "the engine reports that it failed, without a reason"
    )
