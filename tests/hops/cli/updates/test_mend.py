"""What an update would be stopped by: a lost kubeconfig file, and an address that is allocated for no Service."""

import base64
import json
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hops.cli.updates.mend import (
    free_addresses,
    kubeconfig_fault,
    lost_images,
    publishes_cluster,
    remove_added,
    unused_addresses,
    write_kubeconfig,
)
from hops.model.certificates import LEAF_DAYS, make_authority, make_leaf
from hops.model.images.image import Build
from hops.model.plan import plan
from hops.model.settings.stack_config import settings
from hops.observe.in_cluster.drift import DeclaredObject, Drift
from tests.hops.observe.conftest import Server

WHOLE = "contexts:\n- context: {cluster: kind-shop}\n  name: kind-shop\n"
NOW = datetime(2027, 3, 4, tzinfo=UTC)


def with_client(days: int) -> str:
    """A kubeconfig file whose client certificate ends so many days after NOW."""
    authority = make_authority("kubernetes", NOW - timedelta(days=900))
    made = make_leaf(authority, "kubernetes-admin", NOW + timedelta(days=days - LEAF_DAYS))
    data = base64.b64encode(made.certificate.encode()).decode()
    return f"{WHOLE}users:\n- name: kind-shop\n  user:\n    client-certificate-data: {data}\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "shop-3.yaml"


@pytest.mark.parametrize("content", [None, b"", b"nothing of use\n", b"name: kind-shop-2\n", b"\xff\xfe"])
def test_a_lost_or_damaged_file_is_found(file: Path, content: bytes | None) -> None:
    if content is not None:
        file.write_bytes(content)
    assert kubeconfig_fault(file, "kind-shop", NOW) == "is lost or damaged"


@pytest.mark.parametrize("data", ["bm90IFBFTQ==", "not base64", "/w=="])
def test_a_client_certificate_that_cannot_be_read_is_damage(file: Path, data: str) -> None:
    file.write_text(f"{WHOLE}    client-certificate-data: {data.replace(' ', '')}\n")
    assert kubeconfig_fault(file, "kind-shop", NOW) == "is lost or damaged"


@pytest.mark.parametrize("content", [WHOLE, with_client(1)])
def test_a_whole_file_is_left_alone(file: Path, content: str) -> None:
    file.write_text(content)
    assert not kubeconfig_fault(file, "kind-shop", NOW)


@pytest.mark.parametrize(("days", "when"), [(-2, "expired on 2027-03-02"), (LEAF_DAYS + 2, "begins on 2027-03-05")])
def test_a_client_certificate_of_another_time_is_found(file: Path, days: int, when: str) -> None:
    file.write_text(with_client(days))
    clock = "and the clock of this machine says 2027-03-04"
    assert kubeconfig_fault(file, "kind-shop", NOW) == f"has a client certificate that {when}, {clock}"


def kind(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir()
    (folder / "kind").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "kind").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_the_file_and_its_link_are_written_for_their_owner(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kind(file.parent / "bin", f'test "$*" = "get kubeconfig --name shop" && printf "{WHOLE}"', monkeypatch)
    file.write_text("nothing of use\n")
    write_kubeconfig(file, "shop", "shop.yaml", NOW)
    assert file.read_text() == WHOLE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert (file.parent / "shop.yaml").resolve() == file
    assert sorted(path.name for path in file.parent.iterdir()) == ["bin", "shop-3.yaml", "shop.yaml"]


def test_a_kind_that_fails_leaves_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kind(file.parent / "bin", "exit 1", monkeypatch)
    file.write_text("nothing of use\n")
    with pytest.raises(subprocess.CalledProcessError):
        write_kubeconfig(file, "shop", "shop.yaml", NOW)
    assert file.read_text() == "nothing of use\n"
    assert not (file.parent / "shop.yaml").exists()


@pytest.mark.parametrize(("days", "renewed"), [(-1, True), (1, False)])
def test_a_certificate_that_has_expired_in_the_node_too_is_renewed_there(
    file: Path, monkeypatch: pytest.MonkeyPatch, days: int, *, renewed: bool
) -> None:
    folder = file.parent / "bin"
    kind(folder, f"cat {file.parent}/admin.conf", monkeypatch)
    (file.parent / "admin.conf").write_text(with_client(days))
    (file.parent / "renewed").write_text(with_client(LEAF_DAYS - 1))
    docker = f'#!/bin/sh\necho "$*" >>{file.parent}/calls\ncp {file.parent}/renewed {file.parent}/admin.conf\n'
    (folder / "docker").write_text(docker)
    (folder / "docker").chmod(0o755)
    write_kubeconfig(file, "shop", "shop.yaml", NOW)
    assert not kubeconfig_fault(file, "kind-shop", NOW)
    assert (file.parent / "calls").exists() == renewed
    if renewed:
        assert (file.parent / "calls").read_text() == "exec shop-control-plane kubeadm certs renew admin.conf\n"


def service(namespace: str, name: str) -> dict[str, Any]:
    return {"kind": "Service", "metadata": {"namespace": namespace, "name": name}}


def address(ip: str, namespace: str, name: str, *, by: str = "ipallocator.k8s.io") -> dict[str, Any]:
    """An IPAddress as the API server allocates it for a Service."""
    return {
        "kind": "IPAddress",
        "metadata": {"name": ip, "labels": {"ipaddress.kubernetes.io/managed-by": by}},
        "spec": {"parentRef": {"group": "", "resource": "services", "namespace": namespace, "name": name}},
    }


CONTOUR = address("10.96.0.8", "projectcontour", "contour")


def test_an_address_is_unused_if_its_service_does_not_exist() -> None:
    there = [service("projectcontour", "envoy"), service("apps", "contour")]
    assert list(unused_addresses([CONTOUR, *there])) == ["10.96.0.8"]
    assert list(unused_addresses([CONTOUR, *there, service("projectcontour", "contour")])) == []


def test_an_address_that_somebody_else_keeps_is_not_unused() -> None:
    assert list(unused_addresses([address("10.96.0.8", "projectcontour", "contour", by="somebody")])) == []
    gateway = CONTOUR | {"spec": {"parentRef": {"group": "x.io", "resource": "gateways", "name": "contour"}}}
    assert list(unused_addresses([gateway])) == []


def docker(folder: Path, listed: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A docker in whose node kubectl lists these objects. Returns the file of what else it is asked."""
    folder.mkdir()
    (folder / "listed.json").write_text(json.dumps({"items": listed}))
    script = f'case "$*" in *" get "*) cat {folder}/listed.json ;; *) echo "$*" >>{folder}/asked ;; esac'
    (folder / "docker").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder / "asked"


def test_only_an_unused_address_that_the_stack_gives_to_a_service_is_freed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = [{"name": "web", "clusterIP": "10.96.0.40"}, {"name": "api", "clusterIP": "10.96.0.41"}]
    of = settings("shop", {"cluster": {"name": "shop"}, "services": services})
    web, api = address("10.96.0.40", "apps", "web"), address("10.96.0.41", "apps", "api")
    listed = [CONTOUR, web, api, address("10.96.7.7", "apps", "elsewhere"), service("apps", "api")]
    asked = docker(tmp_path / "bin", listed, monkeypatch)
    assert free_addresses(plan(of)) == ["10.96.0.40", "10.96.0.8"]
    command = "exec shop-control-plane kubectl --kubeconfig /etc/kubernetes/admin.conf delete ipaddresses."
    assert sorted(asked.read_text().splitlines()) == [
        f"{command}networking.k8s.io 10.96.0.40",
        f"{command}networking.k8s.io 10.96.0.8",
    ]


def test_a_cluster_without_addresses_as_objects_has_none_to_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker(tmp_path / "bin", [], monkeypatch)
    (tmp_path / "bin" / "docker").write_text("#!/bin/sh\necho no such resource type >&2\nexit 1\n")
    assert free_addresses(plan(settings("shop", {}))) == []


BUILD = Build("apps/web", "shop", "/web", "/web/Dockerfile", None, {}, "0123456789abcdef")


def built(build: Build, **more: Any) -> dict[str, Any]:
    """The state of a stack with the image of a service."""
    inputs = {"stdin": json.dumps(asdict(build)), "environment": {"BUILT_IMAGE": build.image}}
    return {"deployment": {"resources": [{"type": "command:local:Command", "inputs": inputs, **more}]}}


@pytest.mark.parametrize(
    ("images", "state", "nodes"),
    [
        ("", built(BUILD), "shop-worker, shop-worker2"),
        (BUILD.image, built(BUILD), None),
        # The image before it is removed at the end of an update.
        ("", built(BUILD, delete=True), None),
        ("", {"deployment": {"resources": [{"type": "command:local:Command", "inputs": {"environment": {}}}]}}, None),
    ],
)
def test_an_image_that_nodes_have_lost_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, images: str, state: dict[str, Any], nodes: str | None
) -> None:
    docker(tmp_path / "bin", [], monkeypatch)
    listed = "control-plane shop-control-plane running\\nworker shop-worker running\\nworker shop-worker2 running\\n"
    script = f"case $1 in ps) printf '{listed}' ;; exec) printf 'x86_64\\n{images}\\n' ;; esac"
    (tmp_path / "bin" / "docker").write_text(f"#!/bin/sh\n{script}\n")
    found = [(build.image, where) for build, where in lost_images(state)]
    assert found == ([(BUILD.image, nodes)] if nodes else [])


def test_no_image_is_lost_where_docker_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker(tmp_path / "bin", [], monkeypatch)
    (tmp_path / "bin" / "docker").write_text("#!/bin/sh\nexit 1\n")
    assert lost_images(built(BUILD)) == []


@pytest.fixture
def server() -> Iterator[Server]:
    one = Server()
    yield one
    one.http.shutdown()
    one.http.server_close()


def added(*path: Any) -> Drift:
    service = DeclaredObject("urn", "v1", "Service", "apps", "web", "1", {})
    return Drift(service, "has something added by kubectl-edit", repaired=False, added=(path,))


def test_fields_that_somebody_added_are_removed_by_a_merge_patch(server: Server, tmp_path: Path) -> None:
    server.write_kubeconfig(tmp_path / "kubeconfig")
    path = "/api/v1/namespaces/apps/services/web"
    server.answers[path] = (200, "{}")
    in_a_list = added("spec", "ports", (("port", 80),), "name")
    gone = replace(added("metadata", "labels", "mine"), of=replace(in_a_list.of, name="gone"))
    drifts = [added("metadata", "labels", "mine"), in_a_list, gone, replace(in_a_list, added=())]
    assert remove_added(drifts, tmp_path / "kubeconfig", "one") == [in_a_list, gone]
    change = {"metadata": {"labels": {"mine": None}}}
    kind = "application/merge-patch+json"
    assert [path for path, _, _ in server.patched] == [f"{path}?fieldManager=ingress-hops", server.patched[1][0]]
    assert [(kind, change)] * 2 == [(given, body) for _, given, body in server.patched]


def test_nothing_is_removed_from_a_cluster_that_cannot_be_reached(tmp_path: Path) -> None:
    assert remove_added([added("metadata", "labels", "mine")], tmp_path / "none", "one") == [
        added("metadata", "labels", "mine")
    ]
    assert remove_added([], tmp_path / "none", "one") == []


def test_an_existing_cluster_has_no_addresses_to_free() -> None:
    assert free_addresses(plan(settings("shop", {"cluster": {"existing": "mine"}}))) == []


@pytest.mark.parametrize(("context", "found"), [("mine", True), ("other", False), (None, False)])
def test_a_stack_has_published_the_cluster_of_its_context(context: str | None, *, found: bool) -> None:
    """A stack that has moved to another cluster says nothing of the objects there."""
    root = {"type": "pulumi:pulumi:Stack", "outputs": {"cluster": {"context": context}} if context else {}}
    assert publishes_cluster({"deployment": {"resources": [root]}}, "mine") is found
