"""One whole look, with a stand-in docker, an API of this test, and real sockets where requests go."""

import json
import socket
import threading
import time
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from hops.model.preflight import mark
from hops.model.settings.stack_settings import Settings
from hops.observe import look as module
from hops.observe.in_cluster.api import API
from hops.observe.look import Way, look
from hops.trace.observed.observation import FollowedRequest, Observation, TracedStack
from tests.hops.observe.conftest import Connect, Serve, Server, StandIn, answering, request_of

WORKER = "ingress-hops-local-worker"
OK = b"HTTP/1.1 200 OK\r\nX-Envoy-Upstream-Service-Time: 3\r\nContent-Length: 5\r\n\r\nhello"
LABEL = "io.x-k8s.kind.cluster"


def container(name: str = WORKER, *, running: bool = True, generation: int = 7) -> dict[str, Any]:
    return {
        "Name": f"/{name}",
        "State": {"Status": "running" if running else "exited", "Running": running},
        "Config": {"Labels": {LABEL: "ingress-hops-local", "io.x-k8s.kind.role": "worker"}},
        "HostConfig": {
            "Binds": [f"/somewhere/local.owner:{mark(generation, 'abcdef01')}:ro"],
            "PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}]},
        },
        "NetworkSettings": {"Networks": {"kind": {"IPAddress": "127.0.0.1"}}},
    }


Looking = Callable[..., Observation]


@pytest.fixture
def looking(stand_in: StandIn, server: Server, connect: Connect, local: Settings, serve: Serve) -> Looking:
    """Looks at the stack `local`, whose worker is this machine and whose Envoy is a server of the test."""
    port = serve(answering(OK))
    for name in ("iptables-save", "ip", "ss", "conntrack"):
        stand_in.program(name, f"#!/bin/sh\necho '{name}'\n")
    folder = stand_in.folder / "kubeconfig-folder"
    folder.mkdir()
    connect().close()
    (stand_in.folder / "kubeconfig").rename(folder / "local-7.yaml")
    server.has("/api/v1/nodes", "Node", {"metadata": {"name": WORKER}})
    envoy = {
        "metadata": {"name": "envoy-x", "namespace": "projectcontour", "labels": {"app": "envoy"}},
        "spec": {"nodeName": WORKER, "containers": [{"ports": [{"name": "http", "containerPort": port}]}]},
        "status": {
            "phase": "Running",
            "podIP": "127.0.0.1",
            "containerStatuses": [{"name": "envoy", "state": {"running": {"startedAt": "t"}}}],
        },
    }
    server.has("/api/v1/pods", "Pod", envoy)
    server.answers["/api/v1/namespaces/projectcontour/pods/envoy-x/log"] = (200, "line\n")

    def look_at(containers: list[Any] | None = None, **more: Any) -> Observation:
        found = [container()] if containers is None else containers
        stand_in.says("info", '{"ServerVersion": "28.0.0"}')
        stand_in.says("ps", "".join(f"{number}\n" for number in range(len(found))))
        stand_in.says("inspect", json.dumps(found))
        asked = FollowedRequest(host="web.localhost", port=port, **more.pop("asked", {}))
        stack = TracedStack(name="local", settings=local)
        return look(asked, more.pop("way", Way(folder=folder)), more.pop("stack", stack), **more)

    return look_at


def test_everything_that_is_there_is_seen(looking: Looking, server: Server) -> None:
    seen = looking(outputs=lambda: {"url": "http://web"})
    assert seen.docker
    assert [node.name for node in seen.nodes] == [WORKER]
    assert seen.nodes[0].nat == "iptables-save\n"
    assert seen.nodes[0].nat_after == "iptables-save\n"
    assert seen.cluster
    assert (seen.cluster.server, seen.cluster_name) == (server.url, "ingress-hops-local")
    assert seen.cluster.logs == {"projectcontour/envoy-x/envoy": "line\n"}
    assert seen.cluster.kubeconfig
    assert seen.cluster.kubeconfig.endswith("/local-7.yaml")
    assert seen.stack
    assert seen.stack.outputs == {"url": "http://web"}
    assert seen.host
    assert {(r.where, r.status) for r in seen.requests if r.where in ("client", "envoy")} == {
        ("client", 200),
        ("envoy", 200),
    }
    assert set(seen.unseen) == {"envoy projectcontour/envoy-x"}, "the test's API forwards no port"
    assert seen.seconds["all"] >= max(seconds for part, seconds in seen.seconds.items() if part != "all")
    assert seen.versions["docker"] == "28.0.0"
    assert seen.versions["kubernetes"] == "v1.34.1"
    assert Observation.model_validate_json(seen.model_dump_json(by_alias=True)) == seen


def test_progress_tells_what_is_waited_for(looking: Looking) -> None:
    reported: list[Mapping[str, float | None]] = []
    looking(progress=reported.append)
    assert reported[0] == {"host": None}
    assert {"docker", "cluster", f"node {WORKER}", "requests from here"} <= set(reported[-1])
    assert all(seconds is not None for seconds in reported[-1].values())


def test_no_docker_hides_nothing_else(looking: Looking, stand_in: StandIn) -> None:
    (stand_in.bin / "docker").unlink()
    seen = looking()
    assert seen.docker is None
    assert seen.unseen["docker"] == "docker is not on PATH"
    assert seen.cluster, "without a mark the newest generation's kubeconfig is taken"
    assert seen.requests[0].status == 200


def test_no_api_hides_nothing_else(looking: Looking, server: Server) -> None:
    server.answers["/version"] = (401, '{"message": "Unauthorized"}')
    seen = looking()
    assert seen.cluster is None
    assert "Unauthorized" in seen.unseen["cluster"]
    assert [node.name for node in seen.nodes] == [WORKER]
    assert seen.requests[0].status == 200


def test_the_kubeconfig_is_the_running_generations(looking: Looking) -> None:
    seen = looking([container(generation=9)])
    assert "no kubeconfig of the stack local's running cluster" in seen.unseen["cluster: kubeconfig"]


def test_a_node_that_does_not_run_is_not_entered(looking: Looking, stand_in: StandIn, server: Server) -> None:
    seen = looking([container(running=False)])
    assert seen.nodes == ()
    assert seen.unseen[f"node {WORKER}"] == "its container is exited"
    assert seen.unseen["envoy projectcontour/envoy-x"] == f"its node {WORKER} does not run"
    assert not any(call.startswith("exec") for call in stand_in.calls)
    asked = [path for path, _, _ in server.asked]
    assert not [path for path in asked if "portforward" in path or "/log" in path], "they would only wait"


def test_a_surprise_in_one_part_is_reported_and_the_others_go_on(
    looking: Looking, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("surprise")

    monkeypatch.setattr(module, "host", broken)
    seen = looking()
    assert seen.host is None
    assert "surprise" in seen.unseen["host"]
    assert seen.requests[0].status == 200


def test_a_part_that_hangs_is_left_behind(looking: Looking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_OUTPUTS", 0.2)
    ended = threading.Event()
    began = time.monotonic()
    seen = looking(outputs=lambda: {"late": ended.wait(20)})
    assert time.monotonic() - began < 15
    ended.set()
    assert seen.stack
    assert seen.stack.outputs is None
    assert seen.unseen["outputs"] == "it took longer than 0 s"


def test_from_the_node_nothing_is_sent_from_here(looking: Looking) -> None:
    seen = looking(asked={"from_node": True})
    assert "requests from here" not in seen.seconds
    (client,) = (request for request in seen.requests if request.where == "client")
    assert client.port == 80


def test_a_cluster_of_somebody_else_is_found_by_its_apis_port(
    looking: Looking, server: Server, connect: Connect, tmp_path: Path
) -> None:
    connect().close()
    other = container("other-control-plane")
    other["Config"]["Labels"][LABEL] = "other"
    other["HostConfig"]["PortBindings"] = {
        "6443/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(server.http.server_port)}]
    }
    seen = looking([container(), other], stack=None, way=Way(tmp_path / "kubeconfig"))
    assert (seen.cluster_name, seen.stack) == ("other", None)
    assert [node.name for node in seen.nodes] == ["other-control-plane"]


def test_where_no_node_can_be_entered_a_port_forward_leads_to_the_pods(
    looking: Looking, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forward(_: API, namespace: str, pod: str, port: int) -> socket.socket:
        assert (namespace, pod) == ("projectcontour", "envoy-x")
        return socket.create_connection(("127.0.0.1", port), 1)

    monkeypatch.setattr(API, "forward", forward)
    (stand_in.bin / "docker").unlink()
    seen = looking()
    (envoy,) = (request for request in seen.requests if request.where == "envoy")
    assert (envoy.status, envoy.failure) == (200, None)


def moving(*paths: str) -> Callable[[socket.socket], None]:
    """Sends each path on to the next one, the last is answered."""
    following = dict(pairwise(paths))

    def behave(connection: socket.socket) -> None:
        path = request_of(connection).split(b" ")[1].decode()
        to = following.get(path)
        connection.sendall(f"HTTP/1.1 302 x\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode() if to else OK)

    return behave


def followed(seen: Observation) -> list[str]:
    return [seen.asked.path, *(followed(seen.then) if seen.then else [])]


@pytest.mark.parametrize(
    ("paths", "asked", "seen"),
    [
        (("/", "/a", "/b"), {}, ["/", "/a", "/b"]),
        (("/", "/a", "/b"), {"follow": False}, ["/"]),
        (("/", "/a", "/b"), {"method": "POST"}, ["/"]),
        (("/", "/a", "/"), {}, ["/", "/a", "/"]),
        (("/", "/a", "/b", "/c", "/d", "/e", "/f", "/g"), {}, ["/", "/a", "/b", "/c", "/d", "/e"]),
        (("/", "http://elsewhere.example/"), {}, ["/"]),
    ],
    ids=["followed", "not followed", "not a safe method", "a circle", "too many", "another host"],
)
def test_redirects(
    serve: Serve, stand_in: StandIn, paths: tuple[str, ...], asked: dict[str, Any], seen: list[str]
) -> None:
    stand_in.says("info", "{}")
    port = serve(moving(*paths))
    request = FollowedRequest(host="web.localhost", port=port, **asked)
    assert followed(look(request, Way(kubeconfig=stand_in.folder / "none"))) == seen
