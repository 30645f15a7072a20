"""The Python example in a real cluster, by the commands of its README."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.live.conftest import a_clone
from tests.project import answer, containers

CLUSTER = "hops-python"


@pytest.mark.long
def test_the_python_example_answers_and_leaves_nothing_behind(tmp_path: Path) -> None:
    assert containers(CLUSTER) == [], f"a cluster named {CLUSTER} is here already; this test needs that name"
    with a_clone(tmp_path) as clone:
        example = replace(clone, folder=clone.folder / "examples" / "python")
        example.pulumi("stack", "init", "hello")
        try:
            example.pulumi("up", "--yes")
            url = example.outputs("hello")["url"]
            status, body = answer(f"curl {url}")
            assert status == 200
            assert "Directory listing" in body
            assert "73 unchanged" in example.pulumi("preview")
        finally:
            example.pulumi("destroy", "--yes")
            example.pulumi("stack", "rm", "hello", "--yes")
    assert containers(CLUSTER) == []
