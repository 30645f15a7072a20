"""What a node shows, by the real script: a container is this machine, with stand-ins for the tools of a node."""

import os
import resource
from pathlib import Path

import pytest

from hops.observe.in_cluster import nodes
from hops.observe.in_cluster.nodes import node, sections
from hops.observe.local.docker import DockerError
from hops.trace.readers.kernel import processes
from tests.hops.observe.conftest import StandIn

SAYS = '#!/bin/sh\necho "{name} $*"\n'


@pytest.fixture
def inside(stand_in: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The node's root folder, with all its tools."""
    for name in ("iptables-save", "ip", "ss"):
        stand_in.program(name, SAYS.format(name=name))
    stand_in.program("nsenter", '#!/bin/sh\nprintf "in %s " "$1"\nshift\nexec "$@"\n')
    root = tmp_path / "root"
    script = nodes._SCRIPT
    folders = ("/etc/cni/net.d", "/var/run/netns", "/proc/sys/net/ipv4/conf/cali.1", "/var/lib/kubelet")
    for folder in folders:
        (root / folder.lstrip("/")).mkdir(parents=True)
    for folder in ("/etc/cni/net.d", "/var/run/netns", "/proc/sys", "/var/lib/kubelet"):
        script = script.replace(folder, f"{root}{folder}")
    monkeypatch.setattr(nodes, "_SCRIPT", script)
    monkeypatch.setattr(nodes, "_SYSCTLS", f"{root}/proc/sys/")
    (root / "etc/cni/net.d/10-calico.conflist").write_text('{"name": "k8s-pod-network"}')
    (root / "etc/cni/net.d/calico-kubeconfig").write_text("token: hidden")
    (root / "var/lib/kubelet/kubeadm-flags.env").write_text(
        'KUBELET_KUBEADM_ARGS="--node-ip=172.18.0.2 --node-labels="'
    )
    (root / "proc/sys/net/ipv4/ip_forward").write_text("1\n")
    (root / "proc/sys/net/ipv4/conf/cali.1/rp_filter").write_text("0\n")
    for name in ("cni-1", "cni-2"):
        (root / "var/run/netns" / name).touch()
    return root


def test_a_node_from_inside(inside: Path) -> None:
    unseen: dict[str, str] = {}
    seen = node("web-worker", unseen)
    assert unseen == {}
    assert seen.name == "web-worker"
    assert seen.nat == "iptables-save --counters --table nat\n"
    assert seen.filter == "iptables-save --counters --table filter\n"
    assert seen.links == "ip -json -details -statistics address\n"
    assert seen.routes == "ip -json route\n"
    assert seen.kubelet_address == "172.18.0.2"
    assert seen.cni == {"10-calico.conflist": '{"name": "k8s-pod-network"}'}
    assert seen.sysctls == {"net.ipv4.ip_forward": 1, "net.ipv4.conf.cali.1.rp_filter": 0}
    assert [space.name for space in seen.namespaces] == ["cni-1", "cni-2"]
    assert seen.namespaces[0].links == "ip -netns cni-1 -json -details address\n"
    assert seen.namespaces[1].routes == "ip -netns cni-2 -json route\n"
    sockets = f"in --net={inside}/var/run/netns/cni-1 ss --no-header --listening --tcp --numeric\n"
    assert seen.namespaces[0].sockets == sockets


def test_a_node_of_another_maker_has_no_configured_address(inside: Path) -> None:
    (inside / "var/lib/kubelet/kubeadm-flags.env").unlink()
    unseen: dict[str, str] = {}
    assert node("web-worker", unseen).kubelet_address == ""
    assert unseen == {}


def test_no_kubeconfig_of_the_network_is_read(inside: Path) -> None:
    assert (inside / "etc/cni/net.d/calico-kubeconfig").exists()
    assert "hidden" not in node("web-worker", {}).model_dump_json()


def test_a_tool_that_is_missing_or_fails_is_reported_and_hides_no_other(inside: Path, stand_in: StandIn) -> None:
    assert inside.exists()
    (stand_in.bin / "ss").unlink()
    stand_in.program("iptables-save", "#!/bin/sh\necho half\necho 'first line' >&2\necho 'not root' >&2\nexit 4\n")
    unseen: dict[str, str] = {}
    seen = node("web-worker", unseen)
    assert (seen.nat, seen.filter) == ("", "")
    assert seen.routes == "ip -json route\n"
    assert unseen["node web-worker: nat"] == "not root"
    assert "ss" in unseen["node web-worker: sockets cni-1"]
    assert seen.namespaces[0].sockets == ""
    assert seen.namespaces[0].routes


def test_what_a_tool_says_beside_its_answer_is_no_failure(inside: Path, stand_in: StandIn) -> None:
    assert inside.exists()
    stand_in.program("iptables-save", "#!/bin/sh\necho '# Warning: legacy tables present' >&2\necho '*nat'\n")
    unseen: dict[str, str] = {}
    assert node("web-worker", unseen).nat == "*nat\n"
    assert unseen == {}


def test_a_node_without_pods_and_without_a_network(inside: Path) -> None:
    for path in [*inside.glob("etc/cni/net.d/*"), *inside.glob("var/run/netns/*")]:
        path.unlink()
    unseen: dict[str, str] = {}
    seen = node("web-worker", unseen)
    assert (seen.cni, seen.namespaces, unseen) == ({}, (), {})


def test_a_paused_node_says_so(stand_in: StandIn) -> None:
    (stand_in.folder / "dead-web-worker").touch()
    with pytest.raises(DockerError, match="container web-worker is paused"):
        node("web-worker", {})


def test_nothing_said_is_nothing_seen() -> None:
    assert sections("", "node x", {}) == {}


@pytest.mark.usefixtures("inside")
def test_the_processes_of_a_pod(stand_in: StandIn) -> None:
    stand_in.program(
        "ip", f'#!/bin/sh\ntest "$2" = pids || {{ echo "ip $*"; exit; }}\necho {os.getpid()}\necho 99999999\n'
    )
    unseen: dict[str, str] = {}
    (one,) = processes(node("web-worker", unseen).namespaces[0].processes)
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert (one.pid, one.limit, unseen) == (os.getpid(), soft, {})
    assert one.state in "RSD"
    assert 0 < one.descriptors < soft
    assert one.command == Path("/proc/self/comm").read_text().strip()
