"""The published files: only the pinned bytes are taken, and every object becomes a resource."""

import hashlib
import http.client
import io
import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pulumi
import pytest

from components import upstream
from components.upstream import ManifestError, declare, find, from_registry, manifests_folder, named, published
from hops.model.versions import Manifest
from tests.recording import Recording, run

TEXT = b"kind: A\nmetadata: {name: a}\n---\n# nothing here\n---\nkind: B\nmetadata: {name: b}\n"
PINNED = Manifest("calico", "0.0.1", hashlib.sha256(TEXT).hexdigest())


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses asked for; each answers the pinned text."""
    asked: list[str] = []

    def answer(url: str, timeout: float) -> io.BytesIO:
        assert timeout > 0
        asked.append(url)
        return io.BytesIO(TEXT)

    monkeypatch.setattr(urllib.request, "urlopen", answer)
    return asked


def refuse_network(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(urllib.request, "urlopen", fail)


def test_the_folder_is_named_or_the_users_cache() -> None:
    assert manifests_folder({"INGRESS_HOPS_MANIFESTS": "/a"}) == Path("/a")
    assert manifests_folder({"XDG_CACHE_HOME": "/c"}) == Path("/c/ingress-hops")
    assert manifests_folder({}) == Path.home() / ".cache/ingress-hops"


def test_a_missing_file_is_fetched_once(tmp_path: Path, fetched: list[str]) -> None:
    folder = tmp_path / "not" / "yet"
    for _ in range(2):
        assert [item["kind"] for item in published(PINNED, folder)] == ["A", "B"]
    assert fetched == [PINNED.url]
    assert os.listdir(folder) == ["calico-v0.0.1.yaml"], "no half-written file stays"  # noqa: PTH208
    assert (folder / PINNED.file_name).read_bytes() == TEXT


def test_a_file_that_is_there_needs_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_network(monkeypatch, AssertionError())
    (tmp_path / PINNED.file_name).write_bytes(TEXT)
    assert len(published(PINNED, tmp_path)) == 2


def test_an_altered_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / PINNED.file_name
    path.write_bytes(TEXT + b"\n")
    with pytest.raises(ManifestError) as caught:
        published(PINNED, tmp_path)
    message = str(caught.value)
    assert message.startswith(f"{path} is not calico 0.0.1 as published: its sha256 is ")
    assert f"pinned is {PINNED.sha256}. Delete the file" in message
    assert path.exists(), "whose file it is, nobody knows"


def test_an_altered_answer_is_refused_and_not_kept(tmp_path: Path, fetched: list[str]) -> None:
    other = Manifest("calico", "0.0.1", "0" * 64)
    with pytest.raises(ManifestError, match=r"is not calico 0\.0\.1 as published"):
        published(other, tmp_path)
    assert fetched
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [urllib.error.URLError("no route to host"), TimeoutError("timed out")])
def test_no_network_says_how_to_do_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    refuse_network(monkeypatch, error)
    with pytest.raises(ManifestError) as caught:
        published(PINNED, tmp_path)
    message = str(caught.value)
    assert str(tmp_path / PINNED.file_name) in message
    assert f"Fetch {PINNED.url} on a machine with network, put it there under the name calico-v0.0.1.yaml" in message
    assert "INGRESS_HOPS_MANIFESTS" in message


@pytest.mark.parametrize("error", [ConnectionResetError("reset"), http.client.IncompleteRead(b"half")])
def test_an_answer_that_breaks_off_is_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    class Broken(io.BytesIO):
        def read(self, *_: Any) -> bytes:
            raise error

    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: Broken())
    with pytest.raises(ManifestError, match=r"reset|IncompleteRead"):
        published(PINNED, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / PINNED.file_name).mkdir()
    with pytest.raises(ManifestError, match=r"Is a directory.*INGRESS_HOPS_MANIFESTS"):
        published(PINNED, tmp_path)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path, fetched: list[str]) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ManifestError, match=r"Not a directory|File exists"):
        published(PINNED, tmp_path / "file" / "below")
    assert len(fetched) == 1


def test_the_file_appears_whole(tmp_path: Path, fetched: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []
    rename = Path.replace

    def watched(part: Path, target: Path) -> Path:
        seen.append(target.exists())
        assert part.read_bytes() == TEXT
        return rename(part, target)

    monkeypatch.setattr(Path, "replace", watched)
    published(PINNED, tmp_path)
    assert seen == [False]
    assert fetched


def item(kind: str, name: str = "a", version: str = "v1") -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}}


class Parent(pulumi.ComponentResource):
    def __init__(self, objects: list[dict[str, Any]], before_pods: list[pulumi.Resource]) -> None:
        super().__init__("test:index:Parent", "parent")
        self.children = declare(objects, self, None, before_pods)


def test_objects_become_resources_in_an_order_that_works() -> None:
    objects = [
        item("DaemonSet", version="apps/v1"),
        item("ConfigMap", "C"),
        item("Namespace"),
        item("ClusterRole", "r", "rbac.authorization.k8s.io/v1"),
    ]

    def program() -> None:
        parent = Parent(objects, [Parent([], [])])
        assert len(parent.children) == 4

    recording = run(program, Recording())
    assert [(r.type, r.name) for r in recording.resources[2:]] == [
        ("kubernetes:core/v1:Namespace", "namespace-a"),
        ("kubernetes:core/v1:ConfigMap", "configmap-c"),
        ("kubernetes:rbac.authorization.k8s.io/v1:ClusterRole", "clusterrole-r"),
        ("kubernetes:apps/v1:DaemonSet", "daemonset-a"),
    ]
    namespace, settings, role, pods = recording.resources[2:]
    assert list(namespace.request.dependencies) == []
    assert list(settings.request.dependencies) == list(role.request.dependencies) == [namespace.urn]
    assert {namespace.urn, settings.urn, role.urn} <= set(pods.request.dependencies)
    assert settings.inputs == item("ConfigMap", "C")


def test_what_is_looked_for_and_missing_is_told() -> None:
    objects = [item("ConfigMap")]
    assert find(objects, "ConfigMap", "a") is objects[0]
    with pytest.raises(ManifestError, match="holds no ConfigMap b: adapt the component"):
        find(objects, "ConfigMap", "b")
    with pytest.raises(ManifestError, match="no entry named b: adapt the component"):
        named([{"name": "a"}, {}], "b")


def test_images_come_from_another_registry() -> None:
    pod = {
        "initContainers": [{"image": "quay.io/calico/cni:v1"}],
        "containers": [{"image": "docker.io/a/b:c@sha256:d"}],
    }
    objects = [item("ConfigMap"), item("DaemonSet") | {"spec": {"template": {"spec": pod}}}]
    from_registry(objects, None)
    assert pod["initContainers"][0]["image"] == "quay.io/calico/cni:v1"
    from_registry(objects, "mirror.example:5000/hub")
    assert pod["initContainers"][0]["image"] == "mirror.example:5000/hub/calico/cni:v1"
    assert pod["containers"][0]["image"] == "mirror.example:5000/hub/a/b:c@sha256:d"


def test_a_starting_container_is_asked_every_second() -> None:
    container = {"name": "a", "readinessProbe": {"exec": {}, "initialDelaySeconds": 9, "periodSeconds": 10}}
    upstream.started_by_readiness(container)
    assert container["startupProbe"] == {"exec": {}, "periodSeconds": 1, "failureThreshold": 300}
    with pytest.raises(ManifestError, match="gives a no readinessProbe"):
        upstream.started_by_readiness({"name": "a"})
