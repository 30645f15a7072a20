"""Hop 2: who else may have the port."""

import pytest

from tests.hops.trace.asked import codes, found
from tests.hops.trace.checks.host.test_port_mapping import _gone, halted
from tests.hops.trace.names import JSON, PORT, WORKER
from tests.hops.trace.nodes import node_container
from tests.hops.trace.observations import failed, healthy, request


def _stopped() -> JSON:
    sight = healthy()
    halted(sight, "exited")
    failed(sight, "refused", "client")
    return sight


def _listening(sight: JSON, address: str, process: str | None, pid: int | None = 815) -> None:
    sight["host"]["listeners"] = [{"address": address, "port": PORT, "pid": pid, "process": process}]


def _answered(sight: JSON, server: str) -> None:
    failed(sight, "refused", "client")
    request(sight, "client").pop("failure")
    request(sight, "client").update(status=200, headers={"server": server})


@pytest.mark.parametrize(
    "process",
    ["docker-proxy", "dockerd", "rootlesskit", "rootlesskit-doc", "com.docker.back", "com.docker.backend", "vpnkit"],
)
def test_docker_s_own_forwarders_have_the_port_by_right(process: str) -> None:
    sight = healthy()
    _listening(sight, "127.0.0.1", process)
    assert codes(sight) == []
    failed(sight, "reset", "client")
    assert codes(sight) == []


def test_a_process_that_took_the_port_of_a_stopped_node_is_told_and_not_the_stop() -> None:
    sight = _stopped()
    _listening(sight, "127.0.0.1", "python3")
    _answered(sight, "SimpleHTTP/0.6 Python/3.13")
    (finding,) = found(sight)
    assert (finding.code, finding.hop) == ("T08", "port-mapping")
    assert "python3 (pid 815)" in finding.message
    assert finding.remedy == f"kill 815 && docker start {WORKER}"


def test_an_owner_that_this_user_may_not_see_is_somebody_where_the_node_is_stopped() -> None:
    sight = _stopped()
    _listening(sight, "0.0.0.0", None, None)
    (finding,) = found(sight)
    assert (finding.code, finding.remedy) == ("T08", f"sudo fuser --kill {PORT}/tcp && docker start {WORKER}")
    running = healthy()
    _listening(running, "0.0.0.0", None, None)
    failed(running, "reset", "client")
    assert codes(running) == []


def test_a_process_on_another_address_is_no_matter() -> None:
    sight = _stopped()
    _listening(sight, "192.168.1.20", "python3")
    assert codes(sight) == ["T10"]


def test_a_process_on_the_other_family_that_answers_first_is_told() -> None:
    sight = healthy()
    sight["host"]["lookups"][1]["addresses"] = ["::1"]
    sight["host"]["listeners"].append({"address": "::1", "port": PORT, "pid": 815, "process": "node"})
    assert codes(sight) == []
    _answered(sight, "Express")
    assert codes(sight) == ["T08"]


def test_a_container_that_took_the_port_is_told() -> None:
    sight = _stopped()
    other = node_container("nginx", "172.17.0.2", "", {"80/tcp": ("0.0.0.0", PORT)}, cluster="")
    sight["docker"]["containers"].append(other)
    # It may be another cluster's Envoy that answers.
    sight["requests"][0] = healthy()["requests"][0]
    (finding,) = found(sight)
    assert (finding.code, finding.remedy) == ("T08", f"docker stop nginx && docker start {WORKER}")
    other["State"]["Running"] = False
    failed(sight, "refused", "client")
    assert codes(sight) == ["T10"]


def test_a_container_on_another_port_or_address_is_no_matter() -> None:
    for address, port in (("0.0.0.0", PORT + 1), ("192.168.1.20", PORT)):
        sight = _stopped()
        other = node_container("nginx", "172.17.0.2", "", {"80/tcp": (address, port)}, cluster="")
        sight["docker"]["containers"].append(other)
        assert codes(sight) == ["T10"]


def test_where_no_process_can_be_seen_the_answers_tell_two_servers_apart() -> None:
    sight = healthy()
    sight["host"]["listeners"] = []
    _answered(sight, "nginx/1.27")
    (finding,) = found(sight)
    assert finding.code == "T08"
    assert "nginx/1.27" in finding.message
    # Contour can be told to leave the name of the server alone.
    request(sight, "client")["headers"]["x-envoy-upstream-service-time"] = "2"
    assert codes(sight) == []
    _answered(sight, "nginx/1.27")
    failed(sight, "timeout", "node")
    assert codes(sight) == []


def test_a_port_that_is_taken_before_the_cluster_was_made_is_told() -> None:
    sight = _gone()
    sight["stack"]["outputs"] = None
    _listening(sight, "127.0.0.1", "python3")
    (finding,) = found(sight)
    assert (finding.code, finding.remedy) == ("T08", "kill 815 && make up STACK=local")
    sight["stack"]["outputs"] = {"url": "http://my-service.localhost:8080/"}
    assert codes(sight) == ["T48", "T08"]
