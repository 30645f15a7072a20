"""Mirrors of registries: what is refused, and the files that containerd reads."""

import base64
import json
import subprocess
import tomllib
from pathlib import Path

import pytest

from hops.model.images.registries import FOLDER, hosts_file, login, mirror_problem, script
from hops.model.settings.stack_config import SettingsError, settings


@pytest.mark.parametrize("url", ["http://mirror:5000", "https://harbor.example/hub", "http://172.18.0.1:5000"])
def test_a_mirror_is_a_url(url: str) -> None:
    assert mirror_problem(url) == ""


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("mirror:5000", "a mirror is http://HOST"),
        ("ftp://mirror", "a mirror is http://HOST"),
        ("http://mirror/a b", "a mirror is http://HOST"),
        ("https://user:password@mirror", "a mirror is http://HOST"),
        ("http://localhost:5000", "localhost is the node itself"),
        ("http://127.0.0.1:5000", "127.0.0.1 is the node itself"),
    ],
)
def test_what_no_node_can_ask_is_refused(url: str, why: str) -> None:
    with pytest.raises(SettingsError, match=r"cluster\.registries") as error:
        settings("local", {"cluster": {"registries": {"docker.io": [url]}}})
    assert why in str(error.value)


def test_a_cluster_that_exists_has_its_own_mirrors() -> None:
    with pytest.raises(SettingsError, match="remove registries"):
        settings("local", {"cluster": {"existing": "mine", "registries": {"docker.io": ["http://mirror"]}}})


def test_a_path_stands_before_the_name_of_the_repository() -> None:
    hosts = tomllib.loads(hosts_file(["http://mirror:5000", "https://harbor.example/hub"]))["host"]
    assert list(hosts) == ["http://mirror:5000", "https://harbor.example/v2/hub"]
    assert hosts["https://harbor.example/v2/hub"] == {"capabilities": ["pull", "resolve"], "override_path": True}
    assert "override_path" not in hosts["http://mirror:5000"]


class Node:
    """A folder in which the script runs, with a containerd that prints a configuration."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "bin").mkdir()
        self.program("containerd", f"sed s:^:\\ :  {folder}/config.toml")
        self.program("systemctl", f'echo "$*" >> {folder}/restarts')
        self.config("version = 2\n")

    def program(self, name: str, does: str) -> None:
        file = self.folder / "bin" / name
        file.write_text(f"#!/bin/sh\n{does}\n")
        file.chmod(0o755)

    def config(self, text: str) -> None:
        (self.folder / "config.toml").write_text(text)

    def run(self, registries: dict[str, list[str]]) -> subprocess.CompletedProcess[str]:
        here = script(registries).replace("/etc/containerd", str(self.folder))
        path = {"PATH": f"{self.folder}/bin:/usr/bin:/bin"}
        return subprocess.run(["sh"], input=here, env=path, capture_output=True, text=True, check=False)

    def files(self) -> list[str]:
        return sorted(str(file.parent.name) for file in self.folder.glob("certs.d/*/hosts.toml"))

    @property
    def restarts(self) -> str:
        file = self.folder / "restarts"
        return file.read_text() if file.exists() else ""


def test_the_files_follow_the_setting_and_those_of_others_stay(tmp_path: Path) -> None:
    node = Node(tmp_path)
    (tmp_path / "certs.d" / "quay.io").mkdir(parents=True)
    (tmp_path / "certs.d" / "quay.io" / "hosts.toml").write_text("[host]\n")
    for registries in ({"docker.io": ["http://m"], "ghcr.io:443": ["http://m"]}, {"docker.io": ["http://m"]}, {}):
        done = node.run(registries)
        assert done.returncode == 0, done.stderr
        assert node.files() == sorted([*registries, "quay.io"])
    assert node.restarts == "restart containerd\n", "once is enough"
    assert tomllib.loads((tmp_path / "config.toml").read_text())["plugins"]["io.containerd.grpc.v1.cri"]


def test_a_containerd_that_looks_for_the_files_is_not_started_again(tmp_path: Path) -> None:
    node = Node(tmp_path)
    node.config(f"config_path = '{tmp_path}/certs.d:/etc/docker/certs.d'\n")
    assert node.run({"docker.io": ["http://m"]}).returncode == 0
    assert node.restarts == ""


def test_a_section_that_somebody_wrote_is_not_touched(tmp_path: Path) -> None:
    node = Node(tmp_path)
    node.config('[plugins."io.containerd.grpc.v1.cri".registry]\n')
    done = node.run({"docker.io": ["http://m"]})
    assert done.returncode == 1
    assert "set config_path to" in done.stderr
    assert node.restarts == ""


def test_the_folder_is_that_of_containerd() -> None:
    assert FOLDER == "/etc/containerd/certs.d"


@pytest.mark.parametrize(
    ("image", "registry"),
    [
        ("web:1", "https://index.docker.io/v1/"),
        ("shop/web:1", "https://index.docker.io/v1/"),
        ("docker.io/shop/web", "https://index.docker.io/v1/"),
        ("registry.example/web:1", "registry.example"),
        ("registry.example:5000/shop/web@sha256:" + 64 * "0", "registry.example:5000"),
        ("localhost/web", "localhost"),
        ("mirror:5000/web", "mirror:5000"),
    ],
)
def test_a_login_is_for_the_registry_of_the_image(image: str, registry: str) -> None:
    assert json.loads(login(image, "anna:pass:word")) == {
        "auths": {registry: {"auth": base64.b64encode(b"anna:pass:word").decode()}}
    }
