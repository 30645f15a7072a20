"""Clusters that somebody else made: their Contours, the ways in, and what a stack refuses."""

import copy
from typing import Any

import pytest

from hops.kubernetes.existing_cluster import ExistingCluster
from hops.model.hop import Entrance, Entrypoint, PortMapping
from hops.model.settings.stack_config import settings
from tests.elsewhere import HELM, NODES, SERVER, Objects, contour, envoy, named, pod, service

BALANCED = (PortMapping("http", 80, 31080, 8080), PortMapping("https", 443, 31443, 8443))
NODED = (PortMapping("http", 31080, 31080, 8080), PortMapping("https", 31443, 31443, 8443))
HOSTED = (PortMapping("http", 80, 80, 8080), PortMapping("https", 443, 443, 8443))


def cluster(
    objects: Objects, existing: str | None = "edge", entrance: str | None = None, **more: Any
) -> ExistingCluster:
    own = {"existing": "prod", **more.pop("cluster", {})}
    config = {"cluster": own, "contour": {"existing": existing, "entrance": entrance}, **more}
    return ExistingCluster(copy.deepcopy(objects), settings("alice", config))


def without(objects: Objects, *kinds: str) -> Objects:
    return [item for item in objects if item["kind"] not in kinds]


@pytest.mark.parametrize(
    ("objects", "entrance", "entrypoint"),
    [
        (HELM, None, Entrypoint("203.0.113.7", None, BALANCED, Entrance.LOAD_BALANCER)),
        (HELM, "NodePort", Entrypoint("192.0.2.2", "n2", NODED, Entrance.NODE_PORT)),
        (
            [*without(HELM, "Service"), SERVER, service("NodePort")],
            None,
            Entrypoint("192.0.2.2", "n2", NODED, Entrance.NODE_PORT),
        ),
        # No controller gives this load balancer an address.
        (
            [*without(HELM, "Service"), SERVER, service("LoadBalancer")],
            None,
            Entrypoint("192.0.2.2", "n2", NODED, Entrance.NODE_PORT),
        ),
        (
            [*without(HELM, "Service", "DaemonSet"), SERVER, envoy(hostPort=1), service("LoadBalancer")],
            None,
            Entrypoint("192.0.2.2", "n2", HOSTED, Entrance.HOST_PORT),
        ),
        (
            [*without(HELM, "Service"), SERVER, service("LoadBalancer", "release-envoy", {"hostname": "lb.test"})],
            "LoadBalancer",
            Entrypoint("lb.test", None, BALANCED, Entrance.LOAD_BALANCER),
        ),
    ],
    ids=["balanced", "asked", "node port", "pending", "host port", "by name"],
)
def test_where_requests_enter(objects: Objects, entrance: str | None, entrypoint: Entrypoint) -> None:
    found = cluster(objects, entrance=entrance)
    assert found.problems(()) == []
    assert found.entrance == entrypoint
    there = found.addresses
    assert (there.entrance, there.envoy) == (entrypoint, "10.1.0.2")
    assert there.node == (None if entrypoint.by is Entrance.LOAD_BALANCER else "192.0.2.2")


def test_an_envoy_in_the_network_of_its_node_takes_the_node_s_ports() -> None:
    shared = envoy()
    shared["spec"]["template"]["spec"]["hostNetwork"] = True
    found = cluster([*without(HELM, "Service", "DaemonSet"), SERVER, shared])
    mappings = (PortMapping("http", 8080, 8080, 8080), PortMapping("https", 8443, 8443, 8443))
    assert found.entrance == Entrypoint("192.0.2.2", "n2", mappings, Entrance.HOST_PORT)


def test_each_of_two_contours_has_its_own_envoys() -> None:
    second = [contour("second"), envoy("second-envoy", "second.edge.svc"), service("NodePort", "second-envoy")]
    server = named("Service", "second", spec={"selector": {"of": "second"}, "ports": [{"port": 8001}]})
    both = [*HELM, *second, server, pod("s1", "n1", "10.1.0.9", "second-envoy")]
    assert cluster(both, "edge/second").addresses.envoy == "10.1.0.9"
    assert cluster(both, "edge/release-contour").addresses.envoy == "10.1.0.2"
    (problem,) = cluster(both).problems(())
    assert problem == (
        "ingress-hops:contour.existing is edge, and several Contours of the cluster fit; "
        "the cluster has edge/release-contour, edge/second: name one of them"
    )


@pytest.mark.parametrize(
    ("flags", "default", "expected"),
    [
        ((), "", (None, None)),
        (("--ingress-class-name=internal",), "", ("internal", "internal")),
        (("--ingress-class-name", "internal,edge"), "edge", (None, "internal")),
        # The API server would give an Ingress without a class to nginx.
        ((), "nginx", ("contour", None)),
    ],
)
def test_the_class_that_the_contour_serves(
    flags: tuple[str, ...], default: str, expected: tuple[str | None, ...]
) -> None:
    marked = {"annotations": {"ingressclass.kubernetes.io/is-default-class": "true"}}
    classes = [named("IngressClass", default, None, metadata=marked)] if default else []
    found = cluster([contour("release-contour", *flags), *HELM[1:], *classes])
    assert tuple(found.ingress_class(kind) for kind in ("Ingress", "HTTPProxy")) == expected


def test_calico_is_reported_where_it_names_the_interfaces() -> None:
    def agent(*env: dict[str, str]) -> dict[str, Any]:
        run = {"name": "calico-node", "image": "calico/node:v3", "env": list(env)}
        return named(
            "Pod", "c", "calico-system", metadata={"labels": {"k8s-app": "calico-node"}}, spec={"containers": [run]}
        )

    assert cluster(HELM).addresses.network is None
    assert cluster([*HELM, agent()]).addresses.network == "calico"
    # On EKS, Calico enforces policies and the cloud's plugin makes the interfaces.
    assert cluster([*HELM, agent({"name": "FELIX_INTERFACEPREFIX", "value": "eni"})]).addresses.network is None


TLS = {"services": [{"tls": "web-tls"}]}
HTTP_ONLY = service("NodePort")
HTTP_ONLY["spec"]["ports"].pop()


@pytest.mark.parametrize(
    ("objects", "given", "said"),
    [
        (
            HELM,
            {"existing": "ingress"},
            "no Contour of the cluster fits; the cluster has edge/release-contour: name one",
        ),
        ([*NODES, contour("web")], {"existing": "x"}, "no Contour of the cluster fits; the cluster has edge/web"),
        ([named("Deployment", "web")], {}, "the cluster has none: remove contour.existing, and the stack installs one"),
        (NODES, {}, "the Deployments of the cluster cannot be listed"),
        (
            HELM,
            {"entrance": "HostPort"},
            "contour.entrance is HostPort, and Envoy of edge/release-contour has LoadBalancer",
        ),
        (without(HELM, "Service"), {}, "has no Service and no host port for plain HTTP; give it a Service"),
        (
            [*without(HELM, "Service", "Pod"), SERVER, service("NodePort")],
            {},
            "its NodePort has no address yet; wait for it, or set cluster.listenAddress",
        ),
        (
            [contour("release-contour", "--watch-namespaces=web,shop"), *HELM[1:]],
            {},
            "services[0].namespace is apps, and the Contour edge/release-contour watches web, shop only",
        ),
        (
            [*without(HELM, "Service"), SERVER, HTTP_ONLY],
            TLS,
            "services[0] has tls, and the NodePort of edge/release-contour",
        ),
        (
            [*HELM, named("Service", "my-service", "apps")],
            {},
            "services[0].name: the cluster has the Service apps/my-service",
        ),
        (
            [*HELM, named("Pod", "my-service-pod", "apps")],
            {},
            "services[0].pod: the cluster has the Pod apps/my-service-pod",
        ),
        (
            HELM,
            {"existing": None},
            "the cluster has a Contour already: edge/release-contour; set contour.existing to edge",
        ),
        (
            [named("Service", "web", "web", spec={"type": "NodePort", "ports": [{"port": 80, "nodePort": 30443}]})],
            {"existing": None, "entrance": "NodePort"},
            "Service web/web has the port 30443 already; set cluster.httpsPort to another port",
        ),
        (
            [named("Pod", "nginx", "web", spec={"containers": [{"ports": [{"containerPort": 8080, "hostPort": 80}]}]})],
            {"existing": None, "entrance": "HostPort"},
            "Pod web/nginx has the port 80 already; set cluster.httpPort to another port",
        ),
    ],
)
def test_what_stands_in_the_way(objects: Objects, given: dict[str, Any], said: str) -> None:
    (problem,) = cluster(objects, **given).problems(())
    assert problem.startswith("ingress-hops:")
    assert said in problem


OWN = ("Deployment/projectcontour/contour", "Service/apps/my-service", "Pod/apps/my-service-pod", "Namespace//apps")


def test_what_the_stack_made_does_not_stand_in_its_way() -> None:
    made = [
        contour("contour", namespace="projectcontour"),
        named("Service", "my-service", "apps"),
        named("Pod", "my-service-pod", "apps"),
        named("Namespace", "apps", None),
    ]
    assert cluster(made, None).problems(OWN) == []
    assert cluster(made, None).namespaces_of_others(OWN) == frozenset()
    assert cluster(made, None).namespaces_of_others(()) == {"apps"}
    (problem,) = cluster(made, "projectcontour").problems(OWN)
    assert "this stack installed the Contour projectcontour/contour" in problem
    assert len(cluster(made, None).problems(())) == 3


def test_an_address_outside_needs_none_inside() -> None:
    pending = [*without(HELM, "Service", "Pod"), SERVER, service("NodePort")]
    assert cluster(pending, cluster={"listenAddress": "127.0.0.1"}).problems(()) == []
