"""Hop 2: who else may have the port."""

import pytest

from tests.hops.trace.asked import codes, found
from tests.hops.trace.checks.host.test_port_mapping import _gone, halted
from tests.hops.trace.names import JSON, PORT, WORKER
from tests.hops.trace.nodes import node_container
from tests.hops.trace.observations import failed, healthy, request


def _stopped() -> JSON:
    observation = healthy()
    halted(observation, "exited")
    failed(observation, "refused", "client")
    return observation


def _listening(observation: JSON, address: str, process: str | None, pid: int | None = 815) -> None:
    observation["host"]["listeners"] = [{"address": address, "port": PORT, "pid": pid, "process": process}]


def _answered(observation: JSON, server: str) -> None:
    failed(observation, "refused", "client")
    request(observation, "client").pop("failure")
    request(observation, "client").update(status=200, headers={"server": server})


@pytest.mark.parametrize(
    "process",
    ["docker-proxy", "dockerd", "rootlesskit", "rootlesskit-doc", "com.docker.back", "com.docker.backend", "vpnkit"],
)
def test_docker_s_own_forwarders_have_the_port_by_right(process: str) -> None:
    observation = healthy()
    _listening(observation, "127.0.0.1", process)
    assert codes(observation) == []
    failed(observation, "reset", "client")
    assert codes(observation) == []


def test_a_process_that_took_the_port_of_a_stopped_node_is_reported_and_not_the_stop() -> None:
    observation = _stopped()
    _listening(observation, "127.0.0.1", "python3")
    _answered(observation, "SimpleHTTP/0.6 Python/3.13")
    (finding,) = found(observation)
    assert (finding.code, finding.hop) == ("T08", "port-mapping")
    assert "python3 (pid 815)" in finding.message
    assert finding.remedy == f"kill 815 && docker start {WORKER}"


def test_an_owner_that_this_user_may_not_see_is_somebody_where_the_node_is_stopped() -> None:
    observation = _stopped()
    _listening(observation, "0.0.0.0", None, None)
    (finding,) = found(observation)
    assert (finding.code, finding.remedy) == ("T08", f"sudo fuser --kill {PORT}/tcp && docker start {WORKER}")
    running = healthy()
    _listening(running, "0.0.0.0", None, None)
    failed(running, "reset", "client")
    assert codes(running) == []


def test_a_process_on_another_address_is_no_matter() -> None:
    observation = _stopped()
    _listening(observation, "192.168.1.20", "python3")
    assert codes(observation) == ["T10"]


def test_a_process_on_the_other_family_that_answers_first_is_reported() -> None:
    observation = healthy()
    observation["host"]["lookups"][1]["addresses"] = ["::1"]
    observation["host"]["listeners"].append({"address": "::1", "port": PORT, "pid": 815, "process": "node"})
    assert codes(observation) == []
    _answered(observation, "Express")
    assert codes(observation) == ["T08"]


def test_a_container_that_took_the_port_is_reported() -> None:
    observation = _stopped()
    other = node_container("nginx", "172.17.0.2", "", {"80/tcp": ("0.0.0.0", PORT)}, cluster="")
    observation["docker"]["containers"].append(other)
    # It may be another cluster's Envoy that answers.
    observation["requests"][0] = healthy()["requests"][0]
    (finding,) = found(observation)
    assert (finding.code, finding.remedy) == ("T08", f"docker stop nginx && docker start {WORKER}")
    other["State"]["Running"] = False
    failed(observation, "refused", "client")
    assert codes(observation) == ["T10"]


def test_a_container_on_another_port_or_address_is_no_matter() -> None:
    for address, port in (("0.0.0.0", PORT + 1), ("192.168.1.20", PORT)):
        observation = _stopped()
        other = node_container("nginx", "172.17.0.2", "", {"80/tcp": (address, port)}, cluster="")
        observation["docker"]["containers"].append(other)
        assert codes(observation) == ["T10"]


def test_where_no_process_can_be_seen_the_answers_tell_two_servers_apart() -> None:
    observation = healthy()
    observation["host"]["listeners"] = []
    _answered(observation, "nginx/1.27")
    (finding,) = found(observation)
    assert finding.code == "T08"
    assert "nginx/1.27" in finding.message
    # Contour can be configured to keep the server's own name.
    request(observation, "client")["headers"]["x-envoy-upstream-service-time"] = "2"
    assert codes(observation) == []
    _answered(observation, "nginx/1.27")
    failed(observation, "timeout", "node")
    assert codes(observation) == []


def test_a_port_that_is_taken_before_the_cluster_was_made_is_reported() -> None:
    observation = _gone()
    observation["stack"]["outputs"] = None
    _listening(observation, "127.0.0.1", "python3")
    (finding,) = found(observation)
    assert (finding.code, finding.remedy) == ("T08", "kill 815 && make up STACK=local")
    observation["stack"]["outputs"] = {"url": "http://my-service.localhost:8080/"}
    assert codes(observation) == ["T48", "T08"]
