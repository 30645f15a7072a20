"""Documents as Kubernetes reads them."""

import pytest

from hops.kubernetes.values import JSON
from hops.rules.files.documents import UnreadableError, documents


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1: a\ntrue: b\n1.5: c\n", {"1": "a", "true": "b", "1.5": "c"}),
        ("a: &x {b: 1}\nc: *x\nd: {<<: *x, e: 2}\n", {"a": {"b": 1}, "c": {"b": 1}, "d": {"b": 1, "e": 2}}),
        ('{"a": "\\ud83d\\ude00"}', {"a": "\U0001f600"}),
        ("a: 2026-13-40\n", {"a": "2026-13-40"}),
        ("[0o644, 0755, -0o17, 0x50, 0b11, 1_000, 08]\n", [420, 493, -15, 80, 3, 1000, 8]),
        ("[1e3, 1E+3, 2e-1, .5, 5., 1.10]\n", [1000, 1000, 0.2, 0.5, 5, 1.1]),
        (
            "[12:30, 1:30.5, 1.2.3, 1e, e3, .e3, ., -, 0o8]\n",
            ["12:30", "1:30.5", "1.2.3", "1e", "e3", ".e3", ".", "-", "0o8"],
        ),
        ("1e3: a\n", {"1000": "a"}),
    ],
)
def test_a_text_is_read_as_kubernetes_reads_it(text: str, value: JSON) -> None:
    assert documents(text) == [value]


def test_brackets_in_remarks_and_texts_nest_nothing() -> None:
    assert documents("a: [1]  # " + "[" * 300 + "\nb: '" + "{" * 300 + "'\n") == [{"a": [1], "b": "{" * 300}]


TABS = "a tab indents this line, and YAML takes spaces only; replace the tab by spaces"


@pytest.mark.parametrize(
    ("text", "said", "mended"),
    [
        ("a:\n\tb: 1\n", f"2:1 {TABS}", "a:\n  b: 1\n"),
        ("a:\n  \tb: 1\n", f"2:3 {TABS}", "a:\n    b: 1\n"),
        ("a: b: c\n", '1:5 the value "b: c" contains a colon and a space; put the value in quotes', 'a: "b: c"\n'),
        ("a: 1\nb\nc: 2\n", '2:1 no colon follows "b"; write "b: VALUE", or remove the line', "a: 1\nb: 3\nc: 2\n"),
        ("a\n  b: 1\n", '1:1 no colon follows "a"; write "a:"', "a:\n  b: 1\n"),
        (
            "a:\n  b: 1\n\n   # c\n   d: 2\n",
            "5:4 the indentation fits no line above; give this line 2 spaces in front, as line 2 has",
            "a:\n  b: 1\n\n   # c\n  d: 2\n",
        ),
        (
            "a:\n  b: 1\n   c: 2\n",
            "3:4 this line is indented below line 2, which has a value already; give it 2 spaces in front",
            "a:\n  b: 1\n  c: 2\n",
        ),
        (
            "a:\n   b: 1\n  c: 2\n",
            "3:3 the indentation fits no line above; give this line 3 spaces in front, as line 2 has",
            "a:\n   b: 1\n   c: 2\n",
        ),
        (
            "  a: 1\nb: 2\n",
            "2:1 the indentation fits no line above; give this line 2 spaces in front, as line 1 has",
            "  a: 1\n  b: 2\n",
        ),
        (
            "z: 1\n---\n a: 1\nb: 2\n",
            "4:1 the indentation fits no line above; give this line 1 space in front, as line 3 has",
            "a: 1\nb: 2\n",
        ),
        (
            "{a: 1}\nb: 2\n",
            "2:1 the document ends above this line; write --- between two documents, or remove this line",
            "{a: 1}\n",
        ),
        (
            "a:\n  :\n  b: 1\n",
            "2:3 no key stands before this colon; put a value that contains a colon in quotes",
            "a:\n  b: 1\n",
        ),
        (
            "a:\n    - b: 1\n   - c: 2\n",
            "3:4 the indentation fits no line above; give this line 4 spaces in front, as line 2 has",
            "a:\n    - b: 1\n    - c: 2\n",
        ),
        ("a:\n  - b:1\n    c: 2\n", '2:7 no space follows the colon; write "- b: 1"', "a:\n  - b: 1\n    c: 2\n"),
        ("a: 1\nb:2\nc: 3\n", '2:3 no space follows the colon; write "b: 2"', "a: 1\nb: 2\nc: 3\n"),
        (
            "a:\n  - b: 1\n   c: 2\n",
            (
                '3:4 the list of line 2 continues here, and this line has no dash; begin it with "- ", or '
                "give it 4 spaces in front if it belongs to the entry above"
            ),
            "a:\n  - b: 1\n    c: 2\n",
        ),
        (
            'a: "b\nc: 2\n',
            "1:4 the quotation mark is not closed; write the same mark at the end of the value",
            'a: "b"\nc: 2\n',
        ),
        (
            "a: [1, 2\nb: 3\n",
            "1:4 the [ is not closed; write ] after its last entry, and a comma between two",
            "a: [1]",
        ),
        ("a: {b: 1\nc: 3\n", "1:4 the { is not closed; write } after its last entry, and a comma between two", "a: {}"),
        ("a: @b\n", "1:4 no value can begin with @; put the value in quotes", "a: '@b'\n"),
        ("a: *.b\n", "1:5 no name follows *; put a value that begins with * in quotes", "a: '*.b'\n"),
        ("a: *b\n", "1:4 no value is marked with &b; put a value that begins with * in quotes", "a: '*b'\n"),
        (
            'a: "\\d"\n',
            "1:5 a backslash in double quotes begins an escape sequence; put the value in single quotes",
            "a: '\\d'\n",
        ),
        (
            'a: "b" c\n',
            '1:8 a value ends before "c"; put the whole value in quotes, or remove the rest',
            "a: '\"b\" c'\n",
        ),
        (
            "a: {{ b }}\n",
            "1:5 a key is a mapping; a key must be a string; put a value with {{ }} in quotes, or render the template",
            "a: '{{ b }}'\n",
        ),
        ("a: - b\n", "1:4 a list cannot begin in the line of its key; begin it in the next line", "a:\n- b\n"),
        ("a: ]\n", "1:4 a value is missing before ]; put a value that begins with it in quotes", "a: ']'\n"),
        (
            "a: >x\n",
            "1:5 a text after | or > begins in the next line; put a value that begins with such a sign in quotes",
            "a: '>x'\n",
        ),
        (
            "a: 1\n<<<<<<< HEAD\nb: 1\n=======\nb: 2\n>>>>>>> c\n",
            "2:1 this line marks a merge conflict of git; resolve the conflict",
            "a: 1\nb: 2\n",
        ),
        ("a: b\x07\n", "1:5 the character U+0007 is not allowed in YAML; remove it", "a: b\n"),
    ],
)
def test_a_mistake_is_reported_in_plain_words_with_what_mends_it(text: str, said: str, mended: str) -> None:
    with pytest.raises(UnreadableError) as raised:
        documents(text)
    assert f"{raised.value.line}:{raised.value.column} {raised.value}" == said
    assert documents(mended)
