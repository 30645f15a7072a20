"""What network policies say of one connection."""

from dataclasses import replace
from typing import Any

import pytest

from hops.kubernetes.policies.calico_selectors import SelectorError, takes
from hops.kubernetes.policies.network_policies import Connection, Direction, Peer
from hops.kubernetes.policies.policy_order import Ruling, ruling
from tests.hops.trace.names import JSON
from tests.hops.trace.objects import thing

ENVOY = Peer(
    "projectcontour",
    {"app": "envoy"},
    {"kubernetes.io/metadata.name": "projectcontour"},
    "envoy",
    "10.244.81.67",
    {"http": 8080},
)
APP = Peer(
    "apps", {"app": "web"}, {"kubernetes.io/metadata.name": "apps"}, "default", "10.244.81.68", {"http": 8080, "x": 1}
)
TO_APP = Connection(ENVOY, APP, 8080)
CALICO = "crd.projectcalico.org/v1"


def kubernetes(name: str = "one", namespace: str = "apps", **spec: Any) -> JSON:
    return thing("networking.k8s.io/v1", "NetworkPolicy", name, namespace, spec={"podSelector": {}, **spec})


def calico(name: str = "one", namespace: str | None = "apps", **spec: Any) -> JSON:
    kind = "NetworkPolicy" if namespace else "GlobalNetworkPolicy"
    return thing(CALICO, kind, name, namespace, spec=spec)


def said(*policies: JSON, direction: Direction = "Ingress") -> bool | None:
    return ruling(policies, direction, TO_APP).allowed


def admits(*peers: JSON, ports: tuple[JSON, ...] = ()) -> bool | None:
    rule = ({"from": list(peers)} if peers else {}) | ({"ports": list(ports)} if ports else {})
    return said(kubernetes(policyTypes=["Ingress"], ingress=[rule]))


NEAR = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "projectcontour"}}}


def test_without_a_policy_all_is_allowed() -> None:
    assert said() is True


@pytest.mark.parametrize(
    ("policy", "allowed"),
    [
        (kubernetes(), False),
        (kubernetes(policyTypes=["Ingress"], ingress=[]), False),
        (kubernetes(policyTypes=["Egress"]), True),
        (kubernetes(egress=[{}]), False),
        (kubernetes(namespace="other"), True),
        (kubernetes(podSelector={"matchLabels": {"app": "web"}}), False),
        (kubernetes(podSelector={"matchLabels": {"app": "other"}}), True),
        (kubernetes(podSelector={"matchExpressions": [{"key": "app", "operator": "Exists"}]}), False),
        (kubernetes(ingress=[{}]), True),
    ],
)
def test_a_policy_closes_the_pods_that_it_is_for(policy: JSON, allowed: bool) -> None:  # noqa: FBT001 - a case
    assert said(policy) is allowed


@pytest.mark.parametrize(
    ("peer", "allowed"),
    [
        (NEAR, True),
        ({"namespaceSelector": {}}, True),
        ({"namespaceSelector": {"matchLabels": {"team": "a"}}}, False),
        ({"podSelector": {}}, False),
        ({"podSelector": {"matchLabels": {"app": "envoy"}}}, False),
        ({**NEAR, "podSelector": {"matchLabels": {"app": "envoy"}}}, True),
        ({**NEAR, "podSelector": {"matchLabels": {"app": "contour"}}}, False),
        ({"ipBlock": {"cidr": "10.244.0.0/16"}}, True),
        ({"ipBlock": {"cidr": "10.244.0.0/16", "except": ["10.244.81.64/26"]}}, False),
        ({"ipBlock": {"cidr": "192.168.0.0/16"}}, False),
    ],
)
def test_peers_are_who_they_are(peer: JSON, allowed: bool) -> None:  # noqa: FBT001 - a case
    assert admits(peer) is allowed


@pytest.mark.parametrize(
    ("port", "allowed"),
    [
        ({"port": 8080}, True),
        ({"port": 8080, "protocol": "TCP"}, True),
        ({"port": 8080, "protocol": "UDP"}, False),
        ({"protocol": "TCP"}, True),
        ({"port": 80}, False),
        ({"port": 8000, "endPort": 9000}, True),
        ({"port": 8000, "endPort": 8079}, False),
        ({"port": "http"}, True),
        ({"port": "x"}, False),
        ({"port": "unknown"}, False),
    ],
)
def test_ports_are_numbers_ranges_or_names(port: JSON, allowed: bool) -> None:  # noqa: FBT001 - a case
    assert admits(ports=(port,)) is allowed


def test_one_of_several_ports_is_enough() -> None:
    assert admits(ports=({"port": 80}, {"port": 8080})) is True


@pytest.mark.parametrize(
    ("selector", "allowed"),
    [
        ({"matchLabels": {"kubernetes.io/metadata.name": "projectcontour"}}, True),
        ({"matchLabels": {"kubernetes.io/metadata.name": "other"}}, False),
        ({}, True),
        ({"matchLabels": {"team": "a"}}, None),
        ({"matchExpressions": [{"key": "team", "operator": "Exists"}]}, None),
    ],
)
def test_a_namespace_that_was_not_seen_has_a_name_all_the_same(selector: JSON, allowed: bool | None) -> None:  # noqa: FBT001 - a case
    unseen = Connection(replace(ENVOY, around=None), APP, 8080)
    policy = kubernetes(ingress=[{"from": [{"namespaceSelector": selector}]}])
    assert ruling([policy], "Ingress", unseen).allowed is allowed
    theirs = calico(ingress=[{"action": "Allow", "source": {"namespaceSelector": "has(team)"}}])
    assert ruling([theirs], "Ingress", unseen).allowed is None


def test_what_one_policy_denies_another_may_admit() -> None:
    assert said(kubernetes("a"), kubernetes("b", ingress=[{"from": [NEAR]}])) is True


def test_the_way_out_is_judged_by_the_other_end() -> None:
    to = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "apps"}}}
    assert said(kubernetes(namespace="projectcontour", policyTypes=["Egress"]), direction="Egress") is False
    admitting = kubernetes(namespace="projectcontour", egress=[{"to": [to], "ports": [{"port": "http"}]}])
    assert said(admitting, direction="Egress") is True
    assert said(kubernetes(policyTypes=["Egress"]), direction="Egress") is True


@pytest.mark.parametrize(
    ("spec", "allowed"),
    [
        ({"selector": "app == 'web'"}, False),
        ({"selector": "app == 'other'"}, True),
        ({"selector": "all()", "types": ["Egress"]}, True),
        ({"selector": "all()", "egress": [{"action": "Allow"}]}, True),
        ({"ingress": [{"action": "Allow"}]}, True),
        ({"ingress": [{"action": "Log"}]}, False),
        ({"ingress": [{"action": "Allow", "source": {"selector": "app == 'envoy'"}}]}, False),
        ({"ingress": [{"action": "Allow", "source": {"namespaceSelector": "has(none)"}}]}, False),
        (
            {
                "ingress": [
                    {
                        "action": "Allow",
                        "protocol": "TCP",
                        "source": {
                            "selector": "app == 'envoy'",
                            "namespaceSelector": "projectcalico.org/name == 'projectcontour'",
                        },
                        "destination": {"ports": ["8000:8100", 9]},
                    }
                ]
            },
            True,
        ),
        ({"ingress": [{"action": "Allow", "destination": {"ports": ["http"]}}]}, True),
        ({"ingress": [{"action": "Allow", "destination": {"ports": [80, "8081:8090"]}}]}, False),
        ({"ingress": [{"action": "Allow", "destination": {"notPorts": [8080]}}]}, False),
        ({"ingress": [{"action": "Allow", "protocol": "UDP"}]}, False),
        ({"ingress": [{"action": "Allow", "notProtocol": "TCP"}]}, False),
        ({"ingress": [{"action": "Allow", "notProtocol": "UDP"}]}, True),
        ({"ingress": [{"action": "Allow", "source": {"nets": ["10.244.81.0/24"]}}]}, True),
        ({"ingress": [{"action": "Allow", "source": {"notNets": ["10.244.81.0/24"]}}]}, False),
        ({"ingress": [{"action": "Allow", "source": {"serviceAccounts": {"names": ["envoy"]}}}]}, True),
        ({"ingress": [{"action": "Allow", "source": {"serviceAccounts": {"names": ["other"]}}}]}, False),
        ({"ingress": [{"action": "Allow", "ipVersion": 6}]}, False),
        ({"ingress": [{"action": "Deny", "protocol": "UDP"}, {"action": "Allow"}]}, True),
        ({"serviceAccountSelector": "role == 'x'"}, None),
        ({"ingress": [{"action": "Allow", "source": {"ports": [1]}}]}, None),
        ({"ingress": [{"action": "Allow", "http": {"methods": ["GET"]}}]}, None),
        ({"ingress": [{"action": "Allow", "source": {"selector": "app ~ 'x'", "namespaceSelector": "all()"}}]}, None),
        ({"ingress": [{"action": "Allow", "source": {"services": {"name": "x"}}}, {"action": "Allow"}]}, True),
    ],
)
def test_calico_s_rules(spec: JSON, allowed: bool | None) -> None:  # noqa: FBT001 - a case
    assert said(calico(**spec)) is allowed


def test_calico_asks_by_order_and_the_first_that_fits_decides() -> None:
    deny: JSON = {"ingress": [{"action": "Deny"}]}
    allow: JSON = {"ingress": [{"action": "Allow"}]}
    assert said(calico("a", None, order=20, **deny), calico("b", order=10, **allow)) is True
    assert said(calico("a", None, order=10, **deny), calico("b", order=20, **allow)) is False
    # Kubernetes' own stand at 1000, and one without an order comes last.
    assert said(calico("a", None, order=900, **deny), kubernetes(ingress=[{}])) is False
    assert said(calico("a", None, **deny), kubernetes(ingress=[{}])) is True
    assert said(calico("a", None, order=900, selector="all()"), kubernetes(ingress=[{}])) is True


def test_a_global_policy_is_for_the_pods_of_its_namespaces() -> None:
    deny: JSON = {"ingress": [{"action": "Deny"}]}
    assert said(calico("a", None, namespaceSelector="projectcalico.org/name == 'apps'", **deny)) is False
    assert said(calico("a", None, namespaceSelector="projectcalico.org/name != 'apps'", **deny)) is True
    assert said(calico("a", None, selector="projectcalico.org/namespace in {'apps', 'b'}", **deny)) is False
    # What is for hosts is not for pods.
    assert said(calico("a", None, preDNAT=True, **deny)) is True


def test_tiers_come_one_after_another() -> None:
    first = thing(CALICO, "Tier", "first", spec={"order": 10})
    passing = calico("first.a", None, tier="first", ingress=[{"action": "Pass"}])
    closed = calico("first.a", None, tier="first", selector="all()", types=["Ingress"])
    allow = calico("b", ingress=[{"action": "Allow"}])
    assert said(first, passing) is True
    assert said(first, passing, kubernetes()) is False
    assert said(first, closed, allow) is False
    assert said({**first, "spec": {"order": 10, "defaultAction": "Pass"}}, closed, allow) is True


def test_what_is_not_understood_leaves_it_open_unless_it_makes_no_difference() -> None:
    other = thing("policy.networking.k8s.io/v1alpha1", "AdminNetworkPolicy", "x", spec={})
    found = ruling([other], "Ingress", TO_APP)
    assert found == Ruling(None, other)
    baseline = thing("policy.networking.k8s.io/v1alpha1", "BaselineAdminNetworkPolicy", "x", spec={})
    assert said(baseline, kubernetes()) is False
    assert said(other, kubernetes()) is None
    vague = calico("a", order=1, ingress=[{"action": "Deny", "http": {"methods": ["GET"]}}])
    assert said(vague, kubernetes()) is False
    assert said(vague, kubernetes(ingress=[{}])) is None
    assert (
        ruling([calico("0", order=0, types=["Ingress"]), vague, kubernetes(ingress=[{}])], "Ingress", TO_APP).by
        == vague
    )


def test_the_ruling_names_the_policy_and_whether_one_of_its_rules_says_so() -> None:
    closing, deny = kubernetes("closing"), calico("deny", ingress=[{"action": "Deny"}])
    assert ruling([closing], "Ingress", TO_APP) == Ruling(allowed=False, by=closing)
    assert ruling([deny], "Ingress", TO_APP) == Ruling(allowed=False, by=deny, explicit=True)


LABELS = {"app": "web", "tier": "front", "projectcalico.org/namespace": "apps"}


@pytest.mark.parametrize(
    ("selector", "taken"),
    [
        ("", True),
        ("all()", True),
        ("global()", False),
        ("!all()", False),
        ("app == 'web'", True),
        ('app == "web"', True),
        ("app=='web'&&tier=='front'", True),
        ("app != 'web'", False),
        ("none != 'web'", True),
        ("none == 'web'", False),
        ("has(app)", True),
        ("!has(app)", False),
        ("has(projectcalico.org/namespace)", True),
        ("app in {'a', 'web'}", True),
        ("app in { 'a' }", False),
        ("app not in {'a'}", True),
        ("none not in {'a'}", True),
        ("none in {'a'}", False),
        ("app contains 'e'", True),
        ("app starts with 'we'", True),
        ("app ends with 'x'", False),
        ("app ends with 'eb'", True),
        ("none contains 'e'", False),
        ("none starts with 'e'", False),
        ("none ends with 'e'", False),
        ("app not   in {'a', 'b'}", True),
        ("app == 'x' || tier == 'front'", True),
        ("app == 'web' && (tier == 'x' || has(tier))", True),
        ("!(app == 'web') || !has(none)", True),
        ("app == 'x' || tier == 'front' && none == 'y'", False),
    ],
)
def test_selectors(selector: str, taken: bool) -> None:  # noqa: FBT001 - a case
    assert takes(selector, LABELS) is taken


@pytest.mark.parametrize(
    "selector", ["app", "app ==", "app ~ 'x'", "(app == 'x'", "app == x", "all() all()", "#", "&&"]
)
def test_a_selector_of_no_sense_is_an_error(selector: str) -> None:
    with pytest.raises(SelectorError):
        takes(selector, LABELS)
