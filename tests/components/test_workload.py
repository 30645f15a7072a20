"""Workload: pods that may do little, their Service, and who may send to them."""

import base64
import json
from typing import Any

import pulumi
import pytest
from pulumi.runtime.rpc import UNKNOWN

from components import ArgumentError, Workload, WorkloadArgs
from components.workload import ADDRESS, DIGEST
from tests.recording import Recording, run


def args(**changes: Any) -> WorkloadArgs:
    plain: Any = {
        "name": "my-service",
        "namespace": "apps",
        "pods": ("example-pod", "example-pod-2"),
        "selector": {"service": "example-pod"},
        "image": "python:3.13-slim",
        "command": ("python", "-m", "http.server", "8080"),
        "port": 8080,
        "admit_from": "projectcontour",
    }
    whole: WorkloadArgs = plain | changes
    return whole


def recorded(**changes: Any) -> Recording:
    return run(lambda: Workload("web", args(**changes)), Recording())


def test_every_child_is_the_components() -> None:
    recording = recorded()
    component, *children = recording.resources
    assert (component.type, component.name) == ("ingress-hops:index:Workload", "web")
    assert component.inputs["port"] == 8080
    assert sorted((child.type.rsplit(":", 1)[1], child.name) for child in children) == [
        ("NetworkPolicy", "apps/my-service"),
        ("Pod", "apps/example-pod"),
        ("Pod", "apps/example-pod-2"),
        ("Service", "apps/my-service"),
        ("ServiceAccount", "apps/example-pod"),
    ]
    assert all(child.parent == component.urn for child in children)
    assert all("ingress-hops:index:Workload$kubernetes:" in child.urn for child in children)
    assert recording.registered[component.urn] == {"name": "my-service", "namespace": "apps", "port": 8080}


def test_pods_are_named_and_labelled_as_planned() -> None:
    pods = recorded().of("Pod")
    metadata = [dict(pod.inputs["metadata"]) for pod in pods]
    assert all(set(one.pop("annotations")) == {DIGEST, "pulumi.com/waitFor"} for one in metadata)
    assert metadata == [
        {"name": name, "namespace": "apps", "labels": {"service": "example-pod"}}
        for name in ("example-pod", "example-pod-2")
    ]
    for pod in pods:
        (container,) = pod.inputs["spec"]["containers"]
        assert container["image"] == "python:3.13-slim"
        assert container["command"] == ["python", "-m", "http.server", "8080"]
        assert container["ports"] == [{"containerPort": 8080, "name": "http"}]
        assert container["readinessProbe"]["tcpSocket"] == {"port": 8080}


def test_pods_may_do_little() -> None:
    spec = recorded().of("Pod")[0].inputs["spec"]
    (container,) = spec["containers"]
    assert spec["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 65534,
        "runAsGroup": 65534,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert spec["automountServiceAccountToken"] is False
    assert spec["serviceAccountName"] == "example-pod"
    assert recorded().one("ServiceAccount").inputs["automountServiceAccountToken"] is False


def test_a_pod_goes_before_its_successor_comes() -> None:
    assert all(pod.request.deleteBeforeReplace for pod in recorded().of("Pod"))


def test_the_component_waits_for_what_it_depends_on() -> None:
    def program() -> None:
        node = pulumi.CustomResource("test:index:Node", "node", {})
        Workload("web", args(), pulumi.ResourceOptions(depends_on=[node]))

    recording = run(program, Recording())
    # Its children cannot be registered before it.
    assert recording.one("Node").urn in recording.one("Workload").request.dependencies


def test_pods_wait_for_their_account() -> None:
    recording = recorded()
    account = recording.one("ServiceAccount").urn
    assert all(account in pod.request.dependencies for pod in recording.of("Pod"))


def digest(**changes: Any) -> str:
    (value, *_) = {pod.inputs["metadata"]["annotations"][DIGEST] for pod in recorded(**changes).of("Pod")}
    return str(value)


@pytest.mark.parametrize(
    "change",
    [{"image": "python:3.12-slim"}, {"command": ("python", "-m", "http.server")}, {"port": 9000}, {"pods": ("other",)}],
)
def test_the_digest_changes_with_the_spec(change: dict[str, Any]) -> None:
    assert digest(**change) != digest()


def test_the_digest_is_of_the_spec_alone() -> None:
    assert digest(name="other", selector={"service": "x"}, cluster_ip="10.96.1.1", admit_from="x") == digest()


def test_a_living_pod_of_another_spec_has_an_unknown_digest() -> None:
    """Another one, or none, as an older version made it; a pod that stays, or does not exist yet, has a known one."""
    for living in ("0123456789abcdef", None):
        metadata = [pod.inputs["metadata"] for pod in recorded(living={"example-pod": living}).of("Pod")]
        digests = {each["name"]: each["annotations"][DIGEST] for each in metadata}
        assert digests.pop("example-pod") == UNKNOWN
        assert set(digests.values()) == {digest()}
    same = recorded(living={"example-pod": digest(), "a stranger": "x"}).of("Pod")
    assert {pod.inputs["metadata"]["annotations"][DIGEST] for pod in same} == {digest()}


def test_the_replaced_pods_are_named() -> None:
    living = {"example-pod": "0", "example-pod-2": digest()}
    seen: list[str] = []

    def program() -> None:
        seen.extend(Workload("web", args(living=living)).replaced)

    run(program, Recording())
    assert seen == ["example-pod"]


@pytest.mark.parametrize(
    ("given", "condition"),
    [
        ({}, "condition=Ready"),
        ({"wait_for_ready": True}, "condition=Ready"),
        ({"wait_for_ready": False}, "jsonpath={.metadata.uid}"),
    ],
)
def test_what_a_pod_is_waited_for(given: dict[str, Any], condition: str) -> None:
    for pod in recorded(**given).of("Pod"):
        assert pod.inputs["metadata"]["annotations"]["pulumi.com/waitFor"] == condition
        assert "pulumi.com/skipAwait" not in pod.inputs["metadata"]["annotations"], "its end has to be waited for"
        assert pod.request.customTimeouts.create == "5m"


def test_a_renamed_component_keeps_the_resources_of_objects_that_stay() -> None:
    def urns(name: str) -> set[str]:
        recording = run(lambda: Workload(name, args()), Recording())
        return {resource.urn for resource in recording.resources if resource.type.startswith("kubernetes:")}

    assert urns("web") == urns("shop")


def test_children_are_found_under_their_earlier_names() -> None:
    recording = recorded()
    aliases = {alias.spec.name for r in recording.resources[1:] for alias in r.request.aliases} - {""}
    assert aliases == {"web-account", "web-example-pod", "web-example-pod-2", "web-service", "web-admission"}


def test_the_service_leads_to_the_pods() -> None:
    service = recorded().one("Service").inputs
    assert service["metadata"]["name"] == "my-service"
    assert service["spec"] == {
        "type": "ClusterIP",
        "selector": {"service": "example-pod"},
        "ports": [{"name": "http", "port": 8080, "targetPort": 8080}],
    }
    assert recorded(cluster_ip="10.96.106.9").one("Service").inputs["spec"]["clusterIP"] == "10.96.106.9"


@pytest.mark.parametrize(
    ("pinned", "now", "expected"),
    [
        (None, "10.96.1.1", None),
        ("10.96.1.1", None, "10.96.1.1"),
        ("10.96.1.1", "10.96.1.1", "10.96.1.1"),
        ("10.96.1.1", "10.96.2.2", UNKNOWN),
    ],
    ids=["any address", "new", "the same", "another"],
)
def test_a_service_whose_address_changes_says_so(pinned: str | None, now: str | None, expected: str | None) -> None:
    service = recorded(cluster_ip=pinned, living_address=now).one("Service")
    assert service.inputs["metadata"]["annotations"].get(ADDRESS) == expected


PORTS: list[dict[str, Any]] = [
    {"name": "web", "port": 80, "target_port": 3000},
    {"name": "rpc", "port": 81, "protocol": "h2c"},
    {"name": "old", "port": 82, "target_port": 3000},
    {"name": "safe", "port": 83, "protocol": "tls"},
    {"name": "more", "port": 84, "protocol": "h2c"},
]


def several(**changes: Any) -> Recording:
    whole: Any = {key: value for key, value in args(ports=PORTS, **changes).items() if key != "port"}
    return run(lambda: Workload("web", whole), Recording())


def test_several_ports() -> None:
    recording = several()
    service = recording.one("Service").inputs
    assert service["spec"]["ports"] == [
        {"name": "web", "port": 80, "targetPort": 3000},
        {"name": "rpc", "port": 81, "targetPort": 81},
        {"name": "old", "port": 82, "targetPort": 3000},
        {"name": "safe", "port": 83, "targetPort": 83},
        {"name": "more", "port": 84, "targetPort": 84},
    ]
    assert service["metadata"]["annotations"] == {
        "pulumi.com/skipAwait": "true",
        "projectcontour.io/upstream-protocol.h2c": "81,84",
        "projectcontour.io/upstream-protocol.tls": "83",
    }
    (container,) = recording.of("Pod")[0].inputs["spec"]["containers"]
    # Two entries of one number would be a warning of the API server.
    assert container["ports"] == [
        {"name": "web", "containerPort": 3000},
        {"name": "rpc", "containerPort": 81},
        {"name": "safe", "containerPort": 83},
        {"name": "more", "containerPort": 84},
    ]
    assert container["readinessProbe"]["tcpSocket"] == {"port": 3000}
    (rule,) = recording.one("NetworkPolicy").inputs["spec"]["ingress"]
    assert [port["port"] for port in rule["ports"]] == [3000, 81, 83, 84]
    assert recording.registered[recording.resources[0].urn]["port"] == 80


@pytest.mark.parametrize(("name", "asked"), [("rpc", "rpc"), ("old", 3000), (9, 9)])
def test_a_probe_asks_a_port_by_its_name(name: object, asked: object) -> None:
    (container,) = several(probes={"readiness": {"tcp": True, "port": name}}).of("Pod")[0].inputs["spec"]["containers"]
    assert container["readinessProbe"]["tcpSocket"] == {"port": asked}


@pytest.mark.parametrize(("port", "expected"), [(None, 80), ("rpc", 81), (82, 82)])
def test_an_exposed_port(port: int | str | None, expected: int) -> None:
    whole: Any = {"image": "nginx", "ports": PORTS}
    recording = run(lambda: Workload("web", whole).expose("web.localhost", port=port), Recording())
    ingress = next(one for one in recording.of("Ingress") if one.type.startswith("kubernetes:")).inputs
    (path,) = ingress["spec"]["rules"][0]["http"]["paths"]
    assert path["backend"]["service"]["port"] == {"number": expected}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"ports": []}, "the argument ports is []"),
        ({"ports": PORTS, "port": 80}, "port and protocol are the short form of ports; remove them"),
        ({"ports": PORTS, "protocol": "tls"}, "port and protocol are the short form of ports; remove them"),
        ({"ports": [PORTS[0], PORTS[0]]}, "two of the ports have the name web; give one another"),
        ({"ports": [{"name": "A", "port": 1}]}, "a port's name is 1 to 15 lower-case letters"),
    ],
)
def test_ports_that_cannot_be(change: dict[str, Any], said: str) -> None:
    whole: Any = {"image": "nginx", **change}
    with pytest.raises(ArgumentError) as caught:
        run(lambda: Workload("web", whole), Recording())
    assert said in str(caught.value)


def test_only_a_port_of_the_workload_is_exposed() -> None:
    with pytest.raises(ArgumentError, match=r"no port http; its ports are web \(80\), rpc \(81\)"):
        run(lambda: Workload("web", {"image": "nginx", "ports": PORTS}).expose("a.b", port="http"), Recording())  # type: ignore[typeddict-item]


def test_only_envoy_may_send() -> None:
    assert recorded().one("NetworkPolicy").inputs["spec"] == {
        "podSelector": {"matchLabels": {"service": "example-pod"}},
        "policyTypes": ["Ingress"],
        "ingress": [
            {
                "from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "projectcontour"}}}],
                "ports": [{"port": 8080, "protocol": "TCP"}],
            }
        ],
    }


def test_pods_of_other_workloads_may_be_admitted() -> None:
    peer = {"namespace": "jobs", "labels": {"service": "api-pod"}}
    (rule,) = recorded(admit_pods=[peer]).one("NetworkPolicy").inputs["spec"]["ingress"]
    assert rule["from"] == [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "projectcontour"}}},
        # One peer of both: two peers would admit all pods of the namespace.
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "jobs"}},
            "podSelector": {"matchLabels": {"service": "api-pod"}},
        },
    ]
    with pytest.raises(ArgumentError, match="admit_pods"):
        recorded(admit_pods=[{**peer, "labels": {}}])


def test_two_workloads_live_side_by_side() -> None:
    def program() -> None:
        Workload("one", args())
        Workload("two", args(name="other", pods=("other-pod", "other-pod-2")))

    recording = run(program, Recording())
    assert len({resource.urn for resource in recording.resources}) == 12


def test_an_image_is_enough() -> None:
    recording = run(lambda: Workload("web", {"image": "nginx"}), Recording())
    pod, service = recording.one("Pod").inputs, recording.one("Service").inputs
    assert (pod["metadata"]["name"], pod["metadata"]["namespace"]) == ("web-pod", "default")
    (container,) = pod["spec"]["containers"]
    assert "command" not in container
    assert pod["metadata"]["labels"] == service["spec"]["selector"] == {"service": "web-pod"}
    assert (service["metadata"]["name"], service["spec"]["ports"][0]["port"]) == ("web", 8080)
    assert "clusterIP" not in service["spec"]


def test_values_of_other_resources_are_taken() -> None:
    def program() -> None:
        image, namespace, address = (pulumi.Output.from_input(value) for value in ("nginx", "edge", "10.96.0.77"))
        Workload("web", args(image=image, admit_from=namespace, cluster_ip=address))

    recording = run(program, Recording())
    pod = recording.of("Pod")[0].inputs
    assert pod["spec"]["containers"][0]["image"] == "nginx"
    digest = recorded(image="nginx").of("Pod")[0].inputs["metadata"]["annotations"]["ingress-hops/spec"]
    assert pod["metadata"]["annotations"]["ingress-hops/spec"] == digest
    assert recording.one("Service").inputs["spec"]["clusterIP"] == "10.96.0.77"
    (rule,) = recording.one("NetworkPolicy").inputs["spec"]["ingress"]
    assert rule["from"][0]["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "edge"}


def test_exposed_means_an_ingress_with_the_same_options() -> None:
    def program() -> None:
        node = pulumi.CustomResource("test:index:Node", "node", {})
        opts = pulumi.ResourceOptions(depends_on=[node], deleted_with=node)
        workload = Workload("web", args(), opts)
        workload.expose("web.localhost")
        workload.expose("web.localhost", "/api", name="api", tls="certificate")

    recording = run(program, Recording())
    first, second = (resource for resource in recording.of("Ingress") if resource.type.startswith("ingress-hops:"))
    assert [first.name, second.name] == ["apps/my-service-ingress", "apps/api"]
    assert first.inputs == {
        "name": "my-service-ingress",
        "namespace": "apps",
        "host": "web.localhost",
        "path": "/",
        "path_type": "Prefix",
        "plain_http": "served",
        "websocket": False,
        "service": "my-service",
        "port": 8080,
    }
    assert (second.inputs["path"], second.inputs["tls"]) == ("/api", "certificate")
    node = recording.one("Node").urn
    assert first.request.deletedWith == node
    assert list(first.request.dependencies) == [node]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pods": ()}, "Workload web: the argument pods is []: Tuple should have at least 1 item"),
        ({"pods": ("a", "B")}, 'Workload web: the argument pods[1] is "B": a name is 1 to 63 lower-case letters'),
        ({"image": "-"}, 'the argument image is "-": an image is [registry/]name[:tag][@digest]'),
        ({"selector": {}}, "the argument selector is {}: Dictionary should have at least 1 item"),
        ({"port": "http"}, 'the argument port is "http": it has to be a whole number from 1 to 65535'),
        ({"network": []}, "Workload web: there is no argument network"),
    ],
)
def test_a_wrong_argument_is_refused_before_anything_is_declared(change: dict[str, Any], message: str) -> None:
    recording = Recording()
    with pytest.raises(ArgumentError) as caught:
        run(lambda: Workload("web", args(**change)), recording)
    assert message in str(caught.value)
    assert recording.resources == []


MORE: dict[str, Any] = {
    "args": ["--verbose"],
    "env": {"MODE": "dev"},
    "files": {"/etc/shop/shop.ini": "a = 1\n", "/etc/motd": "hello"},
    "resources": {"requests": {"memory": "64Mi"}, "limits": {}},
    "probes": {
        "readiness": {"http": "/health", "port": "http", "period": 5},
        "liveness": {"grpc": "", "port": "http"},
        "startup": {"exec": ["true"], "period": 7},
    },
    "volumes": [{"path": "/cache"}],
    "user": 1000,
    "read_only_root": False,
}


def test_what_a_container_is_given() -> None:
    recording = recorded(**MORE)
    (config_map,) = recording.of("ConfigMap")
    assert config_map.name == "apps/my-service-files"
    assert config_map.inputs["data"] == {"file-0": "a = 1\n", "file-1": "hello"}
    spec = recording.of("Pod")[0].inputs["spec"]
    (container,) = spec["containers"]
    assert container["args"] == ["--verbose"]
    assert container["env"] == [{"name": "MODE", "value": "dev"}]
    assert container["resources"]["requests"] == {"memory": "64Mi"}
    assert [
        (mount["mountPath"], mount.get("subPath"), mount.get("readOnly")) for mount in container["volumeMounts"]
    ] == [
        ("/tmp", None, None),  # noqa: S108 - in the pod
        ("/cache", None, None),
        ("/etc/shop/shop.ini", "file-0", True),
        ("/etc/motd", "file-1", True),
    ]
    assert spec["volumes"][1] == {"name": "volume-0", "emptyDir": {}}
    assert container["volumeMounts"][1]["name"] == "volume-0"
    assert container["readinessProbe"] == {"httpGet": {"path": "/health", "port": "http"}, "periodSeconds": 5}
    # The kubelet takes the port of a gRPC probe by number only.
    assert container["livenessProbe"] == {"grpc": {"port": 8080, "service": ""}, "periodSeconds": 10}
    assert container["startupProbe"] == {"exec": {"command": ["true"]}, "periodSeconds": 7, "failureThreshold": 43}
    assert container["securityContext"]["readOnlyRootFilesystem"] is False
    assert (spec["securityContext"]["runAsUser"], spec["securityContext"]["runAsGroup"]) == (1000, 1000)
    assert spec["volumes"][2] == {"name": "files", "configMap": {"name": config_map.inputs["metadata"]["name"]}}


MIGRATION = {"command": ["migrate", "--all"], "retries": 2}


def migrated(**changes: Any) -> Recording:
    return recorded(**{"kind": "Deployment", "pods": None, "migration": MIGRATION, **MORE, **changes})


@pytest.mark.parametrize("kind", ["Pod", "Deployment"])
def test_a_migration_ends_before_the_pods_start(kind: str) -> None:
    recording = migrated(kind=kind, secret_env={"PASSWORD": PLANTED})
    job, secret = recording.one("Job"), recording.one("Secret")
    assert job.urn in recording.one(kind).request.dependencies
    assert {secret.urn, recording.one("ConfigMap").urn} <= set(job.request.dependencies)
    metadata, spec = job.inputs["metadata"], job.inputs["spec"]
    assert metadata["annotations"] == {"pulumi.com/replaceUnready": "true"}
    assert "pulumi.com/skipAwait" not in metadata["annotations"]
    assert (spec["backoffLimit"], spec["activeDeadlineSeconds"]) == (2, 300)
    template = spec["template"]
    assert template["metadata"] == {"labels": {"ingress-hops/migration": "my-service"}}, (
        "the Service selects no such pod"
    )
    pod = template["spec"]
    assert pod["restartPolicy"] == "Never"
    (container,) = pod["containers"]
    assert container["command"] == ["migrate", "--all"]
    assert container.keys().isdisjoint(
        {"args", "ports", "readinessProbe", "livenessProbe", "startupProbe", "lifecycle"}
    )
    made = recording.one(kind).inputs["spec"]
    whole = made["template"]["spec"] if kind == "Deployment" else made
    same = ("image", "env", "resources", "securityContext", "volumeMounts")
    assert {key: container[key] for key in same} == {key: whole["containers"][0][key] for key in same}
    assert (pod["volumes"], pod["securityContext"]) == (whole["volumes"], whole["securityContext"])


def test_a_migration_runs_again_for_another_version_only() -> None:
    def name(**changes: Any) -> str:
        return str(migrated(**changes).one("Job").inputs["metadata"]["name"])

    def program() -> None:
        image = pulumi.Output.from_input("python:3.13-slim")
        Workload("web", args(kind="Deployment", pods=None, migration=MIGRATION, **{**MORE, "image": image}))

    same = name()
    assert same.startswith("my-service-migration-")
    assert same == name(replicas=2) == name(probes=None)
    assert run(program, Recording()).one("Job").inputs["metadata"]["name"] == same
    others: list[dict[str, Any]] = [
        {"image": "python:3.12-slim"},
        {"env": {"MODE": "prod"}},
        {"migration": {**MIGRATION, "command": ["x"]}},
    ]
    others += [{"secret_env": {"PASSWORD": PLANTED}}, {"files": {"/etc/motd": "other"}}]
    assert len({same, *(name(**other) for other in others)}) == len(others) + 1
    long = name(name="a" * 35 + "-" + "b" * 20)
    assert len(long) <= 57, "the pod's name adds six characters to that of the Job, which is a label"
    assert "--" not in long


def test_a_migration_says_nothing_of_a_secret() -> None:
    recording = migrated(secret_env={"PASSWORD": PLANTED})
    assert PLANTED not in json.dumps(recording.one("Job").inputs)


KEPT = [{"path": "/cache"}, {"path": "/var/lib/Data", "size": "1Gi"}]


@pytest.mark.parametrize("kind", ["Pod", "Deployment"])
def test_a_folder_with_a_size_outlives_its_pod(kind: str) -> None:
    recording = recorded(kind=kind, pods=None, volumes=KEPT)
    claim = recording.one("PersistentVolumeClaim")
    assert claim.name == "apps/my-service.var-lib-data"
    assert claim.inputs["metadata"]["name"] == "my-service.var-lib-data"
    assert claim.inputs["spec"] == {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    made = recording.one(kind)
    assert claim.urn in made.request.dependencies
    spec = made.inputs["spec"]["template"]["spec"] if kind == "Deployment" else made.inputs["spec"]
    assert spec["volumes"][1:] == [
        {"name": "volume-0", "emptyDir": {}},
        {"name": "volume-1", "persistentVolumeClaim": {"claimName": "my-service.var-lib-data"}},
    ]
    assert spec["containers"][0]["volumeMounts"][2] == {"name": "volume-1", "mountPath": "/var/lib/Data"}
    assert spec["securityContext"]["fsGroup"] == spec["securityContext"]["runAsUser"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"pods": ("a", "b")}, "the volume /var/lib/Data has a size, and only one pod at a time"),
        ({"kind": "Deployment", "pods": None, "replicas": 2}, "only one pod at a time can have such a folder"),
        ({"pods": None, "volumes": [*KEPT, {"path": "/var-lib/data", "size": "1Gi"}]}, "my-service.var-lib-data"),
        ({"pods": None, "volumes": [{"path": "/a", "size": "0"}]}, "a size is at least one byte"),
    ],
)
def test_a_folder_that_cannot_be_kept(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        recorded(**{"volumes": KEPT, **change})


def test_two_pods_never_share_a_folder_with_a_size() -> None:
    assert deployment(volumes=KEPT)["spec"]["strategy"] == {"type": "Recreate"}
    assert deployment(volumes=KEPT[:1])["spec"]["strategy"]["type"] == "RollingUpdate"


def test_another_content_of_a_file_is_another_pod() -> None:
    """The pod's volume names the content, since a mounted file of a running pod never changes."""
    specs = [
        recorded(files={"/etc/motd": content}).of("Pod")[0].inputs["spec"]["volumes"][1] for content in ("a", "a", "b")
    ]
    assert specs[0] == specs[1] != specs[2]


def test_without_them_a_workload_is_what_it_was() -> None:
    recording = recorded()
    assert recording.of("ConfigMap") == []
    assert recording.resources[0].inputs.keys().isdisjoint(MORE)
    (container,) = recording.of("Pod")[0].inputs["spec"]["containers"]
    assert container.keys().isdisjoint({"args", "env", "resources", "livenessProbe", "startupProbe"})
    # The digest of released versions: another one would replace every running pod.
    assert digest() == "27fab265bae184aa"


def test_only_the_user_0_is_root() -> None:
    contexts = [recorded(user=user).of("Pod")[0].inputs["spec"]["securityContext"] for user in (0, 1)]
    assert [(context["runAsUser"], context["runAsNonRoot"]) for context in contexts] == [(0, False), (1, True)]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"env": {"A B": ""}}, "a variable's name"),
        ({"files": {"motd": ""}}, "a file's path in the container is absolute"),
        ({"resources": {"limits": {"memory": "1 GB"}}}, "a quantity is a number with an optional unit"),
        ({"volumes": [{"path": "/tmp"}]}, "Workload web: a volume is mounted at /tmp"),  # noqa: S108
        ({"probes": {"liveness": {"http": "/", "tcp": True}}}, "here http and tcp"),
    ],
)
def test_what_a_container_cannot_be_given(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        recorded(**change)


def deployment(**changes: Any) -> dict[str, Any]:
    recording = recorded(kind="Deployment", **{"pods": None, **changes})
    assert recording.of("Pod") == []
    return dict(recording.one("Deployment").inputs)


def test_a_deployment_loses_no_request() -> None:
    spec = deployment(replicas=3)["spec"]
    assert spec["replicas"] == 3
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    drained = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert 0 < drained < pod["terminationGracePeriodSeconds"]
    assert spec["selector"]["matchLabels"] == spec["template"]["metadata"]["labels"] == {"service": "example-pod"}
    bare = recorded().of("Pod")[0].inputs["spec"]
    assert {key: pod[key] for key in ("securityContext", "volumes")} == {
        key: bare[key] for key in ("securityContext", "volumes")
    }


def test_a_deployments_objects_are_named_after_the_service() -> None:
    recording = recorded(kind="Deployment", pods=None, selector=None)
    names = {(r.type.rsplit(":", 1)[1], r.name) for r in recording.resources[1:]}
    assert names == {
        ("Deployment", "apps/my-service"),
        ("NetworkPolicy", "apps/my-service"),
        ("Service", "apps/my-service"),
        ("ServiceAccount", "apps/my-service-pod"),
    }
    assert recording.one("Service").inputs["spec"]["selector"] == {"service": "my-service-pod"}
    made = recording.one("Deployment")
    assert recording.one("ServiceAccount").urn in made.request.dependencies
    assert made.request.customTimeouts.update == "5m"


def test_another_spec_is_another_version_of_a_deployment() -> None:
    def version(**changes: Any) -> str:
        return str(deployment(**changes)["spec"]["template"]["metadata"]["annotations"][DIGEST])

    assert version() == version(replicas=2) != version(env={"A": "1"})


def test_who_waits_for_a_deployment() -> None:
    assert deployment(wait_for_ready=False)["metadata"]["annotations"] == {"pulumi.com/skipAwait": "true"}
    assert "pulumi.com/skipAwait" not in deployment()["metadata"].get("annotations", {})


def test_the_living_pods_of_another_version_are_replaced() -> None:
    version = deployment()["spec"]["template"]["metadata"]["annotations"][DIGEST]
    seen: list[str] = []

    def program() -> None:
        living = {"my-service-1-a": version, "my-service-0-b": "0"}
        seen.extend(Workload("web", args(kind="Deployment", pods=None, living=living)).replaced)

    run(program, Recording())
    assert seen == ["my-service-0-b"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "Deployment"}, "the argument pods names bare pods, and kind is Deployment; remove pods"),
        ({"replicas": 2}, "the argument replicas is of a Deployment; give as many names in pods"),
        ({"kind": "StatefulSet"}, 'the argument kind is "StatefulSet"'),
        ({"kind": "Deployment", "pods": None, "replicas": 0}, "the argument replicas is 0"),
    ],
)
def test_a_kind_without_sense_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        recorded(**change)


_MARK = "4dabf18193072939515e22adb298388d"
PLANTED = "hunter2-planted"


@pytest.mark.parametrize("kind", ["Pod", "Deployment"])
def test_a_secret_is_in_a_secret_only(kind: str) -> None:
    change: dict[str, Any] = {"kind": kind, "pods": None if kind == "Deployment" else ("example-pod",)}
    recording = recorded(env={"MODE": "dev"}, secret_env={"PASSWORD": PLANTED}, **change)
    secret = recording.one("Secret")
    # Without a name, the provider makes one that is new for each value.
    assert (secret.name, secret.inputs["metadata"]) == ("apps.my-service.env", {"namespace": "apps"})
    assert list(secret.request.replaceOnChanges) == ["data"]
    data = secret.request.object["data"]
    assert _MARK in data, "the engine encrypts what carries this mark"
    assert data["value"] == {"PASSWORD": base64.b64encode(PLANTED.encode()).decode()}
    made = recording.one(kind)
    assert secret.urn in made.request.dependencies
    spec = made.inputs["spec"]
    (container,) = (spec["template"]["spec"] if kind == "Deployment" else spec)["containers"]
    plain, hidden = container["env"]
    assert plain == {"name": "MODE", "value": "dev"}
    assert (hidden["name"], hidden["valueFrom"]["secretKeyRef"]["key"]) == ("PASSWORD", "PASSWORD")
    for text in (
        *(json.dumps(resource.inputs) for resource in recording.resources if resource is not secret),
        json.dumps(recording.registered),
        repr(recording.logs),
    ):
        assert PLANTED not in text
        assert data["value"]["PASSWORD"] not in text


def test_the_digest_says_nothing_of_a_secret() -> None:
    def version(value: str) -> Any:
        of = recorded(kind="Deployment", pods=None, secret_env={"PASSWORD": value}).one("Deployment")
        return of.inputs["spec"]["template"]["metadata"]["annotations"][DIGEST]

    assert version("a") == version("b") != deployment()["spec"]["template"]["metadata"]["annotations"][DIGEST]


@pytest.mark.parametrize("kind", ["Pod", "Deployment"])
def test_the_login_of_a_registry_is_in_a_secret_only(kind: str) -> None:
    change: dict[str, Any] = {"kind": kind, "pods": None if kind == "Deployment" else ("example-pod",)}
    recording = recorded(image="registry.example/web:1", pull_secret=f"anna:{PLANTED}", **change)
    secret = recording.one("Secret")
    assert (secret.name, secret.inputs["type"]) == ("apps.my-service.pull", "kubernetes.io/dockerconfigjson")
    assert list(secret.request.replaceOnChanges) == ["data"]
    data = secret.request.object["data"]
    assert _MARK in data, "the engine encrypts what carries this mark"
    auth = base64.b64encode(f"anna:{PLANTED}".encode()).decode()
    held = json.loads(base64.b64decode(data["value"][".dockerconfigjson"]))
    assert held == {"auths": {"registry.example": {"auth": auth}}}
    made = recording.one(kind)
    assert secret.urn in made.request.dependencies
    spec = made.inputs["spec"]
    (pull,) = (spec["template"]["spec"] if kind == "Deployment" else spec)["imagePullSecrets"]
    assert list(pull) == ["name"]
    for text in (
        *(json.dumps(resource.inputs) for resource in recording.resources if resource is not secret),
        json.dumps(recording.registered),
        repr(recording.logs),
    ):
        assert PLANTED not in text
        assert auth not in text


def test_without_a_login_nothing_is_pulled_with_one() -> None:
    recording = recorded()
    assert recording.of("Secret") == []
    assert all("imagePullSecrets" not in pod.inputs["spec"] for pod in recording.of("Pod"))


def test_a_variable_has_one_value() -> None:
    with pytest.raises(ArgumentError, match="env and secret_env both have A") as caught:
        recorded(env={"A": "1"}, secret_env={"A": PLANTED})
    assert PLANTED not in str(caught.value)


@pytest.mark.parametrize(
    ("family", "declared"),
    [
        (None, {}),
        ("ipv4", {"ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack"}),
        ("ipv6", {"ipFamilies": ["IPv6"], "ipFamilyPolicy": "SingleStack"}),
        ("dual", {"ipFamilyPolicy": "RequireDualStack"}),
    ],
)
def test_the_families_of_a_service(family: str | None, declared: dict[str, Any]) -> None:
    spec = recorded(ip_family=family).one("Service").inputs["spec"]
    assert {key: value for key, value in spec.items() if key.startswith("ipFamil")} == declared
