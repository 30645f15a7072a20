"""Envoy's regular expressions."""

import pytest

from hops.model.regular_expressions import matches_whole


@pytest.mark.parametrize(
    ("expression", "path", "matched"),
    [
        ("/a.*", "/abc", True),
        ("/a", "/abc", False),
        ("/[[:alpha:]]+", "/abc", True),
        (r"/\pL+", "/abc", True),
        ("(?i)/A", "/a", True),
        ("/(?P<x>a)", "/a", True),
        # What Python knows, and RE2 refuses.
        ("/(?=a)a", "/a", None),
        (r"/(a)\1", "/aa", None),
        ("/a{2,1001}", "/aa", None),
        ("/(", "/(", None),
        ("/\udc80", "/a", None),
        ("/a", "/\udc80", None),
    ],
)
def test_an_expression_means_what_it_means_to_envoy(expression: str, path: str, matched: bool | None) -> None:  # noqa: FBT001
    assert matches_whole(expression, path) is matched


@pytest.mark.parametrize("expression", ["/(a*)*b", "/(a|a)*b", "/(a+)+b", "/(.*)*(.*)*b", "/" + "a?" * 500 + "a" * 500])
def test_no_expression_takes_long(expression: str) -> None:
    """Python's own would not end in the life of the machine."""
    assert matches_whole(expression, "/" + "a" * 20_000) is False
