"""Contour and Envoy: the arguments reach the published objects, and a file of another structure is refused."""

import copy
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

from components import ArgumentError, Contour, ContourArgs
from components.contour import patched
from components.upstream import ManifestError, find, named
from hops.model.versions import CONTOUR
from hops.observe.local.published_files import published
from tests.recording import Recording, run

Objects = list[dict[str, Any]]


def args(objects: Objects, **changes: Any) -> ContourArgs:
    plain: Any = {
        "objects": copy.deepcopy(objects),
        "xds_address": "10.96.0.8",
        "status_address": "127.0.0.1",
    }
    whole: ContourArgs = plain | changes
    return whole


def container(objects: Objects, kind: str, name: str, where: str = "containers", called: str = "") -> dict[str, Any]:
    return named(find(objects, kind, name)["spec"]["template"]["spec"][where], called or name)


def host_ports(objects: Objects) -> dict[str, int | None]:
    return {port["name"]: port.get("hostPort") for port in container(objects, "DaemonSet", "envoy")["ports"]}


def test_host_ports(contour_objects: Objects) -> None:
    assert host_ports(patched(args(contour_objects))) == {"http": 80, "https": 443, "metrics": None}
    other = patched(args(contour_objects, host_ports={"http": 8000}))
    assert host_ports(other) == {"http": 8000, "https": None, "metrics": None}
    ports = container(other, "DaemonSet", "envoy")["ports"]
    assert [port["containerPort"] for port in ports] == [8080, 8443, 8002]


def test_envoy_finds_contour_without_dns(contour_objects: Objects) -> None:
    objects = patched(args(contour_objects))
    bootstrap = container(objects, "DaemonSet", "envoy", "initContainers", "envoy-initconfig")
    assert bootstrap["args"] == ["bootstrap", "--xds-address=10.96.0.8", "--xds-port=8001"]
    assert find(objects, "Service", "contour")["spec"]["clusterIP"] == "10.96.0.8"


def test_without_an_address_envoy_asks_dns(contour_objects: Objects) -> None:
    objects = patched(args(contour_objects, xds_address=None))
    bootstrap = container(objects, "DaemonSet", "envoy", "initContainers", "envoy-initconfig")
    assert "--xds-address=contour" in bootstrap["args"]
    assert "clusterIP" not in find(objects, "Service", "contour")["spec"]


def test_envoy_runs_on_the_named_nodes(contour_objects: Objects) -> None:
    def affinity(**changes: Any) -> Any:
        daemon_set = find(patched(args(contour_objects, **changes)), "DaemonSet", "envoy")
        return daemon_set["spec"]["template"]["spec"].get("affinity")

    assert affinity() is None
    expression = {"key": "kubernetes.io/hostname", "operator": "In", "values": ["c-worker2"]}
    terms = {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": terms}
    assert affinity(envoy_nodes=["c-worker2"]) == {"nodeAffinity": required}


def test_the_service_fits_kind(contour_objects: Objects) -> None:
    service = find(patched(args(contour_objects)), "Service", "envoy")
    assert service["spec"]["type"] == "ClusterIP"
    assert "externalTrafficPolicy" not in service["spec"]
    assert service["metadata"]["annotations"] == {"pulumi.com/skipAwait": "true"}


def test_the_service_of_a_load_balancer_is_waited_for(contour_objects: Objects) -> None:
    service = find(patched(args(contour_objects, service_type="LoadBalancer")), "Service", "envoy")
    assert service["spec"]["type"] == "LoadBalancer"
    assert service["spec"]["externalTrafficPolicy"] == "Local"
    assert "annotations" not in service["metadata"]


def test_the_ports_of_the_service(contour_objects: Objects) -> None:
    def ports(**changes: Any) -> Any:
        spec = find(patched(args(contour_objects, **changes)), "Service", "envoy")["spec"]
        assert ("externalTrafficPolicy" in spec) == (spec["type"] == "LoadBalancer")
        return [(port["name"], port["port"], port.get("nodePort")) for port in spec["ports"]]

    assert ports(service_type="NodePort") == [("http", 80, None), ("https", 443, None)]
    assert ports(service_type="NodePort", service_ports={"http": 30080}) == [("http", 80, 30080)]
    assert ports(service_type="LoadBalancer", service_ports={"http": 8080}) == [("http", 8080, None)]


def test_the_address_in_the_status_of_ingresses(contour_objects: Objects) -> None:
    def configuration(**changes: Any) -> Any:
        objects = patched(args(contour_objects, **changes))
        return yaml.safe_load(find(objects, "ConfigMap", "contour")["data"]["contour.yaml"])

    assert configuration() == {"accesslog-format": "envoy", "ingress-status-address": "127.0.0.1"}
    assert configuration(status_address=None) == {"accesslog-format": "envoy"}


def test_replicas_registry_and_log_level(contour_objects: Objects) -> None:
    objects = patched(args(contour_objects, replicas=3, registry="mirror.example", envoy_log_level="debug"))
    assert find(objects, "Deployment", "contour")["spec"]["replicas"] == 3
    envoy = container(objects, "DaemonSet", "envoy")
    assert envoy["args"] == ["-c", "/config/envoy.json", "--log-level debug"]
    assert envoy["image"] == "mirror.example/envoyproxy/envoy:v1"
    assert container(objects, "Deployment", "contour")["image"] == "mirror.example/projectcontour/contour:v1"
    assert container(objects, "Job", "contour-certgen", called="contour")["image"].startswith("mirror.example/")


def test_both_are_asked_every_second(contour_objects: Objects) -> None:
    objects = patched(args(contour_objects))
    for kind, name in (("Deployment", "contour"), ("DaemonSet", "envoy")):
        probe = container(objects, kind, name)["startupProbe"]
        assert (probe["periodSeconds"], probe.get("initialDelaySeconds")) == (1, None)


def change_of(objects: Objects, what: str) -> None:
    envoy = find(objects, "DaemonSet", "envoy")["spec"]["template"]["spec"]
    (server,), (bootstrap,) = envoy["containers"], envoy["initContainers"]
    match what:
        case "no Envoy":
            find(objects, "DaemonSet", "envoy")["kind"] = "Deployment"
        case "no bootstrap":
            bootstrap["name"] = "other"
        case "no xDS address":
            bootstrap["args"] = ["bootstrap"]
        case "no log level":
            server["args"] = []
        case "no port http":
            server["ports"][0]["name"] = "web"
        case "no probe":
            del server["readinessProbe"]
        case "no configuration":
            objects.remove(find(objects, "ConfigMap", "contour"))
        case "no Service":
            objects.remove(find(objects, "Service", "contour"))
        case "no Envoy Service":
            objects.remove(find(objects, "Service", "envoy"))


@pytest.mark.parametrize(
    "what",
    [
        "no Envoy",
        "no bootstrap",
        "no xDS address",
        "no log level",
        "no port http",
        "no probe",
        "no configuration",
        "no Service",
        "no Envoy Service",
    ],
)
def test_a_file_of_another_structure_is_refused(contour_objects: Objects, what: str) -> None:
    change_of(contour_objects, what)
    with pytest.raises(ManifestError, match="adapt the component to this version"):
        patched(args(contour_objects))


def test_the_component(contour_objects: Objects) -> None:
    def program() -> None:
        contour = Contour("edge", args(contour_objects))
        pulumi.export("envoy", contour.envoy.urn)
        pulumi.export("address", contour.load_balancer)

    recording = run(program, Recording())
    component = recording.one("Contour")
    assert component.name == "edge"
    assert component.inputs == {
        "host_ports": {"http": 80, "https": 443},
        "xds_address": "10.96.0.8",
        "service_type": "ClusterIP",
        "status_address": "127.0.0.1",
        "replicas": 1,
        "envoy_log_level": "info",
        "gateway": False,
    }
    children = [resource for resource in recording.resources if resource.type.startswith("kubernetes:")]
    assert len(children) == len(contour_objects)
    assert all(child.parent == component.urn and "ingress-hops:index:Contour$" in child.urn for child in children)
    assert recording.outputs["envoy"] == recording.one("DaemonSet").urn
    assert recording.outputs.get("address") is None
    assert recording.registered[component.urn] == {"namespace": "projectcontour"}


def test_the_component_waits_for_what_it_depends_on(contour_objects: Objects) -> None:
    def program() -> None:
        node = pulumi.CustomResource("test:index:Node", "node", {})
        Contour("edge", args(contour_objects), pulumi.ResourceOptions(depends_on=[node]))

    recording = run(program, Recording())
    # Its children cannot be registered before it.
    assert recording.one("Node").urn in recording.one("Contour").request.dependencies


def test_two_in_one_program_do_not_collide(contour_objects: Objects) -> None:
    def program() -> None:
        Contour("one", args(contour_objects))
        Contour("two", args(contour_objects))

    recording = run(program, Recording())
    assert len({resource.urn for resource in recording.resources}) == len(recording.resources) == 16


def test_the_callers_objects_stay_as_they_are(contour_objects: Objects) -> None:
    given = args(contour_objects, registry="mirror.example")
    patched(given)
    assert given["objects"] == contour_objects


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"replicas": 0}, "Contour edge: the argument replicas is 0: it has to be a whole number from 1 to 5."),
        ({"host_ports": {"web": 80}}, "the argument host_ports[\"web\"] is \"web\": Input should be 'http' or 'https'"),
        (
            {"host_ports": {"http": 70000}},
            'the argument host_ports["http"] is 70000: it has to be a whole number of at most 65535',
        ),
        (
            {"xds_address": "contour"},
            'the argument xds_address is "contour": it has to be an IP address such as 127.0.0.1 or ::1',
        ),
        ({"service_type": "ExternalName"}, "Input should be 'ClusterIP', 'LoadBalancer' or 'NodePort'"),
        ({"network": []}, "Contour edge: there is no argument network; the arguments are"),
    ],
)
def test_a_wrong_argument_is_refused_before_anything_is_declared(
    contour_objects: Objects, change: dict[str, Any], message: str
) -> None:
    recording = Recording()
    with pytest.raises(ArgumentError) as caught:
        run(lambda: Contour("edge", args(contour_objects, **change)), recording)
    assert message in str(caught.value)
    assert recording.resources == []


@pytest.mark.parametrize(
    ("entry", "address"), [({"ip": "203.0.113.5"}, "203.0.113.5"), ({"hostname": "lb.example"}, "lb.example")]
)
def test_where_the_load_balancer_is(contour_objects: Objects, entry: dict[str, str], address: str) -> None:
    def status(name: str) -> dict[str, Any]:
        return {"status": {"loadBalancer": {"ingress": [entry]}}} if name == "edge-service-envoy" else {}

    def program() -> None:
        pulumi.export("address", Contour("edge", args(contour_objects, service_type="LoadBalancer")).load_balancer)

    recording = run(program, Recording(found={"kubernetes:core/v1:Service": status}))
    assert recording.outputs == {"address": address}


def test_a_gateway_is_named_in_contours_configuration_and_has_its_definitions(contour_objects: Objects) -> None:
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "a"},
    }
    objects = patched(args(contour_objects, gateway=True, gateway_objects=[definition]))
    configuration = yaml.safe_load(find(objects, "ConfigMap", "contour")["data"]["contour.yaml"])
    assert configuration["gateway"] == {"gatewayRef": {"namespace": "projectcontour", "name": "contour"}}
    assert configuration["ingress-status-address"] == "127.0.0.1"
    assert objects[-1] == definition
    # Contour reads its configuration when it starts.
    with_gateway, without = (
        find(of, "Deployment", "contour")["spec"]["template"].get("metadata")
        for of in (objects, patched(args(contour_objects)))
    )
    assert with_gateway != without


def test_the_published_file(manifests: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INGRESS_HOPS_MANIFESTS", str(manifests))
    before = published(CONTOUR, manifests)
    after = patched(args(before))
    assert host_ports(after) == {"http": 80, "https": 443, "metrics": None}
    touched = [(a["kind"], a["metadata"]["name"]) for a, b in zip(after, before, strict=True) if a != b]
    assert touched == [
        ("ConfigMap", "contour"),
        ("Service", "contour"),
        ("Service", "envoy"),
        ("Deployment", "contour"),
        ("DaemonSet", "envoy"),
    ]
    recording = run(lambda: Contour("contour", {}), Recording())
    assert len(recording.resources) == 1 + len(before)
    assert len({resource.urn for resource in recording.resources}) == len(recording.resources)


def test_with_ipv6_everything_listens_on_both_families(contour_objects: Objects) -> None:
    listening = ["serve", "--xds-address=0.0.0.0", "--xds-port=8001"]
    container(contour_objects, "Deployment", "contour")["args"] = list(listening)
    plain = patched(args(contour_objects))
    assert container(plain, "Deployment", "contour")["args"] == listening
    assert "ipFamilyPolicy" not in find(plain, "Service", "envoy")["spec"]
    for family, policy in (("dual", "RequireDualStack"), ("ipv6", None)):
        objects = patched(args(contour_objects, ip_family=family))
        arguments = container(objects, "Deployment", "contour")["args"]
        assert arguments[:3] == ["serve", "--xds-address=::", "--xds-port=8001"]
        assert {"--envoy-service-http-address=::", "--envoy-service-https-address=::", "--stats-address=::"} <= set(
            arguments
        )
        assert find(objects, "Service", "envoy")["spec"].get("ipFamilyPolicy") == policy


def test_envoy_finds_contour_by_an_ipv6_address(contour_objects: Objects) -> None:
    container(contour_objects, "Deployment", "contour")["args"] = ["serve", "--xds-address=0.0.0.0"]
    objects = patched(args(contour_objects, ip_family="ipv6", xds_address="fd00:10:96::8"))
    bootstrap = container(objects, "DaemonSet", "envoy", "initContainers", "envoy-initconfig")
    assert "--xds-address=fd00:10:96::8" in bootstrap["args"]
    assert find(objects, "Service", "contour")["spec"]["clusterIP"] == "fd00:10:96::8"
