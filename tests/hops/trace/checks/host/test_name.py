"""Hop 1: what the name means."""

import pytest

from hops.model.finding import Finding, Level
from hops.trace.checks.host import name
from tests.hops.trace.names import GATEWAY, JSON, PORT
from tests.hops.trace.nodes import node_container
from tests.hops.trace.observations import container, failed, healthy, request, view

NAME = "my-service.local"
_ANSWER = {"status": 200, "headers": {"server": "envoy"}, "where": "client", "port": PORT}


def _asking(*addresses: str, hosts: tuple[str, ...] = (), seconds: float = 0.001) -> JSON:
    """A name that is looked up, and that means these addresses."""
    observation = healthy()
    observation["asked"]["host"] = NAME
    observation["host"]["hosts"] = list(hosts)
    observation["host"]["lookups"] = [
        {"family": family, "addresses": [a for a in addresses if (":" in a) == (family == 6)], "seconds": seconds}
        for family in (4, 6)
    ]
    return observation


def _found(observation: JSON) -> list[Finding]:
    seen = view(observation)
    return [finding for check in name.CHECKS for finding in check(seen)]


def _codes(observation: JSON) -> list[str]:
    return [finding.code for finding in _found(observation)]


@pytest.mark.parametrize("addresses", [("127.0.0.1",), ("127.0.0.1", "::1"), ("::1", "127.0.0.1")])
def test_a_name_that_leads_to_the_published_address_is_well(addresses: tuple[str, ...]) -> None:
    assert _codes(_asking(*addresses)) == []
    refused = _asking(*addresses)
    failed(refused, "refused", "client")
    assert _codes(refused) == []


def test_a_name_without_an_address_is_reported_with_both_lines_that_mend_it() -> None:
    observation = _asking()
    failed(observation, "no name", "client")
    (finding,) = _found(observation)
    assert (finding.code, finding.hop, finding.level) == ("T01", "name", Level.MANDATORY)
    assert finding.remedy == f"printf '%s\\n' '127.0.0.1 {NAME}' '::1 {NAME}' | sudo tee -a /etc/hosts"


def test_a_name_that_was_not_looked_up_is_not_said_to_be_missing() -> None:
    for part in ("lookups", "host"):
        observation = _asking()
        observation["requests"] = []
        if part == "host":
            observation["host"] = None
        else:
            observation["host"]["lookups"] = []
        assert _codes(observation) == []


def test_names_in_localhost_and_requests_from_the_node_need_no_look_up() -> None:
    observation = _asking()
    failed(observation, "no name", "client")
    assert _codes({**observation, "asked": {**observation["asked"], "host": "other.localhost"}}) == []
    assert _codes({**observation, "asked": {**observation["asked"], "from_node": True}}) == []
    assert _codes({**observation, "asked": {**observation["asked"], "host": "192.0.2.7"}}) == []


@pytest.mark.parametrize("address", ["192.0.2.7", "127.0.0.2", "192.168.1.20"])
def test_a_name_that_leads_elsewhere_is_reported_and_its_line_replaced(address: str) -> None:
    observation = _asking(address, hosts=(f"{address} {NAME}",))
    failed(observation, "refused", "client")
    (finding,) = _found(observation)
    assert (finding.code, finding.hop) == ("T02", "name")
    assert address in finding.message
    assert f"127.0.0.1:{PORT}" in finding.message
    assert "sudo tee /etc/hosts" in finding.remedy
    assert "my-service\\.local" in finding.remedy


def test_a_name_of_an_own_address_is_well_where_docker_publishes_on_all() -> None:
    observation = _asking("192.168.1.20")
    failed(observation, "refused", "client")
    for key in ("HostConfig", "NetworkSettings"):
        ports = container(observation)[key]["PortBindings" if key == "HostConfig" else "Ports"]
        ports["80/tcp"][0]["HostIp"] = "0.0.0.0"
    assert _codes(observation) == []
    # The machine's addresses are not known everywhere.
    observation["host"]["addresses"] = []
    assert _codes(observation) == []


def test_a_foreign_name_that_is_answered_by_envoy_is_well() -> None:
    assert _codes(_asking("192.0.2.7")) == []


def test_without_docker_the_published_address_has_to_answer_before_the_name_is_blamed() -> None:
    observation = _asking("192.0.2.7")
    observation["docker"] = None
    failed(observation, "timeout", "client")
    assert _codes(observation) == []
    observation["requests"].append({**_ANSWER, "address": "127.0.0.1"})
    (finding,) = _found(observation)
    assert finding.code == "T02"
    assert finding.message.endswith("port 8080 is published on 127.0.0.1.")


def test_a_load_balancer_s_address_is_the_one_to_lead_to() -> None:
    observation = _asking("192.0.2.7")
    observation["docker"] = observation["cluster_name"] = None
    observation["stack"]["settings"]["cluster"] |= {"existing": "their-context", "listenAddress": None}
    failed(observation, "timeout", "client")
    assert _codes(observation) == []
    envoy = next(
        o for o in observation["cluster"]["objects"] if (o["kind"], o["metadata"]["name"]) == ("Service", "envoy")
    )
    envoy["status"] = {"loadBalancer": {"ingress": [{"ip": GATEWAY}]}}
    observation["requests"].append({**_ANSWER, "address": GATEWAY})
    (finding,) = _found(observation)
    assert finding.code == "T02"
    assert GATEWAY in finding.remedy


def test_a_name_with_a_line_for_ipv6_only_meets_no_ipv4_port() -> None:
    observation = _asking("::1", hosts=(f"::1 {NAME}",))
    failed(observation, "refused", "client")
    (finding,) = _found(observation)
    assert (finding.code, finding.hop) == ("T04", "name")
    assert finding.remedy.startswith("printf '%s\\n' '127.0.0.1")


def test_the_ipv4_address_that_glibc_makes_of_a_line_for_ipv6_is_not_the_name_s() -> None:
    observation = _asking("127.0.0.1", "::1", hosts=(f"::1 {NAME}",))
    failed(observation, "refused", "client")
    request(observation, "client").update(address="::1", seconds={"name": 0.1})
    observation["requests"].append({**_ANSWER, "address": "127.0.0.1", "seconds": {"name": 0.1, "connect": 0.1}})
    assert _codes(observation) == ["T04"]
    # Where nothing connects, nothing is known of it.
    observation["requests"][-1]["seconds"] = {"name": 0.1}
    assert _codes(observation) == []


def test_a_port_that_is_bound_for_both_families_serves_ipv6() -> None:
    observation = _asking("::1")
    failed(observation, "refused", "client")
    both = [{"HostIp": address, "HostPort": str(PORT)} for address in ("0.0.0.0", "::")]
    container(observation)["NetworkSettings"]["Ports"] = {"80/tcp": both}
    assert _codes(observation) == []


def test_a_port_that_is_bound_for_whatever_docker_serves_is_not_decided() -> None:
    observation = _asking("::1")
    failed(observation, "refused", "client")
    container(observation)["HostConfig"]["PortBindings"]["80/tcp"][0]["HostIp"] = ""
    container(observation)["NetworkSettings"]["Ports"] = {}
    assert _codes(observation) == []


def test_docker_s_bindings_count_and_not_those_of_another_cluster() -> None:
    observation = _asking("192.0.2.7")
    failed(observation, "refused", "client")
    other = node_container("x-worker", "172.18.0.9", "worker", {"80/tcp": ("192.0.2.7", PORT)}, cluster="x")
    observation["docker"]["containers"].append(other)
    assert _codes(observation) == ["T02"]


def test_a_stalling_look_up_is_reported_though_the_request_is_answered() -> None:
    observation = _asking("127.0.0.1", hosts=(f"127.0.0.1 {NAME}",))
    observation["host"]["lookups"][1] = {"family": 6, "addresses": [], "seconds": 5.01, "error": "Name has no address"}
    (finding,) = _found(observation)
    assert (finding.code, finding.hop, finding.level) == ("T03", "name", Level.ADVISORY)
    assert "IPv6" in finding.message
    assert "5.0 s" in finding.message


def test_a_look_up_that_fails_at_once_is_no_stall_and_a_missing_name_is_reported_as_missing() -> None:
    observation = _asking("127.0.0.1")
    observation["host"]["lookups"][1]["error"] = "Name has no address"
    assert _codes(observation) == []
    # Seen on two cores under load.
    observation["host"]["lookups"][0]["seconds"] = 1.001
    assert _codes(observation) == []
    observation = _asking(seconds=5.0)
    failed(observation, "no name", "client")
    assert request(observation, "client")["failure"] == "no name"
    assert _codes(observation) == ["T01"]
