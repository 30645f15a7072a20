"""Documents as Kubernetes reads them."""

import pytest

from hops.kubernetes.values import JSON
from hops.rules.files.documents import documents


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
