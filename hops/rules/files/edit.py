"""Writes a patch into the text of a file without changing any other byte.

If the edited text would not parse to exactly the patched document, nothing is written. Causes are aliases, merge keys
and templates.
"""

import json
from collections.abc import Mapping
from typing import Any

import yaml

from hops.kubernetes.values import plain
from hops.model.finding import Patch
from hops.rules.files.documents import Exact, UnreadableError, child, documents, is_json, nodes, parts
from hops.rules.patches import patched

_WIDE = 1_000_000


class NotWrittenError(ValueError):
    """A patch that cannot be written into the text. The message names the reason and the remedy."""


def written(text: str, patch: Patch) -> str:
    """The text with the patch applied.

    text: content of the file, YAML or JSON.
    patch: operations on one document of the file.

    Raises NotWrittenError if the result would not parse to the patched document.
    """
    number = patch.place.document or 0
    operations = [
        {**operation, **{key: patch.place.within + operation[key] for key in ("from", "path") if key in operation}}
        for operation in patch.operations
    ]
    try:
        # Copied, so that what stands behind an alias is changed in one place only.
        before = plain(documents(text))
        wanted = [patched(body, operations) if index == number else body for index, body in enumerate(before)]
        changed = text
        for operation in operations:
            changed = _edited(changed, number, operation)
        if plain(documents(changed)) == wanted:
            return changed
    except (IndexError, KeyError, TypeError, UnreadableError):
        pass
    raise NotWrittenError("the value is behind an alias, a merge key or a template; edit the file by hand")


def _edited(text: str, number: int, operation: Mapping[str, Any]) -> str:
    """The text with one operation in one document."""
    editor = _Editor(text)
    *above, last = parts(operation["path"])
    key, node = None, nodes(text, Exact)[number]
    for part in above:
        found = child(node, part)
        if found is None:
            raise KeyError(part)
        key, node = found
    there = child(node, last)
    if operation["op"] == "move" and isinstance(node, yaml.MappingNode):
        there = child(node, parts(operation["from"])[-1])
        if there and there[0]:
            return editor.with_key(there[0], last)
    match operation["op"], node:
        case "remove", _ if there:
            return editor.without(key, node, there)
        case (("add" | "replace"), yaml.MappingNode()) if there:
            return editor.with_value(*there, operation["value"])
        case "replace", yaml.SequenceNode() if there:
            return editor.with_value(*there, operation["value"])
        case "add", yaml.MappingNode():
            return editor.with_entry(node, last, operation["value"])
        case "add", yaml.SequenceNode() if last == "-" or int(last) == len(node.value):
            return editor.with_item(node, operation["value"])
    raise KeyError(operation["path"])


class _Editor:
    """Edits one text at one position; every method returns the new text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.json = is_json(text)
        self.newline = "\r\n" if "\r\n" in text else "\n"

    def with_value(self, key: yaml.Node | None, node: yaml.Node, value: Any) -> str:
        start = node.start_mark.index
        # A block of text ends with the lines after it.
        end = max(start, len(self.text[: _end(node)].rstrip()))
        new = self._value(value, like=node)
        if key and isinstance(node, yaml.CollectionNode) and not node.flow_style:
            # A flow begins on the line of its key, before a comment there.
            colon = self.text.index(":", _end(key)) + 1
            return f"{self.text[:colon]} {new}{self.text[colon:start].rstrip()}{self.text[end:]}"
        if start == end:
            # A key without a value stands right before its colon's end.
            new = f" {new}"
        return self.text[:start] + new + self.text[end:]

    def with_key(self, key: yaml.Node, name: str) -> str:
        return self.text[: key.start_mark.index] + self._scalar(name, key) + self.text[_end(key) :]

    def without(self, of: yaml.Node | None, node: Any, there: tuple[yaml.Node | None, yaml.Node]) -> str:
        """of: the key of the collection itself."""
        key, value = there
        start, end = (key or value).start_mark.index, max(_end(value), _end(key) if key else 0)
        if node.flow_style:
            return self._without_comma(start, end)
        if len(node.value) == 1:
            return self.with_value(of, node, {} if isinstance(node, yaml.MappingNode) else [])
        line = self.text.rfind("\n", 0, start) + 1
        following = self.text.find("\n", end - 1 if self.text[end - 1] == "\n" else end) + 1 or len(self.text)
        before = self.text[line:start]
        if before.strip(" -") or (key is not None and before.strip()):
            return self._without_first(node, start)
        return self.text[:line] + self.text[following:]

    def _without_first(self, node: Any, start: int) -> str:
        """Without the first entry of a mapping that begins on its item's line: `- name: a`."""
        second = node.value[1][0] if isinstance(node, yaml.MappingNode) else node.value[1]
        return self.text[:start] + self.text[second.start_mark.index :]

    def _without_comma(self, start: int, end: int) -> str:
        rest = self.text[end:]
        ahead = rest.lstrip()
        if ahead.startswith(","):
            after = end + len(rest) - len(ahead) + 1
            return self.text[:start] + self.text[after:].lstrip()
        head = self.text[:start].rstrip()
        return (head.removesuffix(",") if head.endswith(",") else self.text[:start]) + rest

    def with_entry(self, node: yaml.MappingNode, key: str, value: Any) -> str:
        entry = f"{self._scalar(key)}: {self._value(value)}"
        if node.flow_style:
            return self._into_flow(node, entry, [pair[0] for pair in node.value])
        column = node.value[0][0].start_mark.column
        return self._after(_end(node), " " * column + entry)

    def with_item(self, node: yaml.SequenceNode, value: Any) -> str:
        if node.flow_style:
            return self._into_flow(node, self._value(value), node.value)
        # The items know their own column, the sequence that of its dash.
        return self._after(_end(node), " " * node.start_mark.column + "- " + self._value(value))

    def _into_flow(self, node: Any, entry: str, starts: list[yaml.Node]) -> str:
        close = node.end_mark.index - 1
        if not starts:
            return self.text[: node.start_mark.index + 1] + entry + self.text[close:]
        last = node.value[-1]
        end = _end(last[1] if isinstance(last, tuple) else last)
        start = starts[-1].start_mark.index
        margin = self.text[self.text.rfind("\n", 0, start) + 1 : start]
        gap = self.newline + margin if not margin.strip() and start > node.start_mark.index + 1 else " "
        tail = self.text[end:]
        comma = tail.lstrip().startswith(",")
        if comma:
            cut = end + len(tail) - len(tail.lstrip()) + 1
            return self.text[:cut] + gap + entry + self.text[cut:]
        return self.text[:end] + "," + gap + entry + self.text[end:]

    def _after(self, end: int, line: str) -> str:
        """A line after the one that holds a position, whatever comment ends that one."""
        stop = self.text.find("\n", max(end - 1, 0) if self.text[end - 1 : end] == "\n" else end)
        if stop < 0:
            return self.text + self.newline + line
        return self.text[: stop + 1] + line + self.newline + self.text[stop + 1 :]

    def _value(self, value: Any, like: yaml.Node | None = None) -> str:
        if self.json:
            return json.dumps(value, ensure_ascii=False)
        if isinstance(value, str):
            return self._scalar(value, like)
        dumped: str = yaml.safe_dump(value, default_flow_style=True, width=_WIDE, sort_keys=False, allow_unicode=True)
        return dumped.removesuffix("\n").removesuffix("\n...").strip()

    def _scalar(self, value: str, like: yaml.Node | None = None) -> str:
        style = like.style if isinstance(like, yaml.ScalarNode) and like.style in ("'", '"') else None
        if self.json:
            style = '"'
        dumped: str = yaml.safe_dump(value, default_style=style, width=_WIDE, allow_unicode=True)
        return dumped.removesuffix("\n").removesuffix("\n...").strip()


def _end(node: yaml.Node) -> int:
    """Where a node's text ends: a block's own mark lies behind the comments that follow it."""
    if not isinstance(node, yaml.CollectionNode) or node.flow_style or not node.value:
        return int(node.end_mark.index)
    last = node.value[-1]
    return max(map(_end, last)) if isinstance(last, tuple) else _end(last)
