"""The walk through a node's nat table."""

import pytest

from hops.trace.readers.netfilter import taken, translations
from tests.hops.trace.names import DNAT_CHAIN, ENVOY_IP, POD_IP, WORKER_IP
from tests.hops.trace.nodes import host_port, nat

TO = "--to-destination 10.244.0.9:8080"


def walked(*lines: str, address: str | None = WORKER_IP, port: int = 80) -> list[tuple[str, bool]]:
    saved = "*nat\n" + "".join(f"[0:0] {line}\n" for line in lines) + "COMMIT\n"
    return [(str(found), found.certain) for found in translations(saved, address, port)]


def test_a_node_port_leads_where_portmap_sends_it() -> None:
    (found,) = translations(nat(*host_port()), WORKER_IP, 80)
    assert (found.address, found.port, found.certain) == (ENVOY_IP, 8080, True)
    assert (found.rule.chain, found.rule.packets) == (DNAT_CHAIN, 5)
    assert translations(nat(*host_port()), WORKER_IP, 8080) == ()
    assert translations(nat(), WORKER_IP, 80) == ()


def test_a_service_s_rules_are_for_its_own_address() -> None:
    (found,) = translations(nat(), "10.96.143.21", 8080)
    assert (found.address, found.certain) == (POD_IP, True)
    # Where the node's address isn't known, it might be that one.
    (vague,) = translations(nat(), None, 8080)
    assert vague.certain is False


@pytest.mark.parametrize(
    ("conditions", "certain"),
    [
        ("-p tcp -m tcp --dport 80", True),
        ("-p tcp -m multiport --dports 79:81,443", True),
        ("-p tcp -m multiport --dports 443,8080", None),
        ("-p tcp -m tcp ! --dport 80", None),
        ("-p tcp -m tcp ! --dport 81", True),
        ("! -p tcp", None),
        ("-d 172.18.0.0/16 -p tcp", True),
        ("! -d 172.18.0.0/16 -p tcp", None),
        ("-i eth0 -p tcp", True),
        ("-i eth+ -p tcp", True),
        ("-i cali+ -p tcp", None),
        ("-m conntrack --ctstate NEW,RELATED", True),
        ("-m conntrack --ctstate ESTABLISHED", None),
        ('-m comment --comment "a \\"quoted\\" -d 192.0.2.1/32 word"', True),
        ("-s 172.18.0.1/32 -p tcp", False),
        ("-m mark --mark 0x1/0x1", False),
        ("-m set --match-set x dst,dst", False),
        ("-m statistic --mode random --probability 0.5", False),
    ],
)
def test_conditions(conditions: str, certain: bool | None) -> None:  # noqa: FBT001 - a case
    found = walked(f"-A PREROUTING {conditions} -j DNAT {TO}")
    assert found == ([] if certain is None else [("10.244.0.9:8080", certain)])


def test_a_chain_is_left_by_return_goto_and_accept() -> None:
    end = f"-A PREROUTING -j DNAT {TO}"
    assert walked("-A PREROUTING -j ONE", "-A ONE -j RETURN", "-A ONE -j DNAT --to-destination 10.9.9.9", end) == [
        ("10.244.0.9:8080", True)
    ]
    assert walked("-A PREROUTING -j ACCEPT", end) == []
    assert walked("-A PREROUTING -j ONE", "-A ONE -j ACCEPT", end) == []
    assert walked("-A PREROUTING -m mark --mark 1 -j ACCEPT", end) == [("10.244.0.9:8080", True)]
    assert walked("-A PREROUTING -g ONE", "-A ONE -j MARK --set-xmark 0x1/0x1", end) == []
    assert walked("-A PREROUTING -j MARK --set-xmark 0x1/0x1", end) == [("10.244.0.9:8080", True)]


def test_a_chain_that_calls_itself_ends() -> None:
    assert walked("-A PREROUTING -j ONE", "-A ONE -j ONE") == []


def test_targets_in_all_their_forms() -> None:
    assert walked("-A PREROUTING -j DNAT --to-destination 10.0.0.1") == [("10.0.0.1", True)]
    assert walked("-A PREROUTING -j DNAT --to-destination 10.0.0.1:80-90") == [("10.0.0.1:80", True)]
    assert walked("-A PREROUTING -j DNAT --to-destination [fd00::1]:80", address="fd00::9") == [("[fd00::1]:80", True)]
    assert walked("-A PREROUTING -p tcp -j REDIRECT --to-ports 9090") == [(f"{WORKER_IP}:9090", True)]


def test_the_first_certain_rule_is_taken() -> None:
    rules = (f"-A PREROUTING -s 192.0.2.1/32 -j DNAT {TO}", "-A PREROUTING -j DNAT --to-destination 10.0.0.1:8080")
    found = translations("\n".join(rules), WORKER_IP, 80)
    first = taken(found)
    assert first
    assert first.address == "10.0.0.1"
    assert taken(found[:1]) is None
