"""Takes secrets out of a sight. What is judged, printed or written to a file is always the redacted one."""

import json
import re
from collections.abc import Mapping
from typing import Any

from hops.trace.observed.observation import Observation

GONE = "REDACTED"

_WORDS = (
    r"passw(?:or)?d|passphrase|secret|token|credential|authorization|cookie"
    r"|(?:api|access|account|auth|private|signing|encryption|shared)[-_.]?key|client-key-data"
)
_NAME = re.compile(_WORDS, re.IGNORECASE)
"""What the names of variables, options and fields with secrets hold."""
_REFERENCE = re.compile(r"(?:name|ref|path|file|type|seconds)$", re.IGNORECASE)
"""How a name ends that only leads to a secret, such as `secretName`."""
_HEADER = re.compile(r"auth|cookie|token|key|secret|password|credential|signature|session", re.IGNORECASE)
"""What the names of headers with secrets hold."""

_FORMS = (
    (
        "-----BEGIN",
        re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL),
    ),
    ("eyJ", re.compile(r"\beyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*")),
    ("://", re.compile(r"(?<=://)[^\s/@:\"']*:[^\s/@\"']+(?=@)")),
    ("AKIA", re.compile(r"\bAKIA[0-9A-Z]{16}\b")),
    ("gh", re.compile(r"\b(?:gh[pousr]_\w{30,}|github_pat_\w{30,})")),
    ("xox", re.compile(r"\bxox[a-z]-[\w-]{10,}")),
)
"""Secrets that are known by their form wherever they stand, each with a text that makes it worth looking."""
_SCHEME = re.compile(r"\b(bearer|basic|digest|negotiate)(\s+)[\w.~+/=-]{6,}", re.IGNORECASE)
_ASSIGNED = re.compile(
    rf"""((?:{_WORDS})[\w.-]{{0,60}}["']?\s*[:=]\s*["']?)(?!(?:bearer|basic|digest|negotiate)\s)[^\s"',;&}}]+""",
    re.IGNORECASE,
)
_FREE = ("args", "command", "annotations", "message", "note", "error", "body", "path")
_FREE_OF_DOCKER = ("Args", "Cmd", "Entrypoint", "Env", "Path", "Error")
"""Below what programs' own words stand, in which a secret is known by the name before it. The kernel's tables are not
among them: a rule for the Service `token` at a port looks the same."""
_BY_SUBJECT = ("authorities", "certificates", "logs", "unseen")
"""Whose keys say what something is about, such as a Secret, and not what it is."""


def redacted(sight: Observation) -> Observation:
    """The same sight without secrets: neither in headers, environments, options, annotations, nor in logs."""
    whole = sight.model_dump(mode="json", by_alias=True)
    return Observation.model_validate_json(json.dumps(_value(whole, free=False)))


def _value(value: Any, *, free: bool) -> Any:
    match value:
        case str():
            return _text(value, free=free)
        case list():
            return _list(value, free=free)
        case dict():
            return _object(value, free=free)
    return value


def _object(value: Mapping[str, Any], *, free: bool) -> dict[str, Any]:
    # An environment variable, an option or a header by its name.
    named = value.get("name") or value.get("key")
    found: dict[str, Any] = {}
    for key, item in value.items():
        if key.lower().endswith(("last-applied-configuration", "lastappliedconfiguration")):
            continue
        if value.get("kind") == "Secret" and key in ("data", "stringData"):
            continue
        if key in _BY_SUBJECT and isinstance(item, dict):
            found[key] = {subject: _value(told, free=True) for subject, told in item.items()}
        elif key in ("headers", "header") and isinstance(item, dict):
            found[key] = _headers(item)
        elif isinstance(item, str) and (_secret(key) or (key == "value" and isinstance(named, str) and _secret(named))):
            found[key] = GONE if item else item
        else:
            found[key] = _value(item, free=free or key in _FREE or key in _FREE_OF_DOCKER)
    return found


def _headers(value: Mapping[str, Any]) -> dict[str, Any]:
    """By name, or as Envoy has them, with `key` and `value`."""
    if "key" in value and "value" in value:
        return {**value, "value": GONE if _HEADER.search(str(value["key"])) else value["value"]}
    return {name: GONE if _HEADER.search(name) else _value(item, free=True) for name, item in value.items()}


def _list(value: list[Any], *, free: bool) -> list[Any]:
    """The item after an option whose name has a secret is the secret."""
    found: list[Any] = []
    follows = False
    for item in value:
        found.append(GONE if follows and isinstance(item, str) else _value(item, free=free))
        follows = free and isinstance(item, str) and item.startswith("-") and "=" not in item and _secret(item)
    return found


def _secret(name: str) -> bool:
    return bool(_NAME.search(name)) and not _REFERENCE.search(name)


def _text(text: str, *, free: bool) -> str:
    for worth, form in _FORMS:
        if worth in text:
            text = form.sub(GONE, text)
    if free:
        text = _ASSIGNED.sub(rf"\1{GONE}", _SCHEME.sub(rf"\1\2{GONE}", text))
    return text
