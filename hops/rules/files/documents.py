"""Reads YAML and JSON as Kubernetes does, and finds the line of a JSON pointer."""

import json
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import yaml

from hops.kubernetes.values import JSON
from hops.rules.files.yaml_problem import explained

_CORE = "tag:yaml.org,2002:"
_MOST = 2_000_000
"""Maximum number of values in a file after its aliases are expanded."""
_DEEPEST = 200
_DASHES = re.compile(rf"(?:[-?][ \t]+){{{_DEEPEST}}}")


class UnreadableError(ValueError):
    """A text that is neither valid YAML nor valid JSON.

    reason: the error without its position, one sentence.
    line: line of the error, from 1; None if unknown.
    column: column of the error, from 1; None if unknown.
    """

    def __init__(self, reason: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(reason)
        self.line = line
        self.column = column


def _at(reason: str, mark: Any) -> UnreadableError:
    return UnreadableError(reason, mark.line + 1, mark.column + 1) if mark else UnreadableError(reason)


class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """A YAML loader that reads dates and 12:30 as strings, like the API server, and rejects duplicate keys."""

    def construct_mapping(self, node: yaml.Node, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - PyYAML's
        if isinstance(node, yaml.MappingNode):
            node.value = [(_text_key(self, key), value) for key, value in node.value]
            keys = [key.value for key, _ in node.value]
            if len(set(keys)) < len(keys):
                seen: set[str] = set()
                for key, _ in node.value:
                    # Several merges are one merge.
                    if key.value in seen and key.value != "<<":
                        raise _at(f"the key {key.value} is duplicate in a mapping", key.start_mark)
                    seen.add(key.value)
        found: dict[Any, Any] = super().construct_mapping(node, deep)
        return found

    def resolve(self, kind: type[yaml.Node], value: Any, implicit: Any) -> str:
        # PyYAML compares each scalar with up to nine expressions; most scalars of manifests occur often.
        if kind is yaml.ScalarNode and implicit[0]:
            return _tag(value)
        tag: str = super().resolve(kind, value, implicit)
        return tag


@lru_cache(maxsize=1 << 16)
def _tag(value: str) -> str:
    """The tag of a plain scalar."""
    resolvers: Sequence[tuple[str, re.Pattern[str]]] = Loader.yaml_implicit_resolvers.get(value[:1], ())
    return next((tag for tag, pattern in resolvers if pattern.match(value)), f"{_CORE}str")


def _text_key(loader: Any, key: yaml.Node) -> yaml.Node:
    """A key as a JSON string: numbers and booleans are converted as Kubernetes converts them.

    Raises UnreadableError for every other key. Source: sigs.k8s.io/yaml, convertToJSONableObject.
    """
    tag = str(key.tag).removeprefix(_CORE)
    if not isinstance(key, yaml.ScalarNode) or tag == "null":
        kind = "null" if tag == "null" else "a list" if isinstance(key, yaml.SequenceNode) else "a mapping"
        remedy = "; put a value with {{ }} in quotes, or render the template" if kind == "a mapping" else ""
        raise _at(f"a key is {kind}; a key must be a string{remedy}", key.start_mark)
    if tag not in ("bool", "int", "float"):
        return key
    value = loader.construct_object(key)
    shown = json.dumps(int(value) if isinstance(value, float) and value.is_integer() else value)
    return yaml.ScalarNode(f"{_CORE}str", shown, key.start_mark, key.end_mark)


_WHOLE = re.compile(r"[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)$")
# A fraction needs no digits behind its point, an exponent neither point nor sign; 08 is no octal number, and so is 8.
_FRACTION = re.compile(
    r"(?:[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
)
_NUMBERS = {f"{_CORE}int": _WHOLE, f"{_CORE}float": _FRACTION}
"""How numbers look to kubectl. Source: sigs.k8s.io/yaml, goyaml.v2/resolve.go."""
Loader.yaml_implicit_resolvers = {
    first: sorted(
        (
            (tag, _NUMBERS.get(tag, pattern))
            for tag, pattern in resolvers
            # Many CustomResourceDefinitions have a plain `=` in an enum, and PyYAML has no value for it.
            if not tag.endswith((":timestamp", ":value"))
        ),
        # A whole number also looks like a fraction.
        key=lambda resolver: resolver[0] == f"{_CORE}float",
    )
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
    """The documents of a text as JSON values; None for an empty document.

    Nothing is built before its size is known: depth, aliases and merges are bounded on the parsed nodes.

    Raises UnreadableError with the line.
    """
    if "\0" in text:
        before = text[: text.index("\0")]
        raise UnreadableError(
            "the text contains a NUL character", before.count("\n") + 1, len(before) - before.rfind("\n")
        )
    if text.lstrip("\ufeff \t\r\n").startswith("{"):
        try:
            value = json.loads(text.removeprefix("\ufeff"), object_pairs_hook=_distinct)
            if "\\ud" in text.lower():
                # Half of a surrogate pair is no character and cannot be encoded. YAML refuses it with its line.
                json.dumps(value, ensure_ascii=False).encode()
        except (ValueError, RecursionError):
            # The text may be a YAML flow mapping, and the YAML error names the line.
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
        raise _unreadable(text, error) from None
    except RecursionError:
        raise UnreadableError(f"the nesting is deeper than {_DEEPEST} levels") from None


def _constructed(text: str) -> Iterator[JSON]:
    loader = Loader(text)
    aliases = "*" in text and "&" in text
    try:
        while loader.check_node():
            node = loader.get_node()
            if aliases:
                _bounded(node)
            try:
                # Two aliases of one node are one value.
                yield loader.construct_document(node) if aliases else _value(node, loader)
            except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
                if isinstance(error, UnreadableError):
                    raise
                raise _unconstructed(node, error) from None
    finally:
        loader.dispose()


_STRING, _MAPPING, _SEQUENCE = (f"{_CORE}{name}" for name in ("str", "map", "seq"))


def _value(node: yaml.Node, loader: Loader) -> JSON:
    """The value of a node without aliases.

    PyYAML's own constructor takes three times as long, so only what JSON does not have is left to it.
    """
    kind, tag = node.__class__, node.tag
    if kind is yaml.ScalarNode and tag == _STRING:
        return node.value
    if kind is yaml.MappingNode and tag == _MAPPING:
        found: dict[str, Any] = {}
        for key, value in node.value:
            if key.__class__ is not yaml.ScalarNode or key.tag != _STRING or key.value in found:
                return loader.construct_object(node, deep=True)
            found[key.value] = value
        for name, value in found.items():
            found[name] = _value(value, loader)
        return found
    if kind is yaml.SequenceNode and tag == _SEQUENCE:
        return [_value(item, loader) for item in node.value]
    return loader.construct_object(node, deep=True)


def _unconstructed(node: yaml.Node, error: Exception) -> UnreadableError:
    """The error of the first scalar or collection whose tag does not fit its value."""
    rest, seen = [node], set[int]()
    while rest:
        item = rest.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        try:
            # Each node alone: a collection is constructed without its items.
            Loader("").construct_object(item, deep=False)
        except UnreadableError as unreadable:
            return unreadable
        except (yaml.YAMLError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            value = f"{item.value!r:.60}" if isinstance(item, yaml.ScalarNode) else "this value"
            return _at(f"{value} is not a valid !!{str(item.tag).removeprefix(_CORE)}", item.start_mark)
        rest += reversed(_children(item))
    return _at(str(error), node.start_mark)


def _distinct(pairs: list[tuple[str, JSON]]) -> dict[str, JSON]:
    """A JSON object. Raises ValueError if a key is duplicate."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is duplicate")
    return found


def _unreadable(text: str, error: yaml.YAMLError) -> UnreadableError:
    said = getattr(error, "problem", None) or getattr(error, "reason", None) or "it is not YAML"
    place, began = (
        (mark.line, mark.column) if (mark := getattr(error, name, None)) else None
        for name in ("problem_mark", "context_mark")
    )
    reason, at = explained(text, str(said), place or began, began)
    return UnreadableError(reason, at[0] + 1, at[1] + 1) if at else UnreadableError(reason)


def _may_be_deep(text: str) -> bool:
    """Whether a text has enough brackets or dashes to exceed the nesting limit."""
    return text.count("[") + text.count("{") > _DEEPEST or _DASHES.search(text) is not None


def _shallow(text: str) -> None:
    """Raises UnreadableError for nesting at which libyaml, which recurses, would crash the process."""
    depth = 0
    for event in yaml.parse(text, Loader=Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _DEEPEST:
            raise _at(f"the nesting is deeper than {_DEEPEST} levels", event.start_mark)


def _bounded(document: yaml.Node) -> None:
    """Raises UnreadableError for recursive aliases and merges, and for those that exceed the limits.

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
                raise _at(f"the aliases expand to more than {_MOST} values", node.start_mark)
            sizes[id(node)] = size, depth
            open_.discard(id(node))
        elif id(node) in open_:
            raise _at("an alias contains itself", node.start_mark)
        else:
            open_.add(id(node))
            rest.append((node, True))
            rest += [(child, False) for child in below]


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def nodes(text: str) -> list[yaml.Node | None]:
    """The documents of a text, YAML or JSON, as YAML nodes with lines and columns. Raises UnreadableError."""
    # JSON may be indented with tabs, which YAML rejects; a JSON string contains no raw tab.
    spaced = text.replace("\t", " ") if is_json(text) else text
    try:
        return list(yaml.compose_all(spaced, Loader=Loader))
    except yaml.YAMLError as error:
        raise _unreadable(spaced, error) from None


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
