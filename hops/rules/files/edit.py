"""Writes patches into the text of a file without changing any other byte.

If the edited text would not parse to exactly the patched documents, nothing is written. Causes are aliases, merge keys
and templates.
"""

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any, NamedTuple

import yaml

from hops.kubernetes.values import plain
from hops.model.finding import Patch
from hops.rules.files.documents import documents, is_json, nodes, parts
from hops.rules.patches import patched

_WIDE = 1_000_000
_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
"""The line breaks of YAML's marks."""


class NotWrittenError(ValueError):
    """A patch that cannot be written into the text. The message names the reason and the remedy."""


class _Step(NamedTuple):
    """One operation in one document."""

    number: int
    operation: Mapping[str, Any]


class _Edit(NamedTuple):
    """A part of a text, and what replaces it."""

    start: int
    end: int
    new: str


def written(text: str, *patches: Patch) -> str:
    """The text with all patches applied. The time grows with the text and with the number of patches.

    text: content of the file, YAML or JSON.
    patches: each with operations on one document of the file, as the document is before any of them.

    Raises NotWrittenError if the result would not parse to the patched documents.
    """
    try:
        # Copied, so that what stands behind an alias is changed in one place only.
        before = plain(documents(text))
        done: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
        mark, changed = ("\ufeff", text[1:]) if text.startswith("\ufeff") else ("", text)
        for steps in _rounds(patches):
            waiting = steps
            while waiting:
                changed, applied, waiting = _edited(changed, waiting)
                for step in applied:
                    done[step.number].append(step.operation)
        expected = [patched(body, done[index]) if index in done else body for index, body in enumerate(before)]
        if plain(documents(changed)) == expected:
            return mark + changed
    except (LookupError, TypeError, ValueError):
        pass
    raise NotWrittenError("the value is behind an alias, a merge key or a template; edit the file by hand")


def _rounds(patches: Sequence[Patch]) -> Sequence[Sequence[_Step]]:
    """The operations of the patches; those of one round hold for the text before it."""
    steps = [
        [
            _Step(patch.place.document or 0, {**operation, **_from_the_top(patch, operation)})
            for operation in patch.operations
        ]
        for patch in patches
    ]
    if len(steps) > 1 and max(map(len, steps)) > 1 and any(map(moves_others, patches)):
        raise ValueError("a later operation of a patch could mean another item")
    return [[step for step in row if step] for row in zip_longest(*steps)]


def _from_the_top(patch: Patch, operation: Mapping[str, Any]) -> dict[str, str]:
    """The pointers of an operation within the whole document."""
    return {key: patch.place.within + operation[key] for key in ("from", "path") if key in operation}


def moves_others(patch: Patch) -> bool:
    """Whether a patch may remove or insert an item of a list, which moves the items behind it."""
    return any(one["op"] != "replace" and one["path"][-1:].isdigit() for one in patch.operations)


def _edited(text: str, steps: Sequence[_Step]) -> tuple[str, list[_Step], list[_Step]]:
    """The text with the steps applied that touch different parts of it; these steps; and the others.

    The steps are applied from the end of the text, so that a removed item moves none that is still to be changed.
    """
    editor = _Editor(text)
    as_written = map(editor.as_written, steps)
    edits = sorted(((editor.edit(step), step) for step in as_written), key=lambda pair: -pair[0].start)
    chosen: list[tuple[_Edit, _Step]] = []
    for edit, step in edits:
        last = chosen[-1][0] if chosen else None
        inserted = last and edit.start == edit.end == last.start == last.end
        if (last and edit.end > last.start) or (last and edit.start == last.start and not inserted):
            break
        chosen.append((edit, step))
    # In the order of the text; several insertions at one place stay in their own order.
    ordered = sorted((edit for edit, _ in chosen), key=lambda edit: edit.start)
    ends = [0, *(edit.end for edit in ordered)]
    pieces = [text[end : edit.start] + edit.new for end, edit in zip(ends, ordered, strict=False)]
    applied = [step for _, step in chosen]
    return "".join(pieces) + text[ends[-1] :], applied, [step for _, step in edits[len(chosen) :]]


class _Editor:
    """Finds what to replace in one text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.json = is_json(text)
        self.newline = "\r\n" if "\r\n" in text else "\n"
        self._documents = nodes(text)
        self._lines = [0, *(found.end() for found in _BREAK.finditer(text))]
        self._children: dict[int, Mapping[str, tuple[yaml.Node | None, yaml.Node]]] = {}

    def edit(self, step: _Step) -> _Edit:
        """The edit for one operation. Raises LookupError or ValueError if its place is not in the text."""
        operation = step.operation
        *above, last = parts(operation["path"])
        key, node = None, self._documents[step.number]
        for part in above:
            key, node = self._below(node)[part]
        there = self._below(node).get(last)
        match operation["op"], node:
            case "move", yaml.MappingNode():
                old, _ = self._below(node)[parts(operation["from"])[-1]]
                if old and not there:
                    return self._with_key(old, last)
            case "remove", _ if there:
                return self._without(key, node, there)
            case (("add" | "replace"), yaml.MappingNode()) if there:
                return self._with_value(*there, operation["value"])
            case "replace", yaml.SequenceNode() if there:
                return self._with_value(*there, operation["value"])
            case "add", yaml.MappingNode():
                return self._with_entry(node, last, operation["value"])
            case "add", yaml.SequenceNode() if last == "-" or int(last) == len(node.value):
                return self._with_item(node, operation["value"])
        raise KeyError(operation["path"])

    def as_written(self, step: _Step) -> _Step:
        """The operation that quotes a number or boolean as the text has it: 0777 becomes '0777' and not '511'."""
        operation = step.operation
        value = operation.get("value")
        if operation["op"] != "replace" or not isinstance(value, str):
            return step
        node: Any = self._documents[step.number]
        for part in parts(operation["path"]):
            _, node = self._below(node)[part]
        if not isinstance(node, yaml.ScalarNode) or node.style:
            return step
        (parsed,) = documents(node.value) or (None,)
        meant = parsed is not None and not isinstance(parsed, str) and json.dumps(parsed) == value
        return step._replace(operation={**operation, "value": node.value}) if meant else step

    def _below(self, node: yaml.Node | None) -> Mapping[str, tuple[yaml.Node | None, yaml.Node]]:
        """The children of a node by the part of a pointer: key node (None in a sequence) and value node."""
        if id(node) not in self._children:
            found: dict[str, tuple[yaml.Node | None, yaml.Node]] = {}
            if isinstance(node, yaml.MappingNode):
                for key, value in reversed(node.value):
                    if isinstance(key, yaml.ScalarNode):
                        found[key.value] = key, value
            elif isinstance(node, yaml.SequenceNode):
                found = {str(index): (None, item) for index, item in enumerate(node.value)}
            self._children[id(node)] = found
        return self._children[id(node)]

    def _at(self, mark: Any) -> int:
        """The offset of a mark: those of libyaml have a line and a column only."""
        return self._lines[mark.line] + int(mark.column) if mark.line < len(self._lines) else len(self.text)

    def _end(self, node: yaml.Node) -> int:
        """Where a node's text ends: a block's own mark lies behind the comments that follow it."""
        key_end = 0
        while isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
            node = node.value[-1]
            if isinstance(node, tuple):
                key, node = node
                # The value behind an alias stands further up.
                key_end = max(key_end, self._at(key.end_mark))
        return max(key_end, self._at(node.end_mark))

    def _before(self, position: int) -> int:
        """The end of what stands before the blanks before a position."""
        while position and self.text[position - 1].isspace():
            position -= 1
        return position

    def _behind(self, position: int) -> int:
        """The start of what follows the blanks behind a position."""
        while position < len(self.text) and self.text[position].isspace():
            position += 1
        return position

    def _with_value(self, key: yaml.Node | None, node: yaml.Node, value: Any) -> _Edit:
        start = self._at(node.start_mark)
        # A block of text ends with the lines after it.
        end = max(start, self._before(self._end(node)))
        new = self._value(value, like=node)
        if key and isinstance(node, yaml.CollectionNode) and not node.flow_style:
            # A flow begins on the line of its key, before a comment there.
            colon = self.text.index(":", self._end(key)) + 1
            return _Edit(colon, end, f" {new}{self.text[colon:start].rstrip()}")
        # A key without a value stands right before its colon's end.
        return _Edit(start, end, f" {new}" if start == end else new)

    def _with_key(self, key: yaml.Node, name: str) -> _Edit:
        return _Edit(self._at(key.start_mark), self._end(key), self._scalar(name, key))

    def _without(self, of: yaml.Node | None, node: Any, there: tuple[yaml.Node | None, yaml.Node]) -> _Edit:
        """of: the key of the collection itself."""
        key, value = there
        start, end = self._at((key or value).start_mark), max(self._end(value), self._end(key) if key else 0)
        if node.flow_style:
            return self._without_comma(start, end)
        if len(node.value) == 1:
            return self._with_value(of, node, {} if isinstance(node, yaml.MappingNode) else [])
        line = self.text.rfind("\n", 0, start) + 1
        following = self.text.find("\n", end - 1 if self.text[end - 1] == "\n" else end) + 1 or len(self.text)
        before = self.text[line:start]
        if before.strip(" -") or (key is not None and before.strip()):
            # The first entry of a mapping that begins on its item's line: `- name: a`.
            second = node.value[1][0] if isinstance(node, yaml.MappingNode) else node.value[1]
            return _Edit(start, self._at(second.start_mark), "")
        return _Edit(line, following, "")

    def _without_comma(self, start: int, end: int) -> _Edit:
        ahead = self._behind(end)
        if self.text[ahead : ahead + 1] == ",":
            return _Edit(start, self._behind(ahead + 1), "")
        head = self._before(start)
        return _Edit(head - 1 if self.text[head - 1] == "," else start, end, "")

    def _with_entry(self, node: yaml.MappingNode, key: str, value: Any) -> _Edit:
        entry = f"{self._scalar(key)}: {self._value(value)}"
        if node.flow_style:
            return self._into_flow(node, entry, [pair[0] for pair in node.value[-1:]])
        column = node.value[0][0].start_mark.column
        return self._after(self._end(node), " " * column + entry)

    def _with_item(self, node: yaml.SequenceNode, value: Any) -> _Edit:
        if node.flow_style:
            return self._into_flow(node, self._value(value), node.value[-1:])
        # The items know their own column, the sequence that of its dash.
        return self._after(self._end(node), " " * node.start_mark.column + "- " + self._value(value))

    def _into_flow(self, node: Any, entry: str, last: Sequence[yaml.Node]) -> _Edit:
        """last: where the last entry starts, if there is one."""
        first = self._at(node.start_mark) + 1
        if not last:
            return _Edit(first, self._at(node.end_mark) - 1, entry)
        value = node.value[-1]
        end = self._end(value[1] if isinstance(value, tuple) else value)
        start = self._at(last[0].start_mark)
        margin = self.text[self.text.rfind("\n", 0, start) + 1 : start]
        gap = self.newline + margin if not margin.strip() and start > first else " "
        ahead = self._behind(end)
        if self.text[ahead : ahead + 1] == ",":
            return _Edit(ahead + 1, ahead + 1, gap + entry)
        return _Edit(end, end, "," + gap + entry)

    def _after(self, end: int, line: str) -> _Edit:
        """A line after the one that holds a position, whatever comment ends that one."""
        stop = self.text.find("\n", max(end - 1, 0) if self.text[end - 1 : end] == "\n" else end)
        if stop < 0:
            return _Edit(len(self.text), len(self.text), self.newline + line)
        return _Edit(stop + 1, stop + 1, line + self.newline)

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
