"""Edges of the rules on other stacks of the machine."""

import pytest

from hops.kubernetes.inventory import Inventory
from hops.kubernetes.resources.claims import Fleet, NameClaim, PortClaim
from hops.model.finding import Place
from hops.rules.catalogue import RULES
from hops.rules.configuration import configure
from hops.rules.judge import judge
from tests.hops.rules.cases import TODAY, Case, documents, of_rule


def fleet(ports: str = "[]", names: str = "[]") -> str:
    return (
        "---\n{apiVersion: ingress-hops/v1, kind: Fleet, metadata: {name: others}, "
        f"ports: {ports}, names: {names}}}\n"
    )


def held(address: str = "127.0.0.1", port: int = 80, protocol: str = "TCP") -> str:
    return fleet(f"[{{holder: stack alice, address: '{address}', port: {port}, protocol: {protocol}}}]")


def named(what: str, name: str) -> str:
    return fleet(names=f"[{{holder: stack alice, what: {what}, name: '{name}'}}]")


def cluster(listen: str = "127.0.0.1", port: str = "80", more: str = "", head: str = "name: bob") -> str:
    return f"""---
apiVersion: kind.x-k8s.io/v1alpha4
kind: Cluster
{head}
nodes: [{{extraPortMappings: [{{containerPort: 80, hostPort: {port}, listenAddress: "{listen}"{more}}}]}}]
"""


def ingress(host: str, tls: str = "[]") -> str:
    return (
        "---\n{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: web, namespace: apps}, "
        f"spec: {{rules: [{{host: {host}}}], tls: {tls}}}}}\n"
    )


def other(kind: str, spec: str) -> str:
    group = "projectcontour.io/v1" if kind == "HTTPProxy" else "gateway.networking.k8s.io/v1"
    return f"---\n{{apiVersion: {group}, kind: {kind}, metadata: {{name: web, namespace: apps}}, spec: {spec}}}\n"


def pulumi(kind: str, spec: str) -> str:
    return f"---\n{{apiVersion: pulumi, kind: 'pulumi:{kind}', metadata: {{name: a}}, spec: {spec}}}\n"


def owned(pattern: str) -> str:
    rules = f"{{XS04: {{parameters: {{stacks: ['{pattern}']}}}}}}"
    return f"---\n{{apiVersion: ingress-hops/v1, kind: Policy, rules: {rules}}}\n"


PROVIDER, REFERENCE = "providers:kubernetes", "pulumi:StackReference"
PORT, HOST = ("/nodes/0/extraPortMappings/0/hostPort",), ("/spec/rules/0/host",)

CASES = [
    *(
        Case("XS01", f"{mine} and {theirs}", held(theirs) + cluster(mine), PORT)
        for mine, theirs in (
            ("0.0.0.0", "127.0.0.1"),
            ("127.0.0.1", "0.0.0.0"),
            ("127.0.0.1", ""),
            ("", "10.0.0.1"),
            ("::", "::1"),
        )
    ),
    Case("XS01", "two addresses", held("127.0.0.2") + cluster()),
    Case("XS01", "IPv6 beside IPv4", held("::") + cluster()),
    Case("XS01", "the protocol counts", held(protocol="UDP") + cluster()),
    Case("XS01", "however it is written", held(protocol="udp") + cluster(more=", protocol: UDP"), PORT),
    Case("XS01", "a random port", held(port=0) + cluster(port="0")),
    Case(
        "XS01",
        "the API server's port",
        held(port=6443) + cluster(head="name: bob\nnetworking: {apiServerPort: 6443}"),
        ("/networking/apiServerPort",),
    ),
    Case("XS01", "an unknown port", held() + cluster(port="!unknown "), undecided=True),
    Case("XS01", "an unknown port, and nobody else", cluster(port="!unknown ")),
    Case("XS02", "a host name has no case", named("host", "Alice.localhost.") + ingress("ALICE.localhost"), HOST),
    Case("XS02", "a wildcard of theirs", named("host", "*.alice.localhost") + ingress("a.alice.localhost"), HOST),
    Case(
        "XS02", "a wildcard doesn't mean its own end", named("host", "*.alice.localhost") + ingress("alice.localhost")
    ),
    Case("XS02", "a wildcard of one's own", named("host", "a.alice.localhost") + ingress("'*.alice.localhost'"), HOST),
    Case("XS02", "a name that only ends so", named("host", "lice.localhost") + ingress("alice.localhost")),
    Case(
        "XS02", "a cluster's name is another matter", named("cluster", "alice.localhost") + ingress("alice.localhost")
    ),
    Case("XS02", "no host", named("host", "alice.localhost") + ingress("''")),
    Case(
        "XS02",
        "an HTTPProxy",
        named("host", "a.localhost") + other("HTTPProxy", "{virtualhost: {fqdn: a.localhost}}"),
        ("/spec/virtualhost/fqdn",),
    ),
    Case(
        "XS02",
        "an HTTPRoute",
        named("host", "a.localhost") + other("HTTPRoute", "{hostnames: [b.localhost, a.localhost]}"),
        ("/spec/hostnames/1",),
    ),
    Case(
        "XS02",
        "a Gateway",
        named("host", "a.localhost") + other("Gateway", "{listeners: [{hostname: a.localhost}]}"),
        ("/spec/listeners/0/hostname",),
    ),
    Case("XS02", "an unknown host", named("host", "a.localhost") + ingress("!unknown "), undecided=True),
    Case("XS03", "kind's default name", named("cluster", "kind") + cluster(head=""), ("/name",)),
    Case("XS03", "by its context", named("context", "kind-bob") + cluster(), ("/name",)),
    Case("XS03", "a host of that name", named("host", "bob") + cluster()),
    Case(
        "XS03",
        "a provider of another's cluster",
        named("context", "kind-alice") + pulumi(PROVIDER, "{context: kind-alice}"),
        ("/spec/context",),
    ),
    Case("XS03", "a provider of one's own", named("context", "kind-alice") + pulumi(PROVIDER, "{context: kind-bob}")),
    Case("XS03", "an unknown name", named("cluster", "alice") + cluster(head="name: !unknown "), undecided=True),
    Case("XS04", "a kubeconfig is enough", pulumi(PROVIDER, "{kubeconfig: some}")),
    Case("XS04", "one that isn't known yet is given", pulumi(PROVIDER, "{kubeconfig: !unknown }")),
    Case("XS04", "an empty one isn't", pulumi(PROVIDER, "{kubeconfig: '', context: null}"), ("/spec",)),
    Case("XS04", "another kind of provider", pulumi("providers:command", "{}")),
    Case("XS04", "somebody's stack", pulumi(REFERENCE, "{name: org/ingress-hops/alice}"), ("/spec/name",)),
    Case(
        "XS04", "a stack of the list", pulumi(REFERENCE, "{name: org/ingress-hops/bob}") + owned("*/ingress-hops/bob")
    ),
    Case(
        "XS04",
        "a stack beside the list",
        pulumi(REFERENCE, "{name: org/ingress-hops/bobby}") + owned("*/bob"),
        ("/spec/name",),
    ),
    Case("XS04", "an unknown stack", pulumi(REFERENCE, "{name: !unknown }"), undecided=True),
]


def test_claims_are_handed_in_as_values() -> None:
    claims = Fleet((PortClaim("container registry", "0.0.0.0", 80),), (NameClaim("stack alice", "cluster", "bob"),))
    inventory = Inventory([(documents(cluster())[0], Place())], today=TODAY, fleet=claims)
    found = judge(inventory, configure(), [RULES[code] for code in ("XS01", "XS02", "XS03")])
    assert [finding.message for finding in found] == [
        "127.0.0.1:80/TCP is already used by container registry.",
        "cluster name bob is already used by stack alice.",
    ]


@pytest.mark.parametrize(("port", "offered"), [(80, 8081), (8080, 8081), (5000, 5001)])
def test_a_port_that_nobody_holds_is_offered(port: int, offered: int) -> None:
    claims = fleet(f"[{{holder: a, port: {port}}}, {{holder: a, port: 8080}}]")
    (finding,) = of_rule(claims + cluster(port=str(port)), "XS01")
    assert finding.patch
    assert finding.patch.operations[0]["value"] == offered


def test_a_new_host_name_is_offered_wherever_the_old_one_stands() -> None:
    (finding,) = of_rule(named("host", "a.localhost") + ingress("a.localhost", "[{hosts: [b, a.localhost]}]"), "XS02")
    assert finding.patch
    assert [(operation["path"], operation["value"]) for operation in finding.patch.operations] == [
        ("/spec/rules/0/host", "a-2.localhost"),
        ("/spec/tls/0/hosts/1", "a-2.localhost"),
    ]
