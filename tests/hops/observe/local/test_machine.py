"""What is seen of a machine, by a stand-in `docker` on PATH and by real sockets."""

import json
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hops.model.hop import Entrypoint, PortMapping
from hops.model.plan import plan
from hops.model.preflight import DockerContainer, Machine, cluster_state, problems
from hops.model.settings.stack_config import settings
from hops.model.settings.stack_settings import Settings
from hops.observe.local import machine
from hops.observe.local.machine import look

NOWHERE = Entrypoint(None, None, ())

INFO: dict[str, Any] = {
    "OperatingSystem": "Debian GNU/Linux 12 (bookworm)",
    "OSType": "linux",
    "SecurityOptions": ["name=seccomp,profile=default"],
    "CgroupVersion": "2",
    "MemTotal": 8 * 1024**3,
    "DockerRootDir": "/",
}

ANSWERS = """#!/bin/sh
case "$1" in
  info) cat "$STAND_IN/info" ;;
  ps) cat "$STAND_IN/ps" ;;
  inspect) cat "$STAND_IN/inspect"; exit "$(cat "$STAND_IN/rc")" ;;
  cp) cat "$STAND_IN/copied${2##*/}" ;;
  context) cat "$STAND_IN/context" ;;
esac
"""


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH besides sh and cat; nothing of the caller's Docker is seen."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sh", "cat", "sleep"):
        (folder / name).symlink_to(str(shutil.which(name)))
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("STAND_IN", str(tmp_path))
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "KIND_EXPERIMENTAL_PROVIDER"):
        monkeypatch.delenv(name, raising=False)
    return folder


def tool(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(script.replace("#!/bin/sh", f"#!{folder}/sh"))
    (folder / name).chmod(0o755)


Answering = Callable[..., Machine]


@pytest.fixture
def answering(tools: Path, tmp_path: Path) -> Answering:
    """Looks at a machine whose docker answers so; `info` changes what it says of itself."""

    def look_at(
        containers: list[Any] | None = None,
        rc: int = 0,
        entrypoint: Entrypoint = NOWHERE,
        endpoint: str = "unix:///var/run/docker.sock",
        **info: Any,
    ) -> Machine:
        tool(tools, "docker", ANSWERS)
        tool(tools, "kind", "#!/bin/sh\n")
        (tmp_path / "info").write_text(json.dumps(INFO | info))
        (tmp_path / "ps").write_text("".join(f"{number}\n" for number in range(len(containers or []))))
        (tmp_path / "inspect").write_text(json.dumps(containers or []))
        (tmp_path / "rc").write_text(str(rc))
        (tmp_path / "context").write_text(f"{endpoint}\n")
        return look([entrypoint])

    return look_at


def refusals(of: Settings, seen: Machine) -> list[str]:
    """Of what does not depend on the host that the tests run on."""
    intended = plan(of)
    state = cluster_state(seen, intended, of.cluster.name, "/owner")
    return [p for p in problems(of, intended, seen, state) if "inotify" not in p and "disk" not in p]


def test_no_tools(tools: Path) -> None:
    seen = look([NOWHERE])
    assert tools.exists()
    assert (seen.missing_tools, seen.docker, seen.docker_error) == (("docker", "kind"), None, "")
    assert [p.split()[0] for p in refusals(settings("alice", {}), seen)] == ["docker", "kind"]


def test_a_healthy_docker(answering: Answering) -> None:
    seen = answering()
    assert seen.missing_tools == ()
    assert seen.docker
    assert (seen.docker.product, seen.docker.containers_os) == ("Debian GNU/Linux 12 (bookworm)", "linux")
    assert (seen.docker.rootless, seen.docker.cgroup_version, seen.docker.memory) == (False, 2, 8 * 1024**3)
    assert seen.docker.disk_free
    assert seen.docker.containers == ()
    assert seen.remote is None
    assert refusals(settings("alice", {}), seen) == []


DOWN = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (f"echo '{{}}'; echo '{DOWN}' >&2; exit 1", DOWN),
        (f"""echo '{{"ServerErrors": ["{DOWN}"]}}'""", DOWN),
        ("echo 'permission denied while trying to connect' >&2; exit 1", "permission denied"),
        ("exit 125", "125"),
        ("echo not-json", "not in JSON"),
        ("sleep 5", "docker info took longer than"),
    ],
    ids=["down", "down, older client", "not allowed", "silent", "no JSON", "hanging"],
)
def test_a_docker_that_does_not_answer(tools: Path, monkeypatch: pytest.MonkeyPatch, script: str, said: str) -> None:
    monkeypatch.setattr(machine, "_SECONDS", 0.5)
    tool(tools, "kind", "#!/bin/sh\n")
    tool(tools, "docker", f"#!/bin/sh\n{script}\n")
    seen = look([NOWHERE])
    assert seen.docker is None
    assert said in seen.docker_error
    (problem,) = refusals(settings("alice", {}), seen)
    assert problem.startswith("Docker does not answer (")


def test_a_docker_that_is_no_program(tools: Path) -> None:
    (tools / "docker").write_bytes(b"\x7fELF nothing")
    (tools / "docker").chmod(0o755)
    seen = look([NOWHERE])
    assert seen.docker is None
    assert "Exec format error" in seen.docker_error


def test_podman_under_dockers_name(answering: Answering) -> None:
    seen = answering(host={"os": "linux"}, version={"Version": "5.0"})
    (problem,) = refusals(settings("alice", {}), seen)
    assert problem.startswith("Podman answers as docker")


def test_rootless(answering: Answering) -> None:
    seen = answering(SecurityOptions=["name=seccomp,profile=builtin", "name=rootless", "name=cgroupns"])
    assert seen.docker
    assert seen.docker.rootless


def test_docker_desktop_says_nothing_of_its_disk(answering: Answering) -> None:
    seen = answering(OperatingSystem="Docker Desktop")
    assert seen.docker
    assert seen.docker.disk_free is None
    assert refusals(settings("alice", {}), seen) == []


def test_windows_containers(answering: Answering) -> None:
    (problem,) = refusals(settings("alice", {}), answering(OSType="windows", DockerRootDir="C:\\ProgramData"))
    assert "Docker runs windows containers" in problem


@pytest.mark.parametrize(
    ("address", "elsewhere"),
    [
        ("tcp://build.example:2376", True),
        ("ssh://alice@build.example", True),
        ("tcp://127.0.0.1:2375", False),
        ("tcp://localhost:2375", False),
        ("unix:///run/user/1000/docker.sock", False),
        ("", False),
    ],
)
def test_a_docker_elsewhere(
    answering: Answering, monkeypatch: pytest.MonkeyPatch, address: str, *, elsewhere: bool
) -> None:
    monkeypatch.setenv("DOCKER_HOST", address)
    seen = answering()
    assert seen.remote == (address if elsewhere else None)
    assert any("Docker is elsewhere" in problem for problem in refusals(settings("a", {}), seen)) == elsewhere


def test_a_context_that_leads_elsewhere(answering: Answering) -> None:
    assert answering(endpoint="ssh://build.example").remote == "ssh://build.example"


def test_a_client_without_contexts_is_taken_for_local(answering: Answering, tools: Path) -> None:
    answering()
    tool(tools, "docker", ANSWERS.replace("context)", "context) exit 1;; never)"))
    seen = look([NOWHERE])
    assert seen.docker
    assert seen.remote is None


def container(name: str, cluster: str | None = None, *, status: str = "running", **host_config: Any) -> dict[str, Any]:
    return {
        "Name": f"/{name}",
        "Config": {"Labels": {"io.x-k8s.kind.cluster": cluster} if cluster else None},
        "State": {"Status": status, "Running": status in {"running", "paused"}},
        "HostConfig": host_config,
    }


WEB = [{"HostIp": "", "HostPort": "80"}, {"HostIp": "::", "HostPort": "0"}, {"HostIp": "", "HostPort": ""}]


def test_containers(answering: Answering) -> None:
    binds = ["/owner:/ingress-hops/17:ro"]
    ports = {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}], "6443/tcp": None}
    seen = answering(
        [
            container("web", PortBindings={"80/tcp": WEB}),
            container("c-worker", "c", Binds=binds, PortBindings=ports),
            container("c-control-plane", "c", status="exited", Binds=None, PortBindings=ports),
        ]
    )
    assert seen.docker
    assert seen.docker.containers == (
        DockerContainer("web", None, "running", (), (("0.0.0.0", 80),)),
        DockerContainer("c-worker", "c", "running", tuple(binds), (("127.0.0.1", 8080),)),
        DockerContainer("c-control-plane", "c", "exited", (), (("127.0.0.1", 8080),)),
    )


def _with_address(item: dict[str, Any], address: str) -> dict[str, Any]:
    return item | {"NetworkSettings": {"Networks": {"kind": {"IPAddress": address}}}}


_KEPT = [
    ("of an image that keeps its address", {"kubeadm-flags.env": 'ARGS="--node-ip=172.18.0.2 --x"'}, "172.18.0.2"),
    ("of an image of kind", {"kubeadm-flags.env": 'ARGS="--node-ip=172.18.0.2"', "old-ipv4": "172.18.0.2"}, ""),
    ("without an address", {"kubeadm-flags.env": 'ARGS="--v=2"'}, ""),
    ("that cannot be read", {}, ""),
]


@pytest.mark.parametrize(("files", "kept"), [case[1:] for case in _KEPT], ids=[case[0] for case in _KEPT])
def test_the_address_that_a_node_keeps(answering: Answering, tmp_path: Path, files: dict[str, str], kept: str) -> None:
    for name, content in files.items():
        (tmp_path / f"copied{name}").write_text(content)
    listed = [
        _with_address(container("c-worker", "c"), "172.18.0.3"),
        container("c-control-plane", "c", status="exited"),
        container("d-worker", "d"),
        container("web"),
    ]
    seen = answering(listed, entrypoint=Entrypoint("127.0.0.1", "c-worker", ()))
    assert seen.docker
    found = {one.name: (one.address, one.kept_address) for one in seen.docker.containers}
    assert found == {
        "c-worker": ("172.18.0.3", kept),
        "c-control-plane": ("", kept),
        "d-worker": ("", ""),
        "web": ("", ""),
    }


def test_the_addresses_of_every_cluster_are_read_on_demand(answering: Answering, tmp_path: Path) -> None:
    (tmp_path / "copiedkubeadm-flags.env").write_text("--node-ip=172.18.0.2\n")
    answering([container("c-worker", "c"), container("d-worker", "d"), container("web")])
    for addresses, kept in ((False, ""), (True, "172.18.0.2")):
        daemon = look([NOWHERE], addresses=addresses).docker
        assert daemon
        assert [one.kept_address for one in daemon.containers] == [kept, kept, ""]


@pytest.mark.parametrize(
    ("state", "held"),
    [("running", True), ("paused", True), ("restarting", True), ("exited", False), ("created", False)],
)
def test_a_container_that_does_not_run_holds_no_port(state: str, *, held: bool) -> None:
    ports = (("127.0.0.1", 8080),)
    assert DockerContainer("c-worker", "c", state, (), ports).holds == (ports if held else ())


def test_a_container_that_goes_away_meanwhile_hides_no_other(answering: Answering) -> None:
    seen = answering([container("web", PortBindings={})], rc=1)
    assert seen.docker
    assert [found.name for found in seen.docker.containers] == ["web"]


@pytest.fixture
def listening() -> Iterator[int]:
    """A port of the loopback address that something listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
def test_a_port_that_somebody_has(answering: Answering, listening: int, address: str) -> None:
    mapping = PortMapping("http", listening, 80, 8080)
    assert answering(entrypoint=Entrypoint(address, "w", (mapping,))).busy == (listening,)


def test_a_free_port(answering: Answering, listening: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        free = server.getsockname()[1]
    mappings = (PortMapping("http", free, 80, 8080), PortMapping("https", listening, 443, 8443))
    assert answering(entrypoint=Entrypoint("127.0.0.1", "w", mappings)).busy == (listening,)


def test_a_port_that_this_user_may_not_bind_is_asked_by_connecting(
    answering: Answering, listening: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    entrypoint = Entrypoint("0.0.0.0", "w", (PortMapping("http", listening, 80, 8080),))
    assert answering(entrypoint=entrypoint).busy == (listening,)


def test_an_address_of_another_machine_is_not_busy(answering: Answering, listening: int) -> None:
    entrypoint = Entrypoint("192.0.2.1", "w", (PortMapping("http", listening, 80, 8080),))
    assert answering(entrypoint=entrypoint).busy == ()


def test_a_taken_port_stops_an_up(answering: Answering, listening: int) -> None:
    of = settings("alice", {"cluster": {"httpPort": listening, "httpsPort": None}})
    (problem,) = refusals(of, answering(entrypoint=plan(of).entrypoint))
    assert f"ingress-hops:cluster.httpPort is {listening}, and another process" in problem


def test_a_load_balancers_ports_are_not_this_machines(answering: Answering, listening: int) -> None:
    entrypoint = Entrypoint(None, None, (PortMapping("http", listening, 80, 8080),))
    assert answering(entrypoint=entrypoint).busy == ()


@pytest.mark.skipif(not os.path.exists("/proc/sys/fs/inotify"), reason="the kernel's limits are Linux's")  # noqa: PTH110
def test_the_kernels_limits(answering: Answering) -> None:
    seen = answering()
    assert seen.inotify_instances
    assert seen.inotify_watches
    assert seen.lowest_port >= 0


def test_limits_that_are_not_there(tmp_path: Path) -> None:
    assert machine._number(str(tmp_path / "none")) is None
    (tmp_path / "some").write_text("128\n")
    assert machine._number(str(tmp_path / "some")) == 128


@pytest.mark.usefixtures("tools")
def test_a_folder_that_can_be_made_or_written_is_no_problem(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "new" / "deeper"):
        assert look([NOWHERE], folder).folder_error == ""
    assert look([NOWHERE]).folder_error == ""


@pytest.mark.usefixtures("tools")
def test_a_file_in_a_folders_way_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        assert look([NOWHERE], folder).folder_error == f"{tmp_path / 'file'} is no folder"
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    assert look([NOWHERE], tmp_path / "dangling").folder_error == f"{tmp_path / 'dangling'} is no folder"


@pytest.mark.usefixtures("tools")
def test_a_folder_without_rights_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert look([NOWHERE], tmp_path / "new").folder_error == f"{tmp_path} cannot be written by this user"


@pytest.mark.usefixtures("tools")
@pytest.mark.parametrize(("free", "said"), [(1024 * 1024, ""), (5000, "has 4 KiB free, and 1024 KiB are needed")])
def test_a_full_disk_of_the_kubeconfig_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, said: str
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9 - free, free))
    error = look([NOWHERE], tmp_path / "new").folder_error
    assert error == (f"the disk of {tmp_path} {said}" if said else "")


@pytest.mark.parametrize(("address", "busy"), [("::1", True), ("::", True), ("127.0.0.1", False)])
def test_a_port_of_the_ipv6_loopback(answering: Answering, address: str, *, busy: bool) -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        port = server.getsockname()[1]
        entrypoint = Entrypoint(address, "w", (PortMapping("http", port, 80, 8080),))
        assert answering(entrypoint=entrypoint).busy == ((port,) if busy else ())


def test_only_a_cluster_with_ipv6_asks_for_it(answering: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(99, "Cannot assign requested address")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    assert answering(entrypoint=Entrypoint("127.0.0.1", "w", ())).no_ipv6 == ""
    seen = answering(entrypoint=Entrypoint("127.0.0.1", "w", (), listen_ipv6="::1"))
    assert seen.no_ipv6 == "this machine has no IPv6 (Cannot assign requested address)"
