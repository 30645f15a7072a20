"""Names that others compute too: Calico's interface, Envoy's cluster; and what a hop is made of."""

import dataclasses
import json

import pytest

from hops.model.hop import KINDS, Entrance, Hop, HopName, HopRole, KnownAt, published_hops
from hops.model.path import HOST_PORT_CHAIN, envoy_cluster
from hops.model.plan import plan
from hops.model.pod_network import POD_NETWORK
from hops.model.settings.stack_settings import Settings


@pytest.mark.parametrize(
    ("namespace", "pod", "interface"),
    [
        ("default", "example-pod", "cali47b61747c2f"),  # the documents' own
        ("apps", "example-pod", "cali48f9cb89874"),
    ],
)
def test_calicos_interface(namespace: str, pod: str, interface: str) -> None:
    assert POD_NETWORK.interface(namespace, pod) == interface
    assert len(interface) <= 15, "Linux takes no longer name for an interface"


@pytest.mark.parametrize(
    ("namespace", "service", "port", "cluster"),
    [
        # As Contour 1.33.6 names them, computed by its own Hashname(60, …), internal/envoy/cluster.go.
        ("default", "my-service", 8080, "default/my-service/8080/da39a3ee5e"),
        ("n" * 15, "s" * 29, 80, "n" * 15 + "/" + "s" * 29 + "/80/da39a3ee5e"),
        ("n" * 15, "s" * 30, 80, "nnnnnnnnnnnnnnn/ssssssss-91b94b/80/da39a3ee5e"),
        ("n" * 63, "s" * 63, 65535, "nnnnnnnn-f32590/ssssssss-f32590/65535/da39a3ee5e"),
        ("n" * 63, "s" * 15, 80, "nnnnnnnn-ae465f/sssssssssssssss/80/da39a3ee5e"),
        ("default", "a-service-with-a-name-that-is-far-too-long", 8080, "default/a-servic-fef8bf/8080/da39a3ee5e"),
        ("a-namespace-with-a-name-that-is-far-too-long-", "web", 8080, "a-namesp-aeea82/web/8080/da39a3ee5e"),
    ],
)
def test_envoys_cluster(namespace: str, service: str, port: int, cluster: str) -> None:
    assert envoy_cluster(namespace, service, port) == cluster
    assert len(cluster) < 60


def test_the_chain_of_host_ports() -> None:
    assert HOST_PORT_CHAIN == "CNI-HOSTPORT-DNAT"


def test_the_twelve_hops_are_an_interface() -> None:
    assert [(kind.number, kind.name, kind.protocol) for kind in KINDS] == [
        (1, "name", "DNS"),
        (2, "port-mapping", "TCP"),
        (3, "host-port", "TCP"),
        (4, "route", "HTTP"),
        (5, "service", "TCP"),
        (6, "endpoint", "TCP"),
        (7, "pod", "HTTP"),
        (8, "reply-endpoint", "TCP"),
        (9, "reply-route", "HTTP"),
        (10, "reply-host-port", "TCP"),
        (11, "reply-port-mapping", "TCP"),
        (12, "reply-client", "HTTP"),
    ]


def test_only_the_service_is_beside_the_path() -> None:
    assert [kind.name for kind in KINDS if kind.standing is not HopRole.ON_PATH] == ["service"]
    assert {standing.value for standing in HopRole} == {"on path", "control", "beside the path"}
    assert {known.value for known in KnownAt} == {"preview", "up"}


def test_every_hop_says_what_the_documents_say_and_what_holds() -> None:
    assert all(kind.documents.endswith(".") and kind.truth.endswith(".") for kind in KINDS)


def test_the_fields_of_a_hop_are_an_interface() -> None:
    assert [field.name for field in dataclasses.fields(Hop)] == [
        "service",
        "number",
        "name",
        "component",
        "address",
        "port",
        "protocol",
        "next",
        "standing",
        "known_at",
        "details",
        "to",
        "mappings",
        "match",
        "route",
    ]


def test_a_hop_name_knows_its_place() -> None:
    assert [name.number for name in HopName][:12] == list(range(1, 13))
    assert [name for name in HopName if name.role is not name] == [
        HopName.LOAD_BALANCER,
        HopName.NODE_PORT,
        HopName.REPLY_NODE_PORT,
        HopName.REPLY_LOAD_BALANCER,
    ]
    assert (HopName.LOAD_BALANCER.number, HopName.REPLY_LOAD_BALANCER.number) == (2, 11)
    assert [name for name in HopName for by in Entrance if name.shown(by).role is not name.role] == []
    assert (HopName.POD.reply, HopName.REPLY_ENDPOINT.reply, HopName.NODE_PORT.reply) == (False, True, False)


def test_published_hops_are_read_back_as_they_were(seed: Settings) -> None:
    hops = plan(seed).paths[0].hops
    rows = json.loads(json.dumps([dataclasses.asdict(hop) for hop in hops]))
    assert published_hops(rows) == hops
    assert [(m.host, m.node, m.envoy) for m in published_hops(rows)[1].mappings] == [(80, 80, 8080), (443, 443, 8443)]
    older = [{key: value for key, value in row.items() if key not in ("to", "mappings", "match")} for row in rows]
    assert [hop.details for hop in published_hops(older)] == [hop.details for hop in hops]
    assert published_hops([{"name": "a stranger's"}]) == published_hops(None) == ()
