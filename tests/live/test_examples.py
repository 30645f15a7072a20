"""The Python example and the gRPC example in a real cluster, by the commands of their READMEs."""

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.live.conftest import a_clone
from tests.live.stand_ins import with_packages
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


@pytest.mark.long
def test_the_grpc_example_is_called_through_envoy_and_traced(tmp_path: Path) -> None:
    with a_clone(tmp_path) as clone:
        example = clone.folder / "examples" / "grpc"
        with_packages(example / "hello")
        shutil.copy(example / "grpc.yaml", clone.folder / "stacks" / "Pulumi.grpc.yaml")
        up = clone.up("grpc")
        assert "is answered by its pod" in up, up
        (call,) = re.findall(r"^printf .*", (example / "README.md").read_text(), flags=re.MULTILINE)
        said = subprocess.run(["sh", "-c", f"{call} --dump-header /dev/stderr"], capture_output=True, check=True)
        assert said.stdout == b"\0\0\0\0\x0bhello world"
        assert b"HTTP/2 200" in said.stderr
        # Trailers follow the body: the status of the call.
        assert b"grpc-status: 0" in said.stderr
        assert "all is well" in clone.make("trace", "STACK=grpc")
        assert "no changes" in clone.preview("grpc")
