"""Paths read back: of what the components declare, of whatever else somebody hands over, of a cluster's answer."""

import copy
import dataclasses
import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hops.kubernetes.declared_path import entrypoint, found, read
from hops.kubernetes.inventory import Inventory
from hops.model.finding import Place
from hops.model.hop import ForeignService, LiveAddresses, RequestPath
from hops.model.plan import plan
from hops.model.preflight import ClusterState
from hops.model.settings.stack_config import settings
from hops.model.settings.stack_settings import Settings
from stacks.build import StackContext, build
from tests.recording import Recording, run

Objects = list[dict[str, Any]]


def declared(of: Settings, calico: Objects, contour: Objects) -> Objects:
    """All objects that the components declare, kind's configuration among them."""
    ground = StackContext("/folder", "/folder/seed.owner", 17, ClusterState(), {"calico": calico, "contour": contour})
    recording = run(lambda: build(of, ground), Recording(preview=True))
    clusters = [json.loads(command.inputs["stdin"]) for command in recording.of("Command")]
    return [*clusters, *recording.objects()]


def comparable(path: RequestPath) -> RequestPath:
    """Without what no object declares: the path of the request that the documents make."""
    return dataclasses.replace(path, url="", curl="")


VARIANTS: list[dict[str, Any]] = [
    {},
    {"cluster": {"workers": 3, "httpPort": 8081, "httpsPort": None, "listenAddress": "0.0.0.0"}},
    {"services": [{"replicas": 3, "path": "/shop", "port": 9000, "clusterIP": "10.96.1.1"}]},
    {"services": [{"name": "a"}, {"name": "b", "namespace": "other"}], "calico": {"encapsulation": "None"}},
    {"cluster": {"workers": 3, "publishingWorker": 2}, "contour": {"envoyNodes": "publishing"}},
    {"cluster": {"existing": "team-a"}},
    {"services": [{"name": "a", "tls": "a-tls"}, {"name": "b"}]},
]


@pytest.mark.parametrize("config", VARIANTS)
def test_what_is_declared_reads_back_as_the_plan(
    config: dict[str, Any], calico_objects: Objects, contour_objects: Objects
) -> None:
    of = settings("alice", config)
    assert read(declared(of, calico_objects, contour_objects)) == plan(of).paths


def test_what_the_seed_declares_reads_back_as_its_plan(
    seed: Settings, calico_objects: Objects, contour_objects: Objects
) -> None:
    paths = read(declared(seed, calico_objects, contour_objects))
    assert [comparable(path) for path in paths] == [comparable(path) for path in plan(seed).paths]


def test_the_entrypoint_of_a_port_is_the_node_that_publishes_it(
    calico_objects: Objects, contour_objects: Objects
) -> None:
    cluster = {"workers": 2, "publishingWorker": 2, "httpPort": 8081, "alsoPublish": [{"worker": 1, "httpPort": 8082}]}
    of = settings("alice", {"cluster": cluster})
    objects = declared(of, calico_objects, contour_objects)
    inventory = Inventory(((item, Place()) for item in objects), today=date.min)
    assert [entrypoint(inventory, port) for port in (8081, 8082)] == list(plan(of).entrypoints)
    assert entrypoint(inventory) == entrypoint(inventory, 9) == plan(of).entrypoints[1], "the first worker comes first"


def test_found_addresses_go_where_the_plan_puts_them(
    local: Settings, calico_objects: Objects, contour_objects: Objects
) -> None:
    there = LiveAddresses(
        node="172.18.0.3",
        envoy="10.244.1.1",
        services={"apps/my-service": "10.96.3.4"},
        pods={"apps/example-pod": "10.244.1.2"},
    )
    assert read(declared(local, calico_objects, contour_objects), there) == plan(local, there).paths


@pytest.fixture(scope="module")
def small() -> Objects:
    """A path in as few objects as can be."""
    ports = [{"containerPort": 80, "hostPort": 8080}]
    envoy = {"containers": [{"name": "envoy", "ports": [{"containerPort": 8080, "hostPort": 80, "name": "http"}]}]}
    env = [
        {"name": "CALICO_IPV4POOL_CIDR", "value": "10.0.0.0/16"},
        {"name": "CALICO_IPV4POOL_VXLAN", "value": "Always"},
    ]
    rule = {
        "host": "a.example",
        "http": {"paths": [{"path": "/", "backend": {"service": {"name": "a", "port": {"number": 1}}}}]},
    }
    return [
        {
            "kind": "Cluster",
            "name": "c",
            "nodes": [{"role": "control-plane"}, {"role": "worker", "extraPortMappings": ports}],
        },
        {"kind": "DaemonSet", "metadata": {"name": "envoy"}, "spec": {"template": {"spec": envoy}}},
        {
            "kind": "DaemonSet",
            "metadata": {"name": "calico-node"},
            "spec": {"template": {"spec": {"containers": [{"name": "calico-node", "env": env}]}}},
        },
        {
            "kind": "Service",
            "metadata": {"name": "a"},
            "spec": {"selector": {"app": "a"}, "ports": [{"port": 1, "targetPort": "web"}]},
        },
        {
            "kind": "Pod",
            "metadata": {"name": "a-pod", "labels": {"app": "a", "more": "b"}},
            "spec": {"containers": [{"ports": [{"name": "web", "containerPort": 9000}]}]},
        },
        {"kind": "Ingress", "metadata": {"name": "i"}, "spec": {"rules": [rule]}},
    ]


def changed(objects: Objects, place: list[Any], value: Any) -> Objects:
    """A copy with another value at one place; None as value removes it."""
    copied = copy.deepcopy(objects)
    inside: Any = copied
    for step in place[:-1]:
        inside = inside[step]
    if value is None:
        del inside[place[-1]]
    else:
        inside[place[-1]] = value
    return copied


def ports_of_envoy(value: Any) -> list[Any]:
    return [1, "spec", "template", "spec", "containers", 0, "ports", *value]


def test_a_small_path(small: Objects) -> None:
    (path,) = read(small)
    assert path.url == "http://a.example:8080/"
    assert [(h.component, h.address, h.port) for h in path.hops[1:7]] == [
        ("docker c-worker", "0.0.0.0", 8080),
        ("worker c-worker", None, 80),
        ("ingress default/i", None, 8080),
        ("service default/a", None, 1),
        (f"calico {path.hops[5].details['interface']}", None, 9000),
        ("pod default/a-pod", None, 9000),
    ]
    assert path.hops[5].details["encapsulation"] == "VXLAN"


def test_floats_of_an_engine_are_whole_numbers(small: Objects) -> None:
    floats = json.loads(json.dumps(small), parse_int=float)
    assert read(floats) == read(small)
    assert type(read(floats)[0].hops[1].port) is int


SERVICE_PORTS = [3, "spec", "ports"]

CHANGES: list[tuple[str, list[Any], Any, Any]] = [
    # what, where, to what, the target port of the only path; None for no path
    ("a numbered target", [*SERVICE_PORTS, 0, "targetPort"], 7, 7),
    ("no target, so the port itself", [*SERVICE_PORTS, 0, "targetPort"], None, 1),
    ("a name that no pod declares", [*SERVICE_PORTS, 0, "targetPort"], "other", 1),
    ("a backend by the port's name", [*SERVICE_PORTS, 0], {"name": "p", "port": 2}, None),
    ("another port", [*SERVICE_PORTS, 0, "port"], 2, None),
    ("no such Service", [3, "metadata", "name"], "b", None),
    ("Service elsewhere", [3, "metadata", "namespace"], "other", None),
    ("no host port of Envoy", ports_of_envoy([0, "hostPort"]), None, None),
    ("another host port of Envoy", ports_of_envoy([0, "hostPort"]), 8000, None),
    ("Envoy's https only", ports_of_envoy([0, "hostPort"]), 443, None),
    ("no published port", [0, "nodes", 1, "extraPortMappings"], None, None),
    ("a random published port", [0, "nodes", 1, "extraPortMappings", 0, "hostPort"], 0, None),
    ("no kind nodes", [0, "nodes"], None, None),
    ("no Envoy", [1, "metadata", "name"], "nginx", None),
]


@pytest.mark.parametrize(("place", "value", "target"), [c[1:] for c in CHANGES], ids=[c[0] for c in CHANGES])
def test_what_a_change_does(small: Objects, place: list[Any], value: Any, target: int | None) -> None:
    assert [path.hops[6].port for path in read(changed(small, place, value))] == ([] if target is None else [target])


def test_a_backend_may_name_the_port(small: Objects) -> None:
    named = changed(small, [*SERVICE_PORTS, 0, "name"], "web")
    place = [5, "spec", "rules", 0, "http", "paths", 0, "backend", "service", "port"]
    assert read(changed(named, place, {"name": "web"})) == read(small)


def test_an_http_proxy_declares_a_path_as_an_ingress_does(small: Objects) -> None:
    services = [{"name": "a", "port": 1, "weight": 9}, {"name": "nobody", "port": 1}]
    spec = {"virtualhost": {"fqdn": "a.example"}, "routes": [{"services": services}]}
    proxy = {"apiVersion": "projectcontour.io/v1", "kind": "HTTPProxy", "metadata": {"name": "p"}, "spec": spec}
    (path,) = read([*small[:5], proxy])
    assert path.url == "http://a.example:8080/"
    assert path.hops[3].component == "httpproxy default/p"
    assert [hop.address for hop in path.hops[4:7]] == [hop.address for hop in read(small)[0].hops[4:7]]
    assert read([*small[:5], {**proxy, "spec": {**spec, "virtualhost": None}}]) == ()


def test_a_service_without_pods_has_a_path_all_the_same(small: Objects) -> None:
    (path,) = read(changed(small, [4, "metadata", "labels", "app"], "b"))
    assert (path.hops[6].component, path.hops[5].component) == ("pod", "calico")


def test_a_service_without_a_selector_chooses_nobody(small: Objects) -> None:
    (path,) = read(changed(small, [3, "spec", "selector"], None))
    assert path.hops[6].component == "pod"


def test_a_headless_service_has_no_address(small: Objects) -> None:
    (path,) = read(changed(small, [3, "spec", "clusterIP"], "None"))
    assert path.hops[4].address is None


def test_the_listen_address_is_the_web_ports(small: Objects) -> None:
    other = {"containerPort": 9000, "hostPort": 9000, "listenAddress": "0.0.0.0"}
    web = {"containerPort": 80, "hostPort": 8080, "listenAddress": "127.0.0.1"}
    (path,) = read(changed(small, [0, "nodes", 1, "extraPortMappings"], [other, web]))
    assert path.hops[1].address == "127.0.0.1"


def test_nodes_are_named_as_kind_names_them(small: Objects) -> None:
    nodes = small[0]["nodes"]
    (path,) = read(changed(small, [0, "nodes"], [nodes[0], {"role": "worker"}, nodes[1]]))
    assert path.hops[1].component == "docker c-worker2"
    (path,) = read(changed(small, [0, "nodes"], [nodes[1] | {"role": "control-plane"}]))
    assert path.hops[1].component == "docker c-control-plane"
    (path,) = read(changed(small, [0, "name"], None))
    assert path.hops[1].component == "docker kind-worker"


@pytest.mark.parametrize("target", [8080, "http"])
def test_without_kind_the_load_balancer_is_the_entrypoint(small: Objects, target: int | str) -> None:
    ports = [{"name": "http", "port": 8000, "targetPort": target}]
    spec = {"type": "LoadBalancer", "selector": {"app": "envoy"}, "ports": ports}
    balanced = [*small[1:], {"kind": "Service", "metadata": {"name": "envoy"}, "spec": spec}]
    (path,) = read(balanced)
    entry = path.hops[1]
    assert (entry.name, entry.address, entry.port) == ("load-balancer", None, 8000)
    assert entry.details == {"http": "8000 -> 8080"}
    assert read(changed(balanced, [5, "spec", "type"], "ClusterIP")) == ()
    assert read(changed(balanced, [5, "spec", "ports", 0, "name"], "https")) == ()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=5,
)


ANYTHING: list[Any] = [None, True, 0, -1, 1e300, float("nan"), "x", [], [1], ["x"], {}, {"a": []}, [{"port": {}}]]


def places(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, item in items for found in [(*here, key), *places(item, (*here, key))]]


@given(st.data())
def test_an_object_of_a_wrong_form_never_raises(small: Objects, data: st.DataObject) -> None:
    objects = small
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.sampled_from(places(objects)))
        objects = changed(objects, list(place), data.draw(JSON.filter(lambda value: value is not None)))
    read(objects)


def test_each_place_may_hold_anything(small: Objects) -> None:
    for place in places(small):
        for value in ANYTHING:
            read(changed(small, list(place), value))


@given(st.lists(JSON, max_size=3))
def test_arbitrary_values_never_raise(objects: list[Any]) -> None:
    assert read(objects) == ()


def node(name: str, *addresses: tuple[str, str]) -> dict[str, Any]:
    listed = [{"type": kind, "address": address} for kind, address in addresses]
    return {"kind": "Node", "metadata": {"name": name}, "status": {"addresses": listed}}


def pod(namespace: str, name: str, app: str, on: str, address: str | None) -> dict[str, Any]:
    return {
        "kind": "Pod",
        "metadata": {"namespace": namespace, "name": name, "labels": {"app": app}},
        "spec": {"nodeName": on},
        "status": {"podIP": address} if address else {},
    }


def service(name: str, address: str | None) -> dict[str, Any]:
    return {"kind": "Service", "metadata": {"namespace": "apps", "name": name}, "spec": {"clusterIP": address}}


ANSWER = [
    node("c-worker", ("Hostname", "c-worker"), ("InternalIP", "172.18.0.3")),
    node("c-control-plane", ("InternalIP", "172.18.0.2")),
    pod("projectcontour", "envoy-0", "envoy", "c-worker", None),
    pod("projectcontour", "envoy-1", "envoy", "c-control-plane", "10.244.0.7"),
    pod("projectcontour", "envoy-2", "envoy", "c-worker", "10.244.1.7"),
    pod("other", "envoy-3", "envoy", "c-worker", "10.244.1.8"),
    pod("apps", "pending", "", "", None),
    service("a", "10.96.3.4"),
    service("headless", "None"),
    service("outside", ""),
]


def test_found_takes_the_addresses_of_an_answer() -> None:
    there = found(ANSWER, "c-worker")
    assert (there.node, there.envoy) == ("172.18.0.3", "10.244.1.7")
    assert there.services == {"apps/a": "10.96.3.4"}
    assert set(there.pods) == {"projectcontour/envoy-1", "projectcontour/envoy-2", "other/envoy-3"}
    assert there.nodes["projectcontour/envoy-2"] == "c-worker"
    assert "apps/pending" not in there.nodes


def test_found_without_a_publishing_node() -> None:
    there = found(ANSWER, None)
    assert (there.node, there.envoy) == (None, None)


def test_found_reads_the_pods_and_ports_of_a_foreign_service() -> None:
    def pod(name: str, namespace: str = "apps", **metadata: Any) -> dict[str, Any]:
        whole = {"name": name, "namespace": namespace, "labels": {"app": "web", "of": name}, **metadata}
        ports = [{"name": "http", "containerPort": 3000}]
        return {"kind": "Pod", "metadata": whole, "spec": {"containers": [{"name": "c", "ports": ports}]}}

    ports = [{"port": 80, "targetPort": "http"}, {"port": 81}, {"port": 82, "targetPort": "missing"}]
    spec = {"selector": {"app": "web"}, "ports": ports}
    service = {"kind": "Service", "metadata": {"name": "web", "namespace": "apps"}, "spec": spec}
    others = [pod("x", "other"), pod("y", labels={"app": "api"}), pod("z", deletionTimestamp="2026-11-29T05:00:00Z")]
    objects = [service, pod("b"), pod("a"), *others]
    assert found(objects, None).foreign == {}
    there = found(objects, None, {"apps/web"}).foreign["apps/web"]
    assert there == ForeignService({"app": "web"}, ("a", "b"), {80: 3000, 81: 81})
    service["spec"] = {"ports": ports}
    assert found(objects, None, {"apps/web"}).foreign["apps/web"].pods == (), "it selects nothing"


@given(st.lists(JSON, max_size=3))
def test_found_takes_any_values(objects: list[Any]) -> None:
    assert found(objects, "a") == LiveAddresses()
    assert found(
        [{"kind": kind, "metadata": o, "status": o, "spec": o} for kind in ("Pod", "Node") for o in objects], "a"
    )
