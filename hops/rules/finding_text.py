"""A finding as a policy's message in the engine's events: sentences for people, and one line of JSON for programs."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from hops.model.finding import Finding, Identity, Level, Patch, Place, Severity
from hops.model.kind_names import KIND_API
from hops.rules.catalogue import RULES

_KEY = "ingress-hops"
"""The only key of the JSON object in a message's last line; a message without it is another pack's."""
_OBJECT = re.compile(r"kubernetes:(?:core/)?([^:]+):")


def as_message(finding: Finding) -> str:
    """The lines of a finding: code, object and sentence; remedy; where in the object; the finding as JSON."""
    return "\n".join(_lines(finding))


def fault_message(message: str) -> str:
    """The lines of a fault of the pack itself: PK01, of no object."""
    return f"PK01 {_one(message)}\n{_line({'code': 'PK01', 'message': _one(message)})}"


def _lines(finding: Finding) -> Iterator[str]:
    yield _one(f"{finding.code} {finding.resource}: {finding.message}")
    yield _one(f"Remedy: {finding.remedy}")
    if finding.path:
        yield _one(f"At: {finding.path}")
    patch = finding.patch
    yield _line(
        {
            "code": finding.code,
            "resource": _object(finding.resource),
            "message": _one(finding.message),
            "remedy": _one(finding.remedy),
            "path": finding.path,
            "patch": patch and {"resource": _object(patch.resource), "operations": list(map(dict, patch.operations))},
        }
    )


def _line(finding: Mapping[str, Any]) -> str:
    return json.dumps({_KEY: {key: value for key, value in finding.items() if value}}, separators=(",", ":"))


def _object(resource: Identity) -> dict[str, str | None]:
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "namespace": resource.namespace and _one(resource.namespace),
        "name": _one(resource.name),
    }


def _one(text: str) -> str:
    """In one line, so that no name of an object can begin another."""
    return " ".join(text.split())


def from_message(message: str, urn: str, level: Level, policy: str) -> Finding:
    """The finding that a message's last line holds.

    message: with whatever the engine writes above it.
    urn: of the resource, "" where the message has none.
    policy: its name, for a message of another pack.

    A message without such a line is another pack's: a finding whose code is the policy's name.
    """
    given = _given(message)
    place = Place(urn=urn or None)
    if given is None:
        return Finding(
            code=policy,
            level=level,
            severity=Severity.MEDIUM,
            hop=None,
            resource=_declared(urn),
            place=place,
            path="",
            message=_one(message),
            remedy="",
        )
    rule = RULES[given["code"]]
    resource = _identity(given.get("resource")) or _declared(urn)
    return Finding(
        code=rule.code,
        level=level,
        severity=rule.severity,
        hop=rule.hop,
        resource=resource,
        place=place,
        path=str(given.get("path", "")),
        message=str(given.get("message", "")),
        remedy=str(given.get("remedy", rule.remedy)),
        patch=_patch(given.get("patch"), resource, place),
    )


def _given(message: str) -> dict[str, Any] | None:
    """What the last line holds, None where it is no finding of a rule."""
    last = message.strip().rpartition("\n")[2]
    try:
        read = json.loads(last)
    except (ValueError, RecursionError):
        return None
    given = read.get(_KEY) if isinstance(read, dict) else None
    return given if isinstance(given, dict) and isinstance(code := given.get("code"), str) and code in RULES else None


def _patch(given: Any, resource: Identity, place: Place) -> Patch | None:
    """None where it isn't of the form that is written above."""
    of = _identity(given.get("resource")) if isinstance(given, dict) else None
    operations = given.get("operations") if of else None
    if of is None or not isinstance(operations, list):
        return None
    if not all(isinstance(o, dict) and {str} == {type(o.get(key)) for key in ("op", "path")} for o in operations):
        return None
    return Patch(of, place if of == resource else Place(), tuple(operations))


def _identity(given: Any) -> Identity | None:
    """None where it isn't of the form that is written above."""
    if not isinstance(given, dict):
        return None
    api_version, kind, namespace, name = (given.get(key) for key in ("apiVersion", "kind", "namespace", "name"))
    if isinstance(api_version, str) and isinstance(kind, str) and isinstance(name, str):
        return Identity(api_version, kind, namespace if isinstance(namespace, str) else None, name)
    return None


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
    return found[1] if found else KIND_API if token.startswith("command:") else ""
