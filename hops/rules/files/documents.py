"""Reads YAML and JSON as Kubernetes does, and finds the line of a JSON pointer."""

import json
import re
from collections.abc import Sequence
from typing import Any

import yaml

from hops.kubernetes.values import JSON

_MOST = 2_000_000
"""Maximum number of values in a file after its aliases are expanded."""
_DEEPEST = 200
_BRACKET = re.compile(r"[\[\]{}]")
_DASHES = re.compile(rf"(?:[-?][ \t]+){{{_DEEPEST}}}")


class UnreadableError(ValueError):
    """A text that is neither valid YAML nor valid JSON.

    line: line of the error, from 1; None if unknown.
    """

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.line = line


class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """A YAML loader that reads dates and 12:30 as strings, like the API server, and rejects duplicate keys."""

    def construct_mapping(self, node: yaml.Node, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - PyYAML's
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if len(set(keys)) < len(keys):
            seen: set[str] = set()
            for key, _ in node.value:
                # Several merges are one merge.
                if key.value in seen and key.value != "<<":
                    raise UnreadableError(f"the key {key.value} is duplicate in a mapping", key.start_mark.line + 1)
                seen.add(key.value)
        found: dict[Any, Any] = super().construct_mapping(node, deep)
        return found


class Exact(yaml.SafeLoader):
    """A slow pure-Python YAML loader: its marks contain character offsets, which those of libyaml lack."""


_WHOLE = re.compile(r"[-+]?(?:0b[01_]+|0[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)$")
for _loader in (Loader, Exact):
    _loader.yaml_implicit_resolvers = {
        first: [
            (tag, _WHOLE if tag.endswith(":int") else pattern)
            for tag, pattern in resolvers
            # Many CustomResourceDefinitions have a plain `=` in an enum, and PyYAML has no value for it.
            if not tag.endswith((":timestamp", ":value"))
        ]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _untagged(loader: Any, node: yaml.Node) -> Any:
    """The value of a node with a custom tag such as CloudFormation's `!Ref`, without the tag (as Go reads it)."""
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    construct = loader.construct_mapping if isinstance(node, yaml.MappingNode) else loader.construct_sequence
    return construct(node, deep=True)


Loader.add_constructor(None, _untagged)


def documents(text: str) -> list[JSON]:
    """The documents of a text as JSON values; None for an empty document. Raises UnreadableError."""
    if text.lstrip("\ufeff \t\r\n").startswith("{"):
        try:
            return [json.loads(text.removeprefix("\ufeff"), object_pairs_hook=_distinct)]
        except (ValueError, RecursionError):
            # The text may be a YAML flow mapping, and the YAML error names the line.
            pass
    try:
        if _may_be_deep(text):
            _shallow(text)
        found = list(yaml.load_all(text, Loader=Loader))
        if "*" in text and "&" in text:
            _bounded(found)
    except UnreadableError:
        raise
    except yaml.YAMLError as error:
        raise _unreadable(error) from None
    except RecursionError:
        raise UnreadableError(f"the nesting is deeper than {_DEEPEST} levels") from None
    except ValueError as error:
        # A date such as 2026-13-40, an integer of thousands of digits.
        raise UnreadableError(str(error)) from None
    return found


def _distinct(pairs: list[tuple[str, JSON]]) -> dict[str, JSON]:
    """A JSON object. Raises ValueError if a key is duplicate."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is duplicate")
    return found


def _unreadable(error: yaml.YAMLError) -> UnreadableError:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    said = getattr(error, "problem", None) or getattr(error, "reason", None) or "it is not YAML"
    return UnreadableError(str(said), mark.line + 1 if mark else None)


def _may_be_deep(text: str) -> bool:
    """Whether brackets or consecutive dashes could nest deeper than the limit."""
    if text.count("[") + text.count("{") > _DEEPEST:
        depth = 0
        for bracket in _BRACKET.finditer(text):
            depth += 1 if bracket[0] in "[{" else -1
            if depth > _DEEPEST:
                return True
    return _DASHES.search(text) is not None


def _shallow(text: str) -> None:
    """Raises UnreadableError for nesting at which libyaml, which recurses, would crash the process."""
    depth = 0
    for event in yaml.parse(text, Loader=Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _DEEPEST:
            mark = event.start_mark
            raise UnreadableError(f"the nesting is deeper than {_DEEPEST} levels", mark.line + 1 if mark else None)


def _bounded(value: JSON) -> None:
    """Raises UnreadableError for recursive aliases and for aliases that expand to too many values."""
    left = _MOST
    rest: list[tuple[Any, int]] = [(value, 0)]
    while rest:
        item, depth = rest.pop()
        if isinstance(item, dict | list):
            left -= len(item)
            if left < 0 or depth > _DEEPEST:
                raise UnreadableError(f"the aliases are recursive or expand to more than {_MOST} values")
            rest += [(child, depth + 1) for child in (item.values() if isinstance(item, dict) else item)]


def nodes(text: str, loader: type[Loader | Exact] = Loader) -> list[yaml.Node | None]:
    """The documents of a text as YAML nodes with positions.

    text: YAML or JSON.
    loader: Loader (default) for line positions, Exact for character offsets.

    Raises UnreadableError.
    """
    # JSON may be indented with tabs, which YAML rejects; a JSON string contains no raw tab.
    spaced = text.replace("\t", " ") if is_json(text) else text
    try:
        return list(yaml.compose_all(spaced, Loader=loader))
    except yaml.YAMLError as error:
        raise _unreadable(error) from None


def is_json(text: str) -> bool:
    """Whether a text is one JSON document."""
    try:
        json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return False
    return True


def parts(pointer: str) -> list[str]:
    """The unescaped parts of a JSON pointer (RFC 6901)."""
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def line(document: yaml.Node | None, pointer: str) -> int | None:
    """The line of the value at a JSON pointer, from 1.

    document: the document as a node; None gives None.
    pointer: if the value does not exist, the line of its nearest existing parent is returned.
    """
    if document is None:
        return None
    found = document.start_mark.line
    node: yaml.Node | None = document
    for part in parts(pointer):
        entry = child(node, part)
        if entry is None:
            break
        key, node = entry
        found = (key or node).start_mark.line
    return int(found) + 1


def child(node: yaml.Node | None, part: str) -> tuple[yaml.Node | None, yaml.Node] | None:
    """The child of a node for one part of a JSON pointer: key node (None in a sequence) and value node.

    Returns None if there is no such child.
    """
    if isinstance(node, yaml.MappingNode):
        for key, value in _pairs(node):
            if isinstance(key, yaml.ScalarNode) and key.value == part:
                return key, value
    if isinstance(node, yaml.SequenceNode) and part.isdigit() and int(part) < len(node.value):
        return None, node.value[int(part)]
    return None


def _pairs(node: yaml.MappingNode) -> Sequence[tuple[yaml.Node, yaml.Node]]:
    pairs: Sequence[tuple[yaml.Node, yaml.Node]] = node.value
    return pairs
