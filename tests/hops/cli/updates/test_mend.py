"""The kubeconfig file of a running cluster, lost or damaged, and written again."""

import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from hops.cli.updates.mend import damaged_kubeconfig, write_kubeconfig

WHOLE = "contexts:\n- context: {cluster: kind-shop}\n  name: kind-shop\n"


def state(file: Path) -> dict[str, Any]:
    cluster = {"kubeconfig": str(file), "context": "kind-shop"}
    return {"deployment": {"resources": [{"type": "pulumi:pulumi:Stack", "outputs": {"cluster": cluster}}]}}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "shop-3.yaml"


@pytest.mark.parametrize("content", [None, b"", b"nothing of use\n", b"name: kind-shop-2\n", b"\xff\xfe"])
def test_a_lost_or_damaged_file_is_found(file: Path, content: bytes | None) -> None:
    if content is not None:
        file.write_bytes(content)
    assert damaged_kubeconfig(state(file)) == file


def test_a_whole_file_is_left_alone(file: Path) -> None:
    file.write_text(WHOLE)
    assert damaged_kubeconfig(state(file)) is None


def test_a_stack_that_published_no_cluster_has_none() -> None:
    assert damaged_kubeconfig({"deployment": {"resources": []}}) is None


def kind(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir()
    (folder / "kind").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "kind").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_the_file_and_its_link_are_written_for_their_owner(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kind(file.parent / "bin", f'test "$*" = "get kubeconfig --name shop" && printf "{WHOLE}"', monkeypatch)
    file.write_text("nothing of use\n")
    write_kubeconfig(file, "shop", "shop.yaml")
    assert file.read_text() == WHOLE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert (file.parent / "shop.yaml").resolve() == file
    assert sorted(path.name for path in file.parent.iterdir()) == ["bin", "shop-3.yaml", "shop.yaml"]


def test_a_kind_that_fails_leaves_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kind(file.parent / "bin", "exit 1", monkeypatch)
    file.write_text("nothing of use\n")
    with pytest.raises(subprocess.CalledProcessError):
        write_kubeconfig(file, "shop", "shop.yaml")
    assert file.read_text() == "nothing of use\n"
    assert not (file.parent / "shop.yaml").exists()
