"""The components as a package: their schema, and their construction from what other languages send."""

import json
from typing import Any

import pulumi
import pytest
import yaml
from pulumi.provider.experimental.component import ComponentProvider

from components import Calico, Contour, Image, Ingress, KindCluster, Workload
from tests.recording import Recording, run

Objects = list[dict[str, Any]]

COMPONENTS: list[type[pulumi.ComponentResource]] = [Calico, Contour, Image, Ingress, KindCluster, Workload]


def provider() -> ComponentProvider:
    return ComponentProvider(COMPONENTS, "ingress-hops")


@pytest.fixture(scope="module")
def resources() -> dict[str, Any]:
    declared: dict[str, Any] = json.loads(provider().schema or "")["resources"]
    return {token.removeprefix("ingress-hops:index:"): schema for token, schema in declared.items()}


def test_every_component_is_in_the_schema(resources: dict[str, Any]) -> None:
    assert sorted(resources) == ["Calico", "Contour", "Image", "Ingress", "KindCluster", "Workload"]
    assert {name: sorted(schema.get("requiredInputs", [])) for name, schema in resources.items()} == {
        "Calico": [],
        "Contour": [],
        "Image": ["cluster", "context"],
        "Ingress": ["host", "port", "service"],
        "KindCluster": [],
        "Workload": ["image"],
    }
    assert {name: sorted(schema["properties"]) for name, schema in resources.items()} == {
        "Calico": ["podSubnet"],
        "Contour": ["loadBalancer", "namespace"],
        "Image": ["image"],
        "Ingress": ["host", "name"],
        "KindCluster": ["context", "kubeconfig", "serviceSubnet"],
        "Workload": ["name", "namespace", "port"],
    }


def test_every_input_and_output_is_documented(resources: dict[str, Any]) -> None:
    for schema in resources.values():
        for name, of in {**schema["inputProperties"], **schema["properties"]}.items():
            assert of["description"].strip().endswith("."), name
        for name, of in schema["inputProperties"].items():
            assert name in schema.get("requiredInputs", []) or "Default: " in of["description"], name


def test_what_policies_judge_is_plain_and_the_rest_may_come_from_other_resources(resources: dict[str, Any]) -> None:
    taken = {
        name: sorted(key for key, of in schema["inputProperties"].items() if not of.get("plain"))
        for name, schema in resources.items()
    }
    assert taken == {
        "Calico": [],
        "Contour": [],
        "Image": [],
        "Ingress": ["host", "name", "namespace", "service", "tls"],
        "KindCluster": [],
        "Workload": ["admitFrom", "clusterIp", "image", "pullSecret"],
    }


def constructed(component: str, inputs: dict[str, Any]) -> Recording:
    def program() -> None:
        result = provider().construct("demo", f"ingress-hops:index:{component}", inputs)
        for name, value in result.state.items():
            pulumi.export(name, value)

    return run(program, Recording())


def test_numbers_of_other_languages_are_whole(calico_objects: Objects, contour_objects: Objects) -> None:
    """The engine's protocol knows floats only."""
    calico = constructed("Calico", {"blockSize": 28.0, "objects": calico_objects})
    assert calico.outputs == {"podSubnet": "10.244.0.0/16"}
    env = calico.one("DaemonSet").inputs["spec"]["template"]["spec"]["containers"][0]["env"]
    assert {"name": "CALICO_IPV4POOL_BLOCK_SIZE", "value": "28"} in env
    contour = constructed("Contour", {"hostPorts": {"http": 8000.0}, "replicas": 2.0, "objects": contour_objects})
    assert contour.outputs == {"namespace": "projectcontour"}
    assert contour.one("Deployment").inputs["spec"]["replicas"] == 2
    workload = constructed("Workload", {"image": "nginx", "port": 80.0})
    assert workload.outputs == {"name": "demo", "namespace": "default", "port": 80}
    cluster = constructed("KindCluster", {"httpPort": 8080.0, "generation": 3.0, "folder": "/folder"})
    assert cluster.outputs["kubeconfig"] == "/folder/demo-3.yaml"
    config = yaml.safe_load(cluster.one("Command").inputs["stdin"])
    assert config["nodes"][1]["extraPortMappings"][0]["hostPort"] == 8080
    ingress = constructed("Ingress", {"host": "a.local", "service": "a", "port": 80.0})
    assert ingress.outputs == {"host": "a.local", "name": "demo"}
