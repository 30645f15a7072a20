"""This machine before Docker has the request: T78, T79, T80, T82."""

import pytest

from hops.trace.facts.client_proxy import client_proxy, spared
from hops.trace.observed.observation import FollowedRequest
from hops.trace.verdict import trace
from tests.hops.trace.faults import reported
from tests.hops.trace.names import HOST, JSON, PORT, WORKER
from tests.hops.trace.observations import failed, healthy, request, view

ASKED = FollowedRequest(host=HOST, port=PORT)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"http_proxy": "http://proxy:3128"}, "http://proxy:3128"),
        ({"http_proxy": "proxy"}, "http://proxy:1080"),
        ({"ALL_PROXY": "socks5://proxy:1081"}, "socks5://proxy:1081"),
        ({"HTTP_PROXY": "http://proxy:3128"}, "None"),
        ({"https_proxy": "http://proxy:3128"}, "None"),
        ({"http_proxy": "http://proxy:3128", "no_proxy": "*"}, "None"),
        ({"http_proxy": "http://proxy:3128", "NO_PROXY": "example.com, .localhost"}, "None"),
        ({"http_proxy": "http://proxy:3128", "no_proxy": "ocalhost"}, "http://proxy:3128"),
        ({"http_proxy": "http://proxy:none"}, "None"),
        ({}, "None"),
    ],
)
def test_the_proxy_that_curl_uses(environment: dict[str, str], expected: str) -> None:
    assert str(client_proxy(environment, ASKED)) == expected


def test_no_proxy_takes_networks() -> None:
    assert spared({"no_proxy": "127.0.0.0/8"}, "127.0.0.1")
    assert not spared({"no_proxy": "10.0.0.0/8"}, "127.0.0.1")


# T78


def behind(observation: JSON, **answer: object) -> JSON:
    observation["host"]["environment"] = {"http_proxy": "http://proxy:3128", "no_proxy": "example.com"}
    observation["requests"].append({"where": "proxy", "address": "proxy", "port": 3128, **answer})
    return observation


def test_a_proxy_that_does_not_get_there() -> None:
    observation = behind(healthy(), status=502, headers={"server": "squid"})
    traced = trace(view(observation).observation)
    assert reported(observation) == [("name", "T78")]
    assert traced.first is not None
    assert traced.first.name == "name"
    assert traced.findings[0].remedy == f'export no_proxy="example.com,{HOST}"'
    assert "which answers 502" in traced.findings[0].message


def test_a_proxy_that_nobody_is_behind() -> None:
    observation = behind(healthy(), failure="refused", error="Connection refused")
    assert reported(observation) == [("name", "T78")]
    assert "answers nothing: refused" in trace(view(observation).observation).findings[0].message


def test_a_proxy_that_gets_there_is_advice() -> None:
    observation = behind(healthy(), status=200, headers=dict(request(healthy(), "client")["headers"]))
    assert reported(observation) == [("name", "T78")]
    assert trace(view(observation).observation).first is None


def test_a_proxy_that_spares_the_host_is_left_alone() -> None:
    observation = healthy()
    observation["host"]["environment"] = {"http_proxy": "http://proxy:3128", "no_proxy": HOST}
    assert reported(observation) == []


# T79


def test_a_resolver_that_does_not_know_localhost() -> None:
    observation = healthy()
    observation["host"]["resolver"] = {
        "family": 4,
        "addresses": [],
        "seconds": 0.01,
        "error": "Name or service not known",
    }
    traced = trace(view(observation).observation)
    assert reported(observation) == [("name", "T79")]
    assert traced.first is None
    assert HOST in traced.findings[0].remedy


def test_a_resolver_that_knows_localhost() -> None:
    observation = healthy()
    observation["host"]["resolver"] = {"family": 4, "addresses": ["127.0.0.1"], "seconds": 0.01}
    assert reported(observation) == []


# T80 and T82


def unreached(failure: str) -> JSON:
    observation = healthy()
    failed(observation, failure, "client")
    request(observation, "client")["seconds"] = {"name": 0.0}
    return observation


@pytest.mark.parametrize("failure", ["timeout", "refused"])
def test_a_firewall_before_dockers_proxy(failure: str) -> None:
    observation = unreached(failure)
    assert reported(observation) == [("port-mapping", "T80")]
    finding = trace(view(observation).observation).findings[0]
    assert (finding.remedy, finding.look) == ("", "sudo iptables-save --table filter")
    rule = f"-i lo -p tcp -m tcp --dport {PORT} -j {'DROP' if failure == 'timeout' else 'REJECT'}"
    observation["host"]["filter"] = (
        f"*filter\n-A INPUT -m conntrack --ctstate INVALID -j DROP\n-A INPUT {rule}\nCOMMIT\n"
    )
    assert trace(view(observation).observation).findings[0].remedy == f"sudo iptables --delete INPUT {rule}"


def test_a_firewall_for_the_second_address_of_the_name() -> None:
    observation = unreached("timeout")
    first = request(observation, "client")
    observation["requests"].insert(0, {**first, "address": "::1", "failure": "refused"})
    observation["host"]["lookups"][1]["addresses"] = ["::1"]
    assert reported(observation) == [("port-mapping", "T80")]


def test_a_firewall_behind_dockers_proxy() -> None:
    observation = healthy()
    failed(observation, "reset", "client")
    request(observation, "client")["seconds"] = {"name": 0.0, "connect": 0.001}
    assert reported(observation) == [("port-mapping", "T50")]
    observation["host"]["filter"] = "*filter\n-A OUTPUT -d 172.18.0.2/32 -p tcp -m tcp --dport 80 -j REJECT\nCOMMIT\n"
    assert reported(observation) == [("port-mapping", "T80")]
    assert f"between Docker and {WORKER}" in trace(view(observation).observation).findings[0].message


def test_dockers_proxy_is_gone() -> None:
    observation = unreached("refused")
    observation["host"]["listeners"] = []
    assert reported(observation) == [("port-mapping", "T82")]
    assert trace(view(observation).observation).findings[0].remedy == f"docker restart {WORKER}"


def test_a_port_whose_listeners_were_not_seen_is_not_said_to_have_none() -> None:
    observation = unreached("refused")
    observation["host"]["listeners"] = []
    observation["unseen"]["host: listeners"] = "/proc/net cannot be read here"
    assert "T82" not in [code for _, code in reported(observation)]


def test_a_request_that_docker_takes_is_left_alone() -> None:
    observation = healthy()
    observation["host"]["filter"] = f"*filter\n-A INPUT -p tcp --dport {PORT} -j DROP\nCOMMIT\n"
    assert reported(observation) == []
