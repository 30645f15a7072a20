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
    ],
)
def test_a_text_is_read_as_kubernetes_reads_it(text: str, value: JSON) -> None:
    assert documents(text) == [value]


def test_brackets_in_remarks_and_texts_nest_nothing() -> None:
    assert documents("a: [1]  # " + "[" * 300 + "\nb: '" + "{" * 300 + "'\n") == [{"a": [1], "b": "{" * 300}]
