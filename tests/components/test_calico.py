"""Calico: the arguments reach the published objects, and a file of another structure is refused."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from components import ArgumentError, Calico, CalicoArgs
from components.calico import patched
from components.upstream import ManifestError, find, named
from hops.model.versions import CALICO
from hops.observe.local.published_files import published
from tests.recording import Recording, run

Objects = list[dict[str, Any]]


def args(objects: Objects, **changes: Any) -> CalicoArgs:
    plain: Any = {
        "objects": copy.deepcopy(objects),
    }
    whole: CalicoArgs = plain | changes
    return whole


def environment(objects: Objects) -> dict[str, str]:
    """What the container calico-node gets, each name once."""
    containers = find(objects, "DaemonSet", "calico-node")["spec"]["template"]["spec"]["containers"]
    entries = [entry for entry in named(containers, "calico-node")["env"] if "value" in entry]
    assert len({entry["name"] for entry in entries}) == len(entries)
    return {entry["name"]: entry["value"] for entry in entries}


@pytest.mark.parametrize(
    ("encapsulation", "mode"), [("VXLANCrossSubnet", "CrossSubnet"), ("VXLAN", "Always"), ("None", "Never")]
)
def test_pool_and_encapsulation(calico_objects: Objects, encapsulation: str, mode: str) -> None:
    given = args(calico_objects, encapsulation=encapsulation, block_size=28, pod_subnet="10.9.0.0/16")
    assert environment(patched(given)) == {
        "CALICO_IPV4POOL_VXLAN": mode,
        "CALICO_IPV4POOL_CIDR": "10.9.0.0/16",
        "CALICO_IPV4POOL_BLOCK_SIZE": "28",
    }


def test_nothing_waits_for_the_controllers(calico_objects: Objects) -> None:
    controllers = find(patched(args(calico_objects)), "Deployment", "calico-kube-controllers")
    assert controllers["metadata"]["annotations"] == {"pulumi.com/skipAwait": "true"}


def test_the_node_is_asked_every_second(calico_objects: Objects) -> None:
    (server,) = find(patched(args(calico_objects)), "DaemonSet", "calico-node")["spec"]["template"]["spec"][
        "containers"
    ]
    assert server["startupProbe"]["periodSeconds"] == 1
    assert server["readinessProbe"]["periodSeconds"] == 10


def test_all_images_come_from_the_registry(calico_objects: Objects) -> None:
    objects = patched(args(calico_objects, registry="mirror.example"))
    pods = [item["spec"]["template"]["spec"] for item in objects if "spec" in item]
    images = [c["image"] for pod in pods for c in [*pod.get("initContainers", []), *pod["containers"]]]
    assert images == [
        "mirror.example/calico/cni:v1",
        "mirror.example/calico/node:v1",
        "mirror.example/calico/controllers:v1",
    ]


def change_of(objects: Objects, what: str) -> None:
    node = objects[0]
    server = node["spec"]["template"]["spec"]["containers"][0]
    match what:
        case "no DaemonSet":
            node["kind"] = "Deployment"
        case "no container":
            server["name"] = "other"
        case "no VXLAN entry":
            server["env"] = []
        case "no probe":
            del server["readinessProbe"]
        case "no controllers":
            objects[1]["metadata"]["name"] = "other"


@pytest.mark.parametrize("what", ["no DaemonSet", "no container", "no VXLAN entry", "no probe", "no controllers"])
def test_a_file_of_another_structure_is_refused(calico_objects: Objects, what: str) -> None:
    change_of(calico_objects, what)
    with pytest.raises(ManifestError, match="adapt the component to this version"):
        patched(args(calico_objects))


def test_the_component(calico_objects: Objects) -> None:
    networks: list[str] = []

    def program() -> None:
        calico = Calico("net", args(calico_objects))
        calico.node.urn.apply(networks.append)

    recording = run(program, Recording())
    component, *children = recording.resources
    assert (component.type, component.name) == ("ingress-hops:index:Calico", "net")
    assert component.inputs == {
        "pod_subnet": "10.244.0.0/16",
        "block_size": 26,
        "encapsulation": "VXLANCrossSubnet",
    }
    assert {child.name for child in children} == {
        "net-daemonset-calico-node",
        "net-deployment-calico-kube-controllers",
        "net-configmap-calico-config",
    }
    assert all(child.parent == component.urn for child in children)
    assert all("ingress-hops:index:Calico$kubernetes:" in child.urn for child in children)
    assert networks == [recording.one("DaemonSet").urn]
    assert recording.registered[component.urn] == {"pod_subnet": "10.244.0.0/16"}


def test_two_in_one_program_do_not_collide(calico_objects: Objects) -> None:
    def program() -> None:
        Calico("one", args(calico_objects))
        Calico("two", args(calico_objects))

    recording = run(program, Recording())
    assert len({resource.urn for resource in recording.resources}) == len(recording.resources) == 8


def test_the_callers_objects_stay_as_they_are(calico_objects: Objects) -> None:
    given = args(calico_objects, registry="mirror.example")
    patched(given)
    assert given["objects"] == calico_objects


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"block_size": 33},
            "Calico net: the argument block_size is 33: it has to be a whole number from 20 to 32. Give it such",
        ),
        ({"encapsulation": "IPIP"}, 'Calico net: the argument encapsulation is "IPIP": Input should be \'VXLANCross'),
        ({"pod_subnet": "10.244.0.1/16"}, 'pod_subnet is "10.244.0.1/16": an IPv4 network ends in zero bits'),
        ({"registry": "https://mirror.example"}, "a registry is host[:port][/path], without a scheme"),
        ({"objects": [{"kind": "Pod"}]}, "the argument objects[0] is no Kubernetes object"),
        ({"blocksize": 26}, "Calico net: there is no argument blocksize; the arguments are"),
    ],
)
def test_a_wrong_argument_is_refused_before_anything_is_declared(
    calico_objects: Objects, change: dict[str, Any], message: str
) -> None:
    recording = Recording()
    with pytest.raises(ArgumentError) as caught:
        run(lambda: Calico("net", args(change.pop("objects", calico_objects), **change)), recording)
    assert message in str(caught.value)
    assert recording.resources == []


def test_a_published_file_that_cannot_be_loaded_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / CALICO.file_name).write_text("altered")
    monkeypatch.setenv("INGRESS_HOPS_MANIFESTS", str(tmp_path))
    with pytest.raises(ArgumentError, match=r"^Calico net: .* is not calico .* as published.*argument objects$"):
        run(lambda: Calico("net", {}), Recording())


def test_the_published_file(manifests: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INGRESS_HOPS_MANIFESTS", str(manifests))
    before = published(CALICO, manifests)
    after = patched(args(published(CALICO, manifests), block_size=27, registry="mirror.example"))
    assert (
        environment(after).items()
        >= {
            "CALICO_IPV4POOL_VXLAN": "CrossSubnet",
            "CALICO_IPV4POOL_CIDR": "10.244.0.0/16",
            "CALICO_IPV4POOL_BLOCK_SIZE": "27",
            "CALICO_IPV4POOL_IPIP": "Never",
        }.items()
    )
    touched = [(a["kind"], a["metadata"]["name"]) for a, b in zip(after, before, strict=True) if a != b]
    assert touched == [("DaemonSet", "calico-node"), ("Deployment", "calico-kube-controllers")]
    recording = run(lambda: Calico("calico", {}), Recording())
    assert len(recording.resources) == 1 + len(before)
    assert len({resource.urn for resource in recording.resources}) == len(recording.resources)


def with_ipv6(objects: Objects) -> Objects:
    """The fixture with what the published file has for IPv6."""
    whole = copy.deepcopy(objects)
    server = named(find(whole, "DaemonSet", "calico-node")["spec"]["template"]["spec"]["containers"], "calico-node")
    server["env"] += [
        {"name": "IP", "value": "autodetect"},
        {"name": "CALICO_IPV6POOL_VXLAN", "value": "CrossSubnet"},
        {"name": "FELIX_IPV6SUPPORT", "value": "false"},
    ]
    ipam = '{"plugins": [{"type": "calico", "ipam": {"type": "calico-ipam"}}, {"type": "portmap"}]}'
    find(whole, "ConfigMap", "calico-config")["data"] = {"cni_network_config": ipam}
    return whole


def test_pods_get_addresses_of_both_families(calico_objects: Objects) -> None:
    objects = patched(args(with_ipv6(calico_objects), ip_family="dual", encapsulation="VXLAN"))
    assert environment(objects) == {
        "CALICO_IPV4POOL_VXLAN": "Always",
        "CALICO_IPV4POOL_CIDR": "10.244.0.0/16",
        "CALICO_IPV4POOL_BLOCK_SIZE": "26",
        "CALICO_IPV6POOL_VXLAN": "Always",
        "CALICO_IPV6POOL_CIDR": "fd00:10:244::/56",
        "CALICO_IPV6POOL_NAT_OUTGOING": "true",
        "FELIX_IPV6SUPPORT": "true",
        "IP": "autodetect",
        "IP6": "autodetect",
    }
    network = json.loads(find(objects, "ConfigMap", "calico-config")["data"]["cni_network_config"])
    assert network["plugins"][0]["ipam"] == {"type": "calico-ipam", "assign_ipv4": "true", "assign_ipv6": "true"}


def test_pods_get_ipv6_addresses_only(calico_objects: Objects) -> None:
    objects = patched(args(with_ipv6(calico_objects), ip_family="ipv6", pod_subnet_ipv6="fd00:20:244::/56"))
    found = environment(objects)
    assert (found["IP"], found["CALICO_IPV4POOL_CIDR"]) == ("none", "none")
    assert found["CALICO_IPV6POOL_CIDR"] == "fd00:20:244::/56"
    assert "CALICO_IPV4POOL_BLOCK_SIZE" not in found
    network = json.loads(find(objects, "ConfigMap", "calico-config")["data"]["cni_network_config"])
    assert network["plugins"][0]["ipam"]["assign_ipv4"] == "false"


def test_a_file_without_calicos_ipam_takes_no_ipv6(calico_objects: Objects) -> None:
    objects = with_ipv6(calico_objects)
    find(objects, "ConfigMap", "calico-config")["data"]["cni_network_config"] = "{}"
    assert patched(args(objects))
    with pytest.raises(ManifestError, match="adapt the component"):
        patched(args(objects, ip_family="dual"))


@pytest.mark.parametrize("family", ["dual", "ipv6"])
def test_the_published_file_takes_ipv6(manifests: Path, family: str) -> None:
    found = environment(patched({"objects": published(CALICO, manifests), "ip_family": family}))
    assert (found["IP6"], found["FELIX_IPV6SUPPORT"]) == ("autodetect", "true")
