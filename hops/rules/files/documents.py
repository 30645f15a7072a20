"""Reads YAML and JSON as Kubernetes does, and finds the line that a JSON pointer means."""

import json
import re
from collections.abc import Sequence
from typing import Any

import yaml

from hops.kubernetes.values import JSON

_MOST = 2_000_000
"""How many values a file may hold once its aliases are followed."""
_DEEPEST = 200
_BRACKET = re.compile(r"[\[\]{}]")
_DASHES = re.compile(rf"(?:[-?][ \t]+){{{_DEEPEST}}}")


class UnreadableError(ValueError):
    """A text that is neither YAML nor JSON. line: from 1, None where there is none to name."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.line = line


class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML where dates and 12:30 stay texts, as JSON and the API server have them, and where no key stands twice."""

    def construct_mapping(self, node: yaml.Node, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - PyYAML's
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if len(set(keys)) < len(keys):
            seen: set[str] = set()
            for key, _ in node.value:
                # Several merges are one merge.
                if key.value in seen and key.value != "<<":
                    raise UnreadableError(f"the key {key.value} stands twice in a mapping", key.start_mark.line + 1)
                seen.add(key.value)
        found: dict[Any, Any] = super().construct_mapping(node, deep)
        return found


class Exact(yaml.SafeLoader):
    """In Python throughout, and slow: its marks count characters, where libyaml's know lines."""


_WHOLE = re.compile(r"[-+]?(?:0b[01_]+|0[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)$")
for _loader in (Loader, Exact):
    _loader.yaml_implicit_resolvers = {
        first: [
            (tag, _WHOLE if tag.endswith(":int") else pattern)
            for tag, pattern in resolvers
            # A plain `=` stands in the enums of many a CustomResourceDefinition, and PyYAML has no value for it.
            if not tag.endswith((":timestamp", ":value"))
        ]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _untagged(loader: Any, node: yaml.Node) -> Any:
    """What stands behind a tag that isn't YAML's own, such as CloudFormation's `!Ref`: Go's reader takes it so too."""
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    construct = loader.construct_mapping if isinstance(node, yaml.MappingNode) else loader.construct_sequence
    return construct(node, deep=True)


Loader.add_constructor(None, _untagged)


def documents(text: str) -> list[JSON]:
    """The documents of a text, None for an empty one. Raises UnreadableError."""
    if text.lstrip("\ufeff \t\r\n").startswith("{"):
        try:
            return [json.loads(text.removeprefix("\ufeff"), object_pairs_hook=_distinct)]
        except (ValueError, RecursionError):
            # YAML has flow mappings too, and says better where it fails.
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
        raise UnreadableError("it is nested too deeply") from None
    except ValueError as error:
        # A date such as 2026-13-40, an integer of thousands of digits.
        raise UnreadableError(str(error)) from None
    return found


def _distinct(pairs: list[tuple[str, JSON]]) -> dict[str, JSON]:
    """A JSON object. Raises ValueError where a key stands twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice")
    return found


def _unreadable(error: yaml.YAMLError) -> UnreadableError:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    said = getattr(error, "problem", None) or getattr(error, "reason", None) or "it isn't YAML"
    return UnreadableError(str(said), mark.line + 1 if mark else None)


def _may_be_deep(text: str) -> bool:
    """Whether brackets or dashes in a row could nest deeper than any manifest does."""
    if text.count("[") + text.count("{") > _DEEPEST:
        depth = 0
        for bracket in _BRACKET.finditer(text):
            depth += 1 if bracket[0] in "[{" else -1
            if depth > _DEEPEST:
                return True
    return _DASHES.search(text) is not None


def _shallow(text: str) -> None:
    """Refuses what is nested so deeply that libyaml, which recurses, would end the process."""
    depth = 0
    for event in yaml.parse(text, Loader=Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _DEEPEST:
            mark = event.start_mark
            raise UnreadableError("it is nested too deeply", mark.line + 1 if mark else None)


def _bounded(value: JSON) -> None:
    """Refuses aliases that lead back to themselves or multiply without end."""
    left = _MOST
    rest: list[tuple[Any, int]] = [(value, 0)]
    while rest:
        item, depth = rest.pop()
        if isinstance(item, dict | list):
            left -= len(item)
            if left < 0 or depth > _DEEPEST:
                raise UnreadableError("its aliases lead to themselves or to millions of values")
            rest += [(child, depth + 1) for child in (item.values() if isinstance(item, dict) else item)]


def nodes(text: str, loader: type[Loader | Exact] = Loader) -> list[yaml.Node | None]:
    """The documents as nodes that know their lines, and with Exact their characters. Raises UnreadableError."""
    # JSON may be indented with tabs, and a tab within one of its strings would be no JSON.
    spaced = text.replace("\t", " ") if is_json(text) else text
    try:
        return list(yaml.compose_all(spaced, Loader=loader))
    except yaml.YAMLError as error:
        raise _unreadable(error) from None


def is_json(text: str) -> bool:
    try:
        json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return False
    return True


def parts(pointer: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def line(document: yaml.Node | None, pointer: str) -> int | None:
    """The line of what a pointer means, or of what of it is there, from 1."""
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
    """The key and the value under a part of a pointer; an item of a sequence has no key."""
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
