"""Where a stack's kubeconfig is found."""

from pathlib import Path

import pytest

from hops.model.settings import settings
from hops.observe.local.stack_files import kubeconfig, kubeconfig_folder


@pytest.mark.parametrize(("folder", "expected"), [("kept", "project/kept"), ("~/kept", "home/kept")])
def test_the_folder_is_the_project_s_or_the_user_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str, expected: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    of = settings("alice", {"cluster": {"kubeconfigFolder": folder}})
    assert kubeconfig_folder(tmp_path / "project", of) == tmp_path / expected
    assert kubeconfig(tmp_path / "project", "alice", of) is None
    (tmp_path / expected).mkdir(parents=True)
    (tmp_path / expected / "alice.yaml").touch()
    assert kubeconfig(tmp_path / "project", "alice", of) == tmp_path / expected / "alice.yaml"
