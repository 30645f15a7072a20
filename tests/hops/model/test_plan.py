"""The plan of a stack: the documented path to the letter, and what other settings make of it."""

import dataclasses
import json
import shlex

import pytest

from hops.model.hop import (
    Entrance,
    Entrypoint,
    ForeignService,
    Hop,
    HopRole,
    KnownAt,
    LiveAddresses,
    PortMapping,
    RequestPath,
)
from hops.model.plan import plan
from hops.model.settings.stack_config import settings
from hops.model.settings.stack_settings import Settings
from hops.model.versions import CALICO, CONTOUR, GATEWAY_API

# What the documents show of the running cluster.
DOCUMENTED = LiveAddresses(
    node="172.18.0.3",
    envoy="10.244.55.133",
    services={"default/my-service": "10.96.106.9"},
    pods={"default/example-pod": "10.244.55.134"},
)
NODE = "sam-test-cluster-worker"


def hop(path: RequestPath, name: str) -> Hop:
    return next(hop for hop in path.hops if hop.name == name)


def test_the_documented_path_before_the_cluster_exists(seed: Settings) -> None:
    intended = plan(seed)
    assert intended.context == "kind-sam-test-cluster"
    assert intended.nodes == ("sam-test-cluster-control-plane", NODE)
    assert intended.xds == "10.96.0.8"
    (path,) = intended.paths
    assert path.url == "http://my-service.local/etc/passwd"
    assert path.curl == "curl --resolve my-service.local:80:127.0.0.1 http://my-service.local/etc/passwd"
    envoy = {"http": "80 -> 8080", "https": "443 -> 8443"}
    calico = {"podSubnet": "10.244.0.0/16", "encapsulation": "VXLANCrossSubnet", "interface": "cali47b61747c2f"}
    rows = [(h.number, h.name, h.component, h.address, h.port, h.next, h.details) for h in path.hops]
    route = "ingress default/example-ingress"
    assert rows == [
        (1, "name", "resolver of the host machine", "my-service.local", 80, "127.0.0.1:80", {}),
        (
            2,
            "port-mapping",
            f"docker {NODE}",
            "0.0.0.0",
            80,
            f"{NODE}:80",
            {"http": f"80 -> {NODE}:80", "https": f"443 -> {NODE}:443"},
        ),
        (3, "host-port", f"worker {NODE}", None, 80, None, {"chain": "CNI-HOSTPORT-DNAT", "node": NODE, **envoy}),
        (
            4,
            "route",
            route,
            None,
            8080,
            "my-service:8080",
            {
                "match": "my-service.local/",
                "backend": "my-service:8080",
                "cluster": "default/my-service/8080/da39a3ee5e",
                "control": "xDS of contour at 10.96.0.8:8001",
            },
        ),
        (
            5,
            "service",
            "service default/my-service",
            None,
            8080,
            None,
            {"dns": "my-service.default.svc.cluster.local", "selector": "service=example-pod"},
        ),
        (6, "endpoint", "calico cali47b61747c2f", None, 8080, "cali47b61747c2f", calico),
        (7, "pod", "pod default/example-pod", None, 8080, None, {}),
        (8, "reply-endpoint", "calico cali47b61747c2f", None, 8080, None, {}),
        (9, "reply-route", route, None, 8080, None, {}),
        (10, "reply-host-port", f"worker {NODE}", None, 80, "127.0.0.1", {}),
        (11, "reply-port-mapping", f"docker {NODE}", "0.0.0.0", 80, "127.0.0.1", {}),
        (12, "reply-client", "client", "127.0.0.1", None, None, {}),
    ]
    assert {h.service for h in path.hops} == {"default/my-service"}


def test_the_documented_path_in_the_running_cluster(seed: Settings) -> None:
    (path,) = plan(seed, DOCUMENTED).paths
    assert [(h.name, h.address, h.port, h.next) for h in path.hops] == [
        ("name", "my-service.local", 80, "127.0.0.1:80"),
        ("port-mapping", "0.0.0.0", 80, f"{NODE}:80"),
        ("host-port", "172.18.0.3", 80, "10.244.55.133:8080"),
        ("route", "10.244.55.133", 8080, "my-service:8080"),
        ("service", "10.96.106.9", 8080, "10.244.55.134:8080"),
        ("endpoint", "10.244.55.134", 8080, "cali47b61747c2f"),
        ("pod", "10.244.55.134", 8080, "10.244.55.133"),
        ("reply-endpoint", "10.244.55.134", 8080, "10.244.55.133"),
        ("reply-route", "10.244.55.133", 8080, "172.18.0.3"),
        ("reply-host-port", "172.18.0.3", 80, "127.0.0.1"),
        ("reply-port-mapping", "0.0.0.0", 80, "127.0.0.1"),
        ("reply-client", "127.0.0.1", None, None),
    ]
    assert all(h.address for h in path.hops)


def test_what_the_cluster_says_changes_no_more_than_addresses(seed: Settings) -> None:
    (before,), (after,) = plan(seed).paths, plan(seed, DOCUMENTED).paths
    assert [(h.component, h.port, h.details, h.known_at) for h in before.hops] == [
        (h.component, h.port, h.details, h.known_at) for h in after.hops
    ]
    for early, late in zip(before.hops, after.hops, strict=True):
        assert early.address in (None, late.address)
        assert early.next in (None, late.next)


def test_an_address_is_there_at_preview_where_it_is_said_to_be(seed: Settings) -> None:
    (path,) = plan(seed).paths
    known = {h.number for h in path.hops if h.known_at is KnownAt.PREVIEW}
    assert known == {1, 2, 11, 12}
    assert known == {h.number for h in path.hops if h.address}


def test_a_pinned_cluster_ip_is_known_at_preview() -> None:
    (path,) = plan(settings("alice", {"services": [{"clusterIP": "10.96.106.9"}]})).paths
    service = hop(path, "service")
    assert (service.address, service.known_at) == ("10.96.106.9", KnownAt.PREVIEW)


def test_the_service_is_beside_the_path(seed: Settings) -> None:
    (path,) = plan(seed).paths
    assert [h.name for h in path.hops if h.standing is HopRole.BESIDE] == ["service"]


def test_the_safe_default(local: Settings) -> None:
    (path,) = plan(local).paths
    assert path.curl == "curl --resolve my-service.localhost:8080:127.0.0.1 http://my-service.localhost:8080/"
    mapping = hop(path, "port-mapping")
    assert (mapping.address, mapping.port) == ("127.0.0.1", 8080)
    assert mapping.details == {"http": "8080 -> ingress-hops-local-worker:80"}
    assert hop(path, "route").details["match"] == "my-service.localhost/"


def test_a_command_line_that_a_shell_takes_as_it_is() -> None:
    (path,) = plan(settings("alice", {"services": [{"request": "/a'b&c"}]})).paths
    assert shlex.split(path.curl)[-1] == "http://my-service.localhost/a'b&c"


def test_a_service_with_a_certificate_is_reached_over_https_at_every_hop() -> None:
    config = {"cluster": {"httpPort": 8080, "httpsPort": 8443}, "services": [{"tls": True}, {"name": "b"}]}
    secure, plain = plan(settings("alice", config), authority="/home/a b/ca.pem").paths
    assert (secure.scheme, secure.url) == ("https", "https://my-service.localhost:8443/")
    assert secure.curl == (
        "curl --cacert '/home/a b/ca.pem' --resolve my-service.localhost:8443:127.0.0.1 "
        "https://my-service.localhost:8443/"
    )
    assert [(h.number, h.port, h.protocol) for h in secure.hops] == [
        (1, 8443, "DNS"),
        (2, 8443, "TCP"),
        (3, 443, "TCP"),
        (4, 8443, "HTTPS"),
        (5, 8080, "TCP"),
        (6, 8080, "TCP"),
        (7, 8080, "HTTP"),
        (8, 8080, "TCP"),
        (9, 8443, "HTTPS"),
        (10, 443, "TCP"),
        (11, 8443, "TCP"),
        (12, None, "HTTPS"),
    ]
    assert hop(secure, "port-mapping").next == "ingress-hops-alice-worker:443"
    assert hop(secure, "route").details["certificate"] == "secret apps/my-service.localhost"
    assert (plain.scheme, plain.url) == ("http", "http://b.localhost:8080/")
    assert "certificate" not in hop(plain, "route").details


def test_a_url_names_no_port_that_is_https_s_own() -> None:
    (path,) = plan(settings("alice", {"services": [{"tls": True}]})).paths
    assert path.url == "https://my-service.localhost/"


def test_no_authority_is_named_for_the_certificate_of_somebody_else() -> None:
    (path,) = plan(settings("alice", {"services": [{"tls": "mine"}]}), authority="/ca.pem").paths
    assert path.curl == "curl --resolve my-service.localhost:443:127.0.0.1 https://my-service.localhost/"
    assert hop(path, "route").details["certificate"] == "secret apps/mine"


def test_another_address_to_listen_on_is_where_the_client_goes() -> None:
    (path,) = plan(settings("alice", {"cluster": {"listenAddress": "192.0.2.1"}})).paths
    assert hop(path, "name").next == "192.0.2.1:80"
    assert "--resolve my-service.localhost:80:192.0.2.1 " in path.curl


def several(**more: object) -> Settings:
    services = [{"pod": "example-pod", "replicas": 2}, {"name": "web", "image": "web:1"}]
    return settings("alice", {"cluster": {"workers": 3}, "services": services, **more})


def test_several_workers_have_a_way_between_the_nodes_to_each_pod() -> None:
    source = "ingress-hops-alice-worker"
    intended = plan(several())
    assert [(one.service, one.pod, one.source, one.target, one.encapsulated) for one in intended.between] == [
        ("apps/my-service", "apps/example-pod", source, None, False),
        ("apps/my-service", "apps/example-pod-2", source, None, False),
        ("apps/web", "apps/web", source, None, False),
    ]
    assert {one.known_at for one in intended.between} == {KnownAt.UP}, "the scheduler chooses the nodes"
    assert str(intended.between[0]) == (
        f"{source} -> the node of apps/example-pod, known after an up; on another node: not encapsulated"
    )


def test_the_running_cluster_says_on_which_nodes_the_pods_are() -> None:
    source = "ingress-hops-alice-worker"
    there = LiveAddresses(
        nodes={"apps/example-pod": f"{source}2", "apps/example-pod-2": source, "apps/web-1": f"{source}3"},
        deployed={"apps/web": ("web-1",)},
    )
    assert [str(one) for one in plan(several(calico={"encapsulation": "VXLAN"}), there).between] == [
        f"{source} -> {source}2, the node of apps/example-pod: encapsulated as VXLAN (UDP 4789)",
        f"apps/example-pod-2 and Envoy are both on {source}: packets between them stay on this node",
        f"{source} -> {source}3, the node of apps/web-1: encapsulated as VXLAN (UDP 4789)",
    ]


@pytest.mark.parametrize("workers", [0, 1])
def test_where_one_node_runs_all_pods_there_is_no_way_between_nodes(workers: int) -> None:
    assert plan(settings("alice", {"cluster": {"workers": workers}})).between == ()


def published_twice() -> Settings:
    further = [{"worker": 1, "httpPort": 8081, "httpsPort": 8444}]
    publishing = {"workers": 3, "publishingWorker": 3, "httpPort": 8080, "httpsPort": None, "alsoPublish": further}
    return settings("alice", {"cluster": publishing})


def test_each_publishing_worker_is_an_entrypoint_with_ports_of_its_own() -> None:
    worker = "ingress-hops-alice-worker"
    intended = plan(published_twice())
    assert [(entrypoint.node, [m.host for m in entrypoint.mappings]) for entrypoint in intended.entrypoints] == [
        (f"{worker}3", [8080]),
        (worker, [8081, 8444]),
    ]
    (path,) = intended.paths
    assert path.url == "http://my-service.localhost:8080/"
    assert (hop(path, "port-mapping").component, hop(path, "host-port").component) == (
        f"docker {worker}3",
        f"worker {worker}3",
    )
    assert [(one.node, one.url) for one in intended.entrances] == [(worker, "http://my-service.localhost:8081/")]
    assert [one.source for one in intended.between] == [f"{worker}3", worker]
    assert [one.url for one, _ in intended.asked] == [path.url, intended.entrances[0].url]
    assert intended.path_by(8444, intended.backends[0]) == intended.entrances[0]
    assert intended.path_by(9, intended.backends[0]) == path


def test_what_was_found_of_the_first_node_is_not_reported_of_another() -> None:
    intended = plan(published_twice(), LiveAddresses(node="172.18.0.4", envoy="10.244.1.1"))
    assert hop(intended.paths[0], "host-port").address == "172.18.0.4"
    assert hop(intended.entrances[0], "host-port").address is None


def test_a_route_with_tls_enters_where_https_is_published() -> None:
    further = [{"worker": 2, "httpPort": 8081}, {"worker": 3, "httpPort": 8082, "httpsPort": 8445}]
    cluster = {"workers": 3, "alsoPublish": further}
    intended = plan(settings("alice", {"cluster": cluster, "services": [{"tls": "mine"}]}))
    assert [one.url for one in intended.entrances] == ["https://my-service.localhost:8445/"]


def test_running_clusters_keep_their_fingerprint_where_the_first_worker_alone_publishes() -> None:
    plain = plan(settings("alice", {"cluster": {"workers": 2}}))
    assert not {"cluster.publishingWorker", "cluster.alsoPublish"} & set(plain.fixed)
    other = plan(settings("alice", {"cluster": {"workers": 2, "publishingWorker": 2}}))
    assert (other.fingerprint != plain.fingerprint, other.fixed["cluster.publishingWorker"]) == (True, 2)


def test_a_redirect_leads_to_no_node() -> None:
    route = {"kind": "HTTPProxy", "redirect": {"scheme": "https"}}
    services = [{"name": "web", "routes": [{"path": "/a"}, {**route, "path": "/b"}]}]
    (only,) = plan(settings("alice", {"cluster": {"workers": 2}, "services": services})).between
    assert only.route == "web.localhost/a"


def test_replicas_are_pods_with_numbers() -> None:
    three = settings("alice", {"services": [{"pod": "example-pod", "replicas": 3}]})
    intended = plan(three, LiveAddresses(pods={"apps/example-pod-2": "10.244.0.9"}))
    assert intended.backends[0].pods == ("example-pod", "example-pod-2", "example-pod-3")
    assert intended.backends[0].selector == {"service": "example-pod"}
    pod = hop(intended.paths[0], "pod")
    assert pod.details == {"pods": "example-pod=? example-pod-2=10.244.0.9 example-pod-3=?"}
    assert pod.address is None, "the first pod stands for the path, and it has no address yet"


def test_several_services_share_the_entrypoint() -> None:
    two = settings("alice", {"services": [{"name": "a"}, {"name": "b", "namespace": "other", "port": 9000}]})
    first, second = plan(two).paths
    assert [len(path.hops) for path in (first, second)] == [12, 12]
    assert (first.service, second.service) == ("apps/a", "other/b")
    assert hop(first, "port-mapping").next == hop(second, "port-mapping").next
    assert hop(second, "route").details["cluster"] == "other/b/9000/da39a3ee5e"
    assert hop(second, "pod").port == 9000


def test_each_route_of_a_service_has_its_own_path() -> None:
    routes = [{}, {"kind": "HTTPProxy", "host": "api.localhost", "path": "/v1", "rewrite": "/"}]
    intended = plan(settings("alice", {"services": [{"name": "web", "routes": routes}, {"name": "db", "routes": []}]}))
    assert [(path.service, path.route, path.url) for path in intended.paths] == [
        ("apps/web", "web.localhost/", "http://web.localhost/"),
        ("apps/web", "api.localhost/v1", "http://api.localhost/v1"),
    ]
    assert [hop(path, "route").component for path in intended.paths] == [
        "ingress apps/web-ingress",
        "httpproxy apps/api.localhost",
    ]
    assert [(one.service, one.host, one.pods) for one in intended.services] == [
        ("web", "web.localhost", ("web-pod",)),
        ("db", "", ("db-pod",)),
    ]


def test_a_canary_tells_its_weights_and_a_condition_its_request() -> None:
    proxy = {"kind": "HTTPProxy", "host": "web.localhost"}
    shared = {**proxy, "weight": 90, "others": [{"service": "next", "weight": 10, "port": "http"}]}
    asked = {**proxy, "headers": [{"name": "X-Canary", "exact": "it's"}], "query": [{"name": "v", "present": True}]}
    ports = [{"name": "admin", "port": 81}, {"name": "http", "port": 82}]
    services = [
        {"name": "web", "routes": [{**shared, "mirror": {"service": "next"}}]},
        {"name": "next", "ports": ports, "routes": [asked]},
    ]
    canary, conditional = plan(settings("alice", {"services": services})).paths
    assert hop(canary, "route").details["weights"] == "web:8080 90 of 100, next:82 10 of 100"
    assert hop(canary, "route").details["mirror"] == "next:81"
    assert "conditions" not in hop(canary, "route").details
    assert hop(conditional, "route").details["conditions"] == "header x-canary exact it's, query v present"
    assert "weights" not in hop(conditional, "route").details
    words = shlex.split(conditional.curl)
    assert [words[1], words[2], words[-1]] == ["--header", "x-canary: it's", "http://web.localhost/?v=1"]


def test_an_httproute_has_a_path_and_needs_the_gateway_api() -> None:
    routes = [{"kind": "HTTPRoute", "path": "/v1", "weight": 3, "others": [{"service": "next", "weight": 1}]}, {}]
    services = [{"name": "web", "routes": routes}, {"name": "next"}]
    whole = plan(settings("alice", {"services": services}))
    assert hop(whole.paths[0], "route").component == "httproute apps/web-route"
    assert hop(whole.paths[0], "route").details["weights"] == "web:8080 3 of 4, next:8080 1 of 4"
    assert whole.manifests == (CALICO, CONTOUR, GATEWAY_API)
    without = plan(settings("alice", {"services": [{"name": "web", "routes": routes[1:]}]}))
    assert without.manifests == (CALICO, CONTOUR)
    # A running cluster can take either.
    assert whole.fingerprint == without.fingerprint


def test_a_path_leads_to_the_port_of_its_route() -> None:
    ports = [{"name": "http", "port": 80, "targetPort": 3000}, {"name": "metrics", "port": 9090}]
    routes = [{}, {"path": "/metrics", "port": "metrics"}]
    intended = plan(settings("alice", {"services": [{"name": "web", "ports": ports, "routes": routes}]}))
    assert [[hop(path, name).port for name in ("service", "endpoint", "pod")] for path in intended.paths] == [
        [80, 3000, 3000],
        [9090, 9090, 9090],
    ]
    assert [hop(path, "route").details["backend"] for path in intended.paths] == ["web:80", "web:9090"]
    assert [hop(path, "route").details["cluster"] for path in intended.paths] == [
        "apps/web/80/da39a3ee5e",
        "apps/web/9090/da39a3ee5e",
    ]


def test_the_only_route_of_a_service_needs_no_name() -> None:
    (path,) = plan(settings("alice", {"services": [{"name": "web", "routes": [{"path": "/a"}]}]})).paths
    assert {one.route for one in path.hops} == {path.route} == {""}


def test_a_redirect_ends_at_envoy() -> None:
    redirect = {"kind": "HTTPProxy", "redirect": {"scheme": "https", "prefix": "/v2", "port": 8443}}
    (path,) = plan(settings("alice", {"services": [{"routes": [redirect]}]})).paths
    assert [one.number for one in path.hops] == [1, 2, 3, 4, 9, 10, 11, 12]
    assert hop(path, "route").details["redirect"] == "https://*:8443/v2/*"
    assert hop(path, "route").next == "127.0.0.1"


def test_workers_and_ports() -> None:
    intended = plan(settings("alice", {"cluster": {"name": "c", "workers": 3, "httpPort": 8081, "httpsPort": None}}))
    assert intended.nodes == ("c-control-plane", "c-worker", "c-worker2", "c-worker3")
    assert intended.entrypoint.node == "c-worker"
    assert [(m.scheme, m.host, m.node, m.envoy) for m in intended.entrypoint.mappings] == [("http", 8081, 80, 8080)]


def test_without_workers_the_control_plane_publishes() -> None:
    intended = plan(settings("alice", {"cluster": {"name": "c", "workers": 0}}))
    assert intended.nodes == ("c-control-plane",)
    assert intended.entrypoint.node == "c-control-plane"
    assert hop(intended.paths[0], "host-port").component == "control plane c-control-plane"


def test_contours_address_follows_the_subnet() -> None:
    assert plan(settings("alice", {"cluster": {"serviceSubnet": "172.20.0.0/16"}})).xds == "172.20.0.8"


@pytest.fixture
def existing() -> Settings:
    return settings("prod", {"cluster": {"existing": "team-a"}})


def test_an_existing_cluster_has_a_load_balancer_in_front(existing: Settings) -> None:
    intended = plan(existing)
    assert (intended.context, intended.nodes, intended.xds) == ("team-a", (), None)
    (path,) = intended.paths
    assert [h.name for h in path.hops][:5] == ["name", "load-balancer", "node-port", "route", "service"]
    assert [h.name for h in path.hops][7:] == [
        "reply-endpoint",
        "reply-route",
        "reply-node-port",
        "reply-load-balancer",
        "reply-client",
    ]
    assert hop(path, "load-balancer").component == "load balancer"
    assert hop(path, "load-balancer").details == {"http": "80 -> 8080", "https": "443 -> 8443"}
    assert path.curl == "curl http://my-service.localhost/"
    assert {h.number for h in path.hops if h.known_at is KnownAt.PREVIEW} == {1}


MAPPINGS = (PortMapping("http", 80, 30123, 8080), PortMapping("https", 443, 30124, 8443))


def balancer(listen: str) -> Entrypoint:
    return Entrypoint(listen, None, MAPPINGS, Entrance.LOAD_BALANCER)


def test_an_existing_cluster_says_where_its_load_balancer_is(existing: Settings) -> None:
    there = LiveAddresses(entrance=balancer("203.0.113.5"), pods={"apps/my-service-pod": "10.1.2.3"})
    (path,) = plan(existing, there).paths
    assert hop(path, "load-balancer").address == "203.0.113.5"
    assert hop(path, "node-port").port == 30123
    assert path.curl == "curl --resolve my-service.localhost:80:203.0.113.5 http://my-service.localhost/"
    assert hop(path, "pod").address == "10.1.2.3"


def test_a_load_balancer_without_an_address_is_meant_by_its_name(existing: Settings) -> None:
    (path,) = plan(existing, LiveAddresses(entrance=balancer("lb.example.com"))).paths
    assert path.curl == ("curl --connect-to my-service.localhost:80:lb.example.com:80 http://my-service.localhost/")


@pytest.mark.parametrize(
    ("entrance", "third", "last"),
    [("NodePort", "node-port", "reply-node-port"), ("HostPort", "host-port", "reply-host-port")],
)
def test_requests_to_a_node_have_no_second_hop(entrance: str, third: str, last: str) -> None:
    of = settings("prod", {"cluster": {"existing": "team-a"}, "contour": {"entrance": entrance}})
    port = of.cluster.http_port
    (path,) = plan(of).paths
    assert [h.number for h in path.hops] == [1, 3, 4, 5, 6, 7, 8, 9, 10, 12]
    assert [h.name for h in path.hops if h.number in (3, 10)] == [third, last]
    assert (hop(path, third).component, hop(path, third).address) == ("nodes of the cluster", None)
    entrypoint = plan(of).entrypoint
    there = dataclasses.replace(entrypoint, listen="192.0.2.4", node="n1")
    (path,) = plan(of, LiveAddresses(node="192.0.2.4", envoy="10.1.0.9", entrance=there)).paths
    entered = hop(path, third)
    assert (entered.component, entered.address, entered.port, entered.next) == (
        "node n1",
        "192.0.2.4",
        port,
        "10.1.0.9:8080",
    )
    assert hop(path, "name").next == f"192.0.2.4:{port}"
    assert f"--resolve my-service.localhost:{port}:192.0.2.4" in path.curl


def test_an_address_outside_of_an_existing_cluster_is_the_one_of_clients() -> None:
    cluster = {"existing": "k3d-mine", "listenAddress": "127.0.0.1", "httpPort": 8081, "httpsPort": None}
    of = settings("prod", {"cluster": cluster, "contour": {"entrance": "NodePort"}})
    assert plan(of).entrypoint == Entrypoint(
        "127.0.0.1", None, (PortMapping("http", 8081, 30080, 8080),), Entrance.NODE_PORT
    )
    (path,) = plan(of, LiveAddresses(entrance=balancer("203.0.113.5"))).paths
    assert path.curl.startswith("curl --resolve my-service.localhost:8081:127.0.0.1 ")
    assert hop(path, "load-balancer").port == 8081


def test_calicos_interface_is_reported_where_calico_is(existing: Settings) -> None:
    (path,) = plan(existing, LiveAddresses()).paths
    assert (hop(path, "endpoint").component, "interface" in hop(path, "endpoint").details) == ("pod network", False)
    assert hop(path, "endpoint").next is None
    (path,) = plan(existing, LiveAddresses(network="calico")).paths
    assert hop(path, "endpoint").details["interface"].startswith("cali")


def test_a_contour_that_is_there_needs_no_published_file() -> None:
    of = settings("prod", {"cluster": {"existing": "team-a"}, "contour": {"existing": "edge/contour-2"}})
    assert (plan(of).manifests, plan(of).controller_namespace) == ((), "edge")


def test_an_existing_cluster_needs_no_pod_network(existing: Settings, seed: Settings) -> None:
    assert [m.name for m in plan(existing).manifests] == ["contour"]
    assert [m.name for m in plan(seed).manifests] == ["calico", "contour"]


def test_a_path_is_plain_data(seed: Settings) -> None:
    (path,) = plan(seed).paths
    for found in path.hops:
        assert json.loads(json.dumps(dataclasses.asdict(found)))["standing"] in {"on path", "beside the path"}


def test_the_pod_of_a_deployment_is_known_at_up() -> None:
    of = settings("alice", {"services": [{"name": "web", "image": "web:1"}]})
    (path,) = plan(of).paths
    endpoint, pod = hop(path, "endpoint"), hop(path, "pod")
    assert (endpoint.component, endpoint.address, endpoint.known_at) == ("calico", None, KnownAt.UP)
    assert (endpoint.next, "interface" in endpoint.details) == ("an interface named at up", False)
    assert (pod.component, pod.address) == ("deployment apps/web", None)
    there = LiveAddresses(
        pods={"apps/web-1-a": "10.244.0.5", "apps/web-1-b": "10.244.0.6"}, deployed={"apps/web": ("web-1-a", "web-1-b")}
    )
    (path,) = plan(of, there).paths
    endpoint, pod = hop(path, "endpoint"), hop(path, "pod")
    assert endpoint.component == f"calico {endpoint.details['interface']}"
    assert (endpoint.address, pod.component, pod.address) == ("10.244.0.5", "pod apps/web-1-a", "10.244.0.5")
    assert pod.details == {"pods": "web-1-a=10.244.0.5 web-1-b=10.244.0.6"}


def test_the_pods_of_a_foreign_service_are_known_at_up() -> None:
    of = settings("alice", {"services": [{"name": "web", "kind": "Service", "port": 80}]})
    (path,) = plan(of).paths
    endpoint, pod = hop(path, "endpoint"), hop(path, "pod")
    assert (endpoint.address, endpoint.port, endpoint.next) == (None, None, "an interface named at up")
    assert (pod.component, pod.address, pod.port) == ("pod of service apps/web", None, None)
    assert hop(path, "service").port == 80
    there = LiveAddresses(
        pods={"apps/a": "10.244.0.5"}, foreign={"apps/web": ForeignService({"app": "web"}, ("a",), {80: 3000})}
    )
    (path,) = plan(of, there).paths
    endpoint, pod = hop(path, "endpoint"), hop(path, "pod")
    assert (endpoint.address, endpoint.port) == ("10.244.0.5", 3000)
    assert (pod.component, pod.address, pod.port) == ("pod apps/a", "10.244.0.5", 3000)
    assert hop(path, "service").details["selector"] == "app=web"


def test_the_command_of_a_grpc_route_is_a_call() -> None:
    routes = [{"protocol": "h2c"}, {"path": "/a", "port": "web"}]
    ports = [{"name": "rpc", "port": 81}, {"name": "web", "port": 80}]
    call, plain = plan(settings("alice", {"services": [{"name": "a", "ports": ports, "routes": routes}]})).paths
    words = shlex.split(call.curl)
    assert words[1:8] == [
        *("--include", "--request", "POST", "--header", "content-type: application/grpc", "--header", "te: trailers")
    ]
    assert "POST" not in plain.curl


def test_only_a_deployment_has_pods_without_a_name() -> None:
    unnamed = LiveAddresses(unnamed="?")
    services = [{"name": "web", "image": "web:1"}, {"name": "plain", "pod": "plain"}]
    first, second = plan(settings("alice", {"services": services}), unnamed).paths
    assert (hop(first, "pod").address, hop(second, "pod").address) == ("?", None)


DUAL = {"cluster": {"ipFamily": "dual"}}
SIX = {"cluster": {"ipFamily": "ipv6"}}


def test_a_cluster_of_both_families_is_entered_by_both() -> None:
    (path,) = plan(settings("alice", DUAL)).paths
    published = hop(path, "port-mapping")
    assert (published.address, published.details["ipv6"]) == ("127.0.0.1", "::1")
    assert path.curl == ("curl --resolve 'my-service.localhost:80:127.0.0.1,[::1]' http://my-service.localhost/")
    assert hop(path, "endpoint").details["podSubnet"] == "10.244.0.0/16,fd00:10:244::/56"


def test_the_second_address_of_each_part_is_told() -> None:
    found = dataclasses.replace(
        DOCUMENTED,
        services={"apps/my-service": "10.96.1.1"},
        pods={"apps/my-service-pod": "10.244.1.2"},
        seconds={"172.18.0.3": "fc00::3", "10.244.55.133": "fd00::5", "10.96.1.1": "fd00::1", "10.244.1.2": "fd00::2"},
    )
    (path,) = plan(settings("alice", DUAL), found).paths
    told = {name: hop(path, name).details.get("ipv6") for name in ("host-port", "route", "service", "pod")}
    assert told == {"host-port": "fc00::3", "route": "fd00::5", "service": "fd00::1", "pod": "fd00::2"}
    (plain,) = plan(settings("alice", {}), dataclasses.replace(found, seconds={})).paths
    assert not any("ipv6" in one.details for one in plain.hops)


def test_an_ipv6_cluster_has_bracketed_addresses() -> None:
    found = LiveAddresses(node="fc00::3", envoy="fd00::5", pods={"apps/my-service-pod": "fd00::2"})
    intended = plan(settings("alice", SIX), found)
    (path,) = intended.paths
    assert intended.xds == "fd00:10:96::8"
    assert (hop(path, "name").next, hop(path, "host-port").next) == ("[::1]:80", "[fd00::5]:8080")
    assert hop(path, "service").next == "[fd00::2]:8080"
    assert hop(path, "route").details["control"] == "xDS of contour at [fd00:10:96::8]:8001"
    assert shlex.split(path.curl)[1:3] == ["--resolve", "my-service.localhost:80:[::1]"]


def test_running_clusters_keep_their_fingerprint_without_ipv6() -> None:
    plain, dual = plan(settings("alice", {})), plan(settings("alice", DUAL))
    assert not [key for key in plain.fixed if "IPv6" in key or "ipFamily" in key]
    assert (dual.fingerprint != plain.fingerprint, dual.fixed["cluster.ipFamily"]) == (True, "dual")


def test_every_ipv6_address_is_reached_on_loopback() -> None:
    (path,) = plan(settings("alice", {"cluster": {"ipFamily": "ipv6", "listenAddressIPv6": "::"}})).paths
    assert hop(path, "name").next == "[::1]:80"
