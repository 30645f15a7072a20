"""A finding as a policy's message in the engine's events: written for people, and read back."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace

from hops.model.finding import Finding, Identity, Level, Patch, Place, Severity
from hops.rules import RULES

_FIRST = re.compile(r"([A-Z]{2}[0-9]{2}) (?:([\w:.]+/.*?): )?(.*)")
_REMEDY, _AT, _PATCH = "Remedy: ", "At: ", "Patch of "
_OBJECT = re.compile(r"kubernetes:(?:core/)?([^:]+):")
_KIND_API = "kind.x-k8s.io/v1alpha4"


def told(finding: Finding) -> str:
    """The lines of a finding: code, object and sentence; remedy; where in the object; patch."""
    return "\n".join(_lines(finding))


def _lines(finding: Finding) -> Iterator[str]:
    yield _one(f"{finding.code} {finding.resource}: {finding.message}")
    yield _one(f"{_REMEDY}{finding.remedy}")
    if finding.path:
        yield _one(f"{_AT}{finding.path}")
    if finding.patch:
        operations = json.dumps([dict(operation) for operation in finding.patch.operations])
        yield f"{_one(f'{_PATCH}{finding.patch.resource}')}: {operations}"


def _one(text: str) -> str:
    """In one line, so that no name of an object can begin another."""
    return " ".join(text.split())


def heard(message: str, urn: str, level: Level, policy: str) -> Finding:
    """The finding that a message tells. A message of another pack is a finding whose code is the policy's name.

    message: with whatever the engine writes above it. urn: of the resource, "" where the message has none.
    """
    lines = message.splitlines()
    for number, line in enumerate(lines):
        first = _FIRST.fullmatch(line.strip())
        if first and first[1] in RULES:
            return _read(first, lines[number + 1 :], urn, level)
    return Finding(
        code=policy,
        level=level,
        severity=Severity.MEDIUM,
        hop=None,
        resource=_declared(urn),
        place=Place(urn=urn or None),
        path="",
        message=_one(message),
        remedy="",
    )


def _read(first: re.Match[str], lines: list[str], urn: str, level: Level) -> Finding:
    rule = RULES[first[1]]
    finding = Finding(
        code=rule.code,
        level=level,
        severity=rule.severity,
        hop=rule.hop,
        resource=_identity(first[2], _api(urn)) if first[2] else _declared(urn),
        place=Place(urn=urn or None),
        path="",
        message=first[3],
        remedy=rule.remedy,
    )
    for line in map(str.strip, lines):
        if line.startswith(_REMEDY):
            finding = replace(finding, remedy=line.removeprefix(_REMEDY))
        elif line.startswith(_AT):
            finding = replace(finding, path=line.removeprefix(_AT))
        elif line.startswith(_PATCH):
            finding = replace(finding, patch=_patch(line.removeprefix(_PATCH), finding))
    return finding


def _patch(text: str, finding: Finding) -> Patch | None:
    """None where the text isn't of the form that is written above."""
    label, _, operations = text.partition(": [")
    try:
        read = json.loads(f"[{operations}")
    except (ValueError, RecursionError):
        return None
    if not all(isinstance(o, dict) and isinstance(o.get("op"), str) and isinstance(o.get("path"), str) for o in read):
        return None
    own = label == str(finding.resource)
    resource = finding.resource if own else _identity(label, "")
    return Patch(resource, finding.place if own else Place(), tuple(read))


def _identity(label: str, api_version: str) -> Identity:
    kind, _, rest = label.partition("/")
    namespace, slash, name = rest.partition("/")
    return Identity(api_version, kind, namespace if slash else None, name if slash else namespace)


def urn_parts(urn: str) -> tuple[str, str, str]:
    """Stack, types of the resource and of its parents joined by $, and name; "" for what isn't there.

    Source: Pulumi, sdk/go/common/resource/urn/urn.go: urn:pulumi:STACK::PROJECT::TYPES::NAME.
    """
    stack, _, types, name = [*urn.removeprefix("urn:pulumi:").split("::", 3), "", "", ""][:4]
    return stack, types, name


def _declared(urn: str) -> Identity:
    """What a URN alone says of its resource."""
    _, types, name = urn_parts(urn)
    return Identity(_api(urn), types.rpartition(":")[2] or "Stack", None, name)


def _api(urn: str) -> str:
    token = urn_parts(urn)[1].rpartition("$")[2]
    found = _OBJECT.match(token)
    return found[1] if found else _KIND_API if token.startswith("command:") else ""
