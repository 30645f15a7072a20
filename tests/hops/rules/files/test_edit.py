"""Patches written into files: what they say changes, every other byte stays."""

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hops.model.finding import Identity, Patch, Place
from hops.rules.catalogue import RULES
from hops.rules.files.documents import documents
from hops.rules.files.edit import NotWrittenError, written
from hops.rules.patches import patched
from tests.hops.rules.cases import documents as examples
from tests.hops.rules.cases import verdict


def change(text: str, *operations: dict[str, Any], document: int = 0, within: str = "") -> str:
    patch = Patch(Identity("v1", "Pod", "apps", "web"), Place("a.yaml", document, within), operations)
    return written(text, patch)


def remove(path: str) -> dict[str, Any]:
    return {"op": "remove", "path": path}


def add(path: str, value: Any) -> dict[str, Any]:
    return {"op": "add", "path": path, "value": value}


def replace(path: str, value: Any) -> dict[str, Any]:
    return {"op": "replace", "path": path, "value": value}


BLOCK = """\
# of the shop
spec:
    host: "old"   # a name
    ports:
    -   name: 'a'   # first
        port: 80

    # the second
    - port: 81
      name: b
text: |
  lines

last:
"""


@pytest.mark.parametrize(
    ("operation", "old", "new"),
    [
        (replace("/spec/host", "new"), '"old"', '"new"'),
        (replace("/spec/ports/0/name", "c"), "'a'", "'c'"),
        (replace("/spec/ports/1/name", "no"), "name: b", "name: 'no'"),
        (replace("/spec/ports/1/port", 82), "81", "82"),
        (replace("/text", "one"), "|\n  lines\n", "one\n"),
        (add("/last", {"a": [1]}), "last:", "last: {a: [1]}"),
        (add("/more", None), "last:\n", "last:\nmore: null\n"),
        (add("/spec/tls", []), "name: b\n", "name: b\n    tls: []\n"),
        (add("/spec/ports/0/nodePort", 1), "port: 80\n", "port: 80\n        nodePort: 1\n"),
        (add("/spec/ports/-", {"port": 1}), "name: b\n", "name: b\n    - {port: 1}\n"),
        (remove("/spec/host"), '    host: "old"   # a name\n', ""),
        (remove("/spec/ports/0/port"), "        port: 80\n", ""),
        (remove("/spec/ports/0/name"), "name: 'a'   # first\n        port", "port"),
        (remove("/spec/ports/1"), "    - port: 81\n      name: b\n", ""),
        (remove("/text"), "text: |\n  lines\n\n", ""),
        (remove("/last"), "last:\n", ""),
    ],
    ids=str,
)
def test_a_block(operation: dict[str, Any], old: str, new: str) -> None:
    assert BLOCK.count(old) == 1
    assert change(BLOCK, operation) == BLOCK.replace(old, new)


@pytest.mark.parametrize(
    ("text", "operation", "after"),
    [
        ("{a: 1, b: [x,  y ]}\n", remove("/a"), "{b: [x,  y ]}\n"),
        ("{a: 1, b: [x,  y ]}\n", remove("/b"), "{a: 1}\n"),
        ("{a: 1, b: [x,  y ]}\n", remove("/b/1"), "{a: 1, b: [x ]}\n"),
        ("{a: 1}", add("/b", "c"), "{a: 1, b: c}"),
        ("{a: {}}", add("/a/b", 1), "{a: {b: 1}}"),
        ("a: []\n", add("/a/-", 1), "a: [1]\n"),
        ("{a: [1,]}", add("/a/-", 2), "{a: [1, 2]}"),
        ("a: # of it\n- b: 1\n", remove("/a/0"), "a: [] # of it\n"),
        ("x:\n- a: 1\n", remove("/x/0/a"), "x:\n- {}\n"),
        ("a:\n- b\n- c # last\nd: 1\n", replace("/a", {"e": 1}), "a: {e: 1} # last\nd: 1\n"),
        ("a:\n  b: 1\nc: 1\n", remove("/a/b"), "a: {}\nc: 1\n"),
        ("a: 1\r\nb: 2\r\n", add("/c", 3), "a: 1\r\nb: 2\r\nc: 3\r\n"),
        ("a: 1", add("/c", 3), "a: 1\nc: 3"),
        ('{\n\t"a": 1\n}\n', add("/b", "c"), '{\n\t"a": 1,\n\t"b": "c"\n}\n'),
        ('{"a": "é"}', replace("/a", "ü"), '{"a": "ü"}'),
        ("\ufeffa: ä # ö\nb: 1\n", replace("/b", 2), "\ufeffa: ä # ö\nb: 2\n"),
        ("a~b: {c/d: 1}\n", replace("/a~0b/c~1d", 2), "a~b: {c/d: 2}\n"),
    ],
)
def test_an_edge(text: str, operation: dict[str, Any], after: str) -> None:
    assert change(text, operation) == after


@pytest.mark.parametrize(
    ("source", "value", "after"),
    [
        ("0777", "511", "'0777'"),
        ("yes", "true", "'yes'"),
        ("1_000", "1000", "'1_000'"),
        ("80", "80", "'80'"),
        # Another value is no quotation.
        ("0777", "777", "'777'"),
        ("yes", "Prefix", "Prefix"),
        ('"0777"', "511", '"511"'),
        ("text", "other", "other"),
    ],
)
def test_a_number_or_boolean_is_quoted_as_it_is_written(source: str, value: str, after: str) -> None:
    assert change(f"a:\n  b: {source} # c\n", replace("/a/b", value)) == f"a:\n  b: {after} # c\n"
    assert change(f"{{a: {{b: {source}}}}}\n", replace("/a/b", value)) == f"{{a: {{b: {after}}}}}\n"


def test_one_of_several_documents_and_one_item_of_a_list() -> None:
    text = "a: 1\n---\n# nothing\n---\nitems:\n- a: 1\n- a: 1 # this\n...\n"
    assert change(text, replace("/a", 2), document=2, within="/items/1") == text.replace("1 # this", "2 # this")


@pytest.mark.parametrize(
    ("text", "operation"),
    [
        ("a: &x {b: 1}\nc: *x\n", replace("/c/b", 2)),
        ("a: &x {b: 1}\nc: *x\n", replace("/a/b", 2)),
        ("a: &x {b: 1}\nc: {<<: *x}\n", remove("/c/b")),
        ("a: 1\n", remove("/b")),
        ("a: 1\n", add("/b/c", 1)),
        ("a: [", add("/b", 1)),
        # A list where an object is expected.
        ("a: [1]\n", add("/a/b", 1)),
        ("a: [1]\n", remove("/a/b")),
        ("a: [1]\n", replace("/a/b/c", 1)),
    ],
)
def test_what_can_not_be_written_is_refused(text: str, operation: dict[str, Any]) -> None:
    with pytest.raises(NotWrittenError):
        change(text, operation)


def many(text: str, *operations: tuple[dict[str, Any], ...]) -> str:
    patches = [Patch(Identity("v1", "Pod", "apps", "web"), Place("a.yaml", 0), one) for one in operations]
    return written(text, *patches)


@pytest.mark.parametrize(
    ("text", "operations", "after"),
    [
        ("a: 1\nb: 2\nc: 3\n", [(remove("/a"),), (replace("/b", 4),), (remove("/c"),)], "b: 4\n"),
        ("x:\n- a\n- b\n- c\n- d\n", [(remove("/x/0"),), (remove("/x/2"),), (remove("/x/1"),)], "x:\n- d\n"),
        ("x: [a, b, c, d]\n", [(remove("/x/0"),), (remove("/x/2"),), (remove("/x/1"),)], "x: [d]\n"),
        ("a:\n- 1\n# end\n", [(add("/a/-", 2),), (add("/a/-", 3),)], "a:\n- 1\n- 2\n- 3\n# end\n"),
        ("a: [1]\n", [(add("/a/-", 2),), (add("/a/-", 3),)], "a: [1, 2, 3]\n"),
        ("a: {b: 1, c: 2}\n", [(remove("/a/b"), add("/a/d", 3)), (replace("/a/c", 4),)], "a: {c: 4, d: 3}\n"),
        ("\ufeffa: 1\nb: 2\n", [(replace("/a", 3),), (replace("/b", 4),)], "\ufeffa: 3\nb: 4\n"),
        ("a: '\u2028'\nb: 2\n", [(replace("/b", 4),)], "a: '\u2028'\nb: 4\n"),
    ],
)
def test_several_patches_of_one_text(text: str, operations: list[tuple[dict[str, Any], ...]], after: str) -> None:
    assert many(text, *operations) == after


def test_patches_that_could_mean_another_item_are_not_written_together() -> None:
    text, first, second = "x:\n- {a: 1}\n- {b: 2}\n", (remove("/x/0"),), (replace("/x/1/b", 3), add("/x/1/c", 4))
    with pytest.raises(NotWrittenError):
        many(text, first, second)
    assert many(text, second) == "x:\n- {a: 1}\n- {b: 3, c: 4}\n"


STYLES: tuple[dict[str, Any], ...] = (
    {},
    {"default_flow_style": True},
    {"default_flow_style": None},
    {"indent": 4, "default_style": '"'},
)


@given(st.sampled_from(list(RULES)), st.sampled_from(STYLES))
def test_the_patch_of_every_rule_can_be_written_in_every_style(code: str, style: dict[str, Any]) -> None:
    bodies = examples(RULES[code].bad)
    if code == "PK01" or bodies[0]["kind"] == "Policy":
        return
    text = "# kept\n" + yaml.safe_dump_all(bodies, sort_keys=False, **style)
    for finding in verdict(bodies, rules=[code]):
        if finding.patch:
            changed = written(text, finding.patch)
            number = finding.patch.place.document
            assert number is not None
            expected = [patched(b, finding.patch.operations) if i == number else b for i, b in enumerate(bodies)]
            assert documents(changed) == expected
            kept = set(text.splitlines()) - set(changed.splitlines())
            assert len(kept) <= 4 * len(finding.patch.operations)
