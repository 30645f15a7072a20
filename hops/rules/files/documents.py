"""Reads YAML and JSON as Kubernetes does, and finds the line that a JSON pointer means."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import yaml

from hops.kubernetes.values import JSON

_CORE = "tag:yaml.org,2002:"
_MOST = 2_000_000
"""How many values a file may hold once its aliases are followed."""
_DEEPEST = 200
_DASHES = re.compile(rf"(?:[-?][ \t]+){{{_DEEPEST}}}")


class UnreadableError(ValueError):
    """A text that is neither YAML nor JSON.

    reason: str, one sentence.
    line: int from 1, None where no line is to blame.
    column: int from 1, None where it is not known.
    """

    def __init__(self, reason: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(reason)
        self.line = line
        self.column = column


def _at(reason: str, mark: Any) -> UnreadableError:
    return UnreadableError(reason, mark.line + 1, mark.column + 1) if mark else UnreadableError(reason)


class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML where dates and 12:30 stay texts, as JSON and the API server have them, and where no key stands twice."""

    def construct_mapping(self, node: yaml.Node, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - PyYAML's
        if isinstance(node, yaml.MappingNode):
            node.value = [(_text_key(self, key), value) for key, value in node.value]
            keys = [key.value for key, _ in node.value]
            if len(set(keys)) < len(keys):
                seen: set[str] = set()
                for key, _ in node.value:
                    # Several merges are one merge.
                    if key.value in seen and key.value != "<<":
                        raise _at(f"the key {key.value} stands twice in a mapping", key.start_mark)
                    seen.add(key.value)
        found: dict[Any, Any] = super().construct_mapping(node, deep)
        return found


def _text_key(loader: Any, key: yaml.Node) -> yaml.Node:
    """A key as JSON has it: a number or a boolean becomes a text, as Kubernetes converts it.

    Raises UnreadableError for every other key. Source: sigs.k8s.io/yaml, convertToJSONableObject.
    """
    tag = str(key.tag).removeprefix(_CORE)
    if not isinstance(key, yaml.ScalarNode) or tag == "null":
        kind = "null" if tag == "null" else "a list" if isinstance(key, yaml.SequenceNode) else "a mapping"
        raise _at(f"a key is {kind}, and a key has to be a text", key.start_mark)
    if tag not in ("bool", "int", "float"):
        return key
    value = json.dumps(loader.construct_object(key))
    return yaml.ScalarNode(f"{_CORE}str", value, key.start_mark, key.end_mark)


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
    """Reads the documents of a text, None for an empty one.

    Nothing is built before its size is known: depth, aliases and merges are bounded on the parsed nodes.

    Raises UnreadableError with the line.
    """
    if "\0" in text:
        before = text[: text.index("\0")]
        raise UnreadableError("it contains a NUL character", before.count("\n") + 1, len(before) - before.rfind("\n"))
    if text.lstrip("\ufeff \t\r\n").startswith("{"):
        try:
            value = json.loads(text.removeprefix("\ufeff"), object_pairs_hook=_distinct)
            if "\\ud" in text.lower():
                # Half of a surrogate pair is no character and cannot be encoded. YAML refuses it with its line.
                json.dumps(value, ensure_ascii=False).encode()
        except (ValueError, RecursionError):
            # YAML has flow mappings too, and its errors name the line.
            pass
        else:
            return [value]
    try:
        if _may_be_deep(text):
            _shallow(text)
        return list(_constructed(text))
    except UnreadableError:
        raise
    except yaml.YAMLError as error:
        raise _unreadable(error) from None
    except RecursionError:
        raise UnreadableError("it is nested too deeply") from None


def _constructed(text: str) -> Iterator[JSON]:
    loader = Loader(text)
    aliases = "*" in text and "&" in text
    try:
        while loader.check_node():
            node = loader.get_node()
            if aliases:
                _bounded(node)
            try:
                yield loader.construct_document(node)
            except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
                if isinstance(error, UnreadableError):
                    raise
                raise _unconstructed(node, error) from None
    finally:
        loader.dispose()


def _unconstructed(node: yaml.Node, error: Exception) -> UnreadableError:
    """The error of the first scalar or collection whose tag does not fit its value."""
    rest, seen = [node], set[int]()
    while rest:
        item = rest.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        try:
            # Each alone: a collection is constructed without what it holds.
            Loader("").construct_object(item, deep=False)
        except UnreadableError as unreadable:
            return unreadable
        except (yaml.YAMLError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            value = f"{item.value!r:.60}" if isinstance(item, yaml.ScalarNode) else "this value"
            return _at(f"{value} is not a valid !!{str(item.tag).removeprefix(_CORE)}", item.start_mark)
        rest += reversed(_children(item))
    return _at(str(error), node.start_mark)


def _distinct(pairs: list[tuple[str, JSON]]) -> dict[str, JSON]:
    """A JSON object. Raises ValueError where a key stands twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice")
    return found


def _unreadable(error: yaml.YAMLError) -> UnreadableError:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    said = getattr(error, "problem", None) or getattr(error, "reason", None) or "it isn't YAML"
    return _at(str(said), mark)


def _may_be_deep(text: str) -> bool:
    """Whether a text has brackets or dashes enough to nest deeper than any manifest does."""
    return text.count("[") + text.count("{") > _DEEPEST or _DASHES.search(text) is not None


def _shallow(text: str) -> None:
    """Refuses what is nested so deeply that libyaml, which recurses, would end the process."""
    depth = 0
    for event in yaml.parse(text, Loader=Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _DEEPEST:
            raise _at("it is nested too deeply", event.start_mark)


def _bounded(document: yaml.Node) -> None:
    """Refuses aliases and merges that lead back to themselves, nest too deeply or multiply without end.

    Each node is counted once; an alias or a merge counts as often as it is used.
    """
    sizes: dict[int, tuple[int, int]] = {}
    open_: set[int] = set()
    rest: list[tuple[yaml.Node, bool]] = [(document, False)]
    while rest:
        node, children_done = rest.pop()
        if id(node) in sizes:
            continue
        below = _children(node)
        if children_done:
            size = 1 + sum(sizes[id(child)][0] for child in below)
            depth = 1 + max((sizes[id(child)][1] for child in below), default=0)
            if size > _MOST or depth > _DEEPEST:
                raise _at("its aliases expand to millions of values", node.start_mark)
            sizes[id(node)] = size, depth
            open_.discard(id(node))
        elif id(node) in open_:
            raise _at("its alias contains itself", node.start_mark)
        else:
            open_.add(id(node))
            rest.append((node, True))
            rest += [(child, False) for child in below]


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


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
