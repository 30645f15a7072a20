"""Where a stack's kubeconfig and the project's Makefile are found."""

from pathlib import Path

import pytest

from hops.model.settings.stack_config import settings
from hops.observe.local.stack_files import has_makefile, kubeconfig, kubeconfig_folder


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


def test_a_makefile_of_another_project_is_not_the_one_of_ingress_hops(tmp_path: Path) -> None:
    assert not has_makefile(tmp_path)
    (tmp_path / "Makefile").touch()
    assert not has_makefile(tmp_path)
    assert has_makefile(Path(__file__).parents[4])
