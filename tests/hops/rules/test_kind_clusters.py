"""Edges of the rules on kind nodes."""

import pytest

from hops.kubernetes.inventory import Inventory
from hops.kubernetes.values import at
from hops.model.finding import Place
from hops.model.settings import settings
from hops.rules import RULES
from hops.rules.configuration import configure
from hops.rules.judge import judge
from tests.hops.rules.cases import TODAY, Case, documents, of_rule
from tests.hops.rules.test_host_ports import NODES, ONE, deployment, pod


def cluster(body: str) -> str:
    return f"---\napiVersion: kind.x-k8s.io/v1alpha4\nkind: Cluster\nname: dev\n{body}\n"


def mapping(host: str = "80", container: int = 80, more: str = "listenAddress: 127.0.0.1") -> str:
    return f"{{containerPort: {container}, hostPort: {host}, {more}}}"


def envoy(spec: str = "", port: str = "{containerPort: 8080, hostPort: 80}") -> str:
    return f"""
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {{name: envoy, namespace: projectcontour}}
spec: {{template: {{spec: {{{spec} containers: [{{name: envoy, ports: [{port}]}}]}}}}}}
"""


ON_CONTROL_PLANE = cluster(f"nodes: [{{role: control-plane, extraPortMappings: [{mapping()}]}}, {{role: worker}}]")
ALONE = cluster(f"nodes: [{{role: control-plane, extraPortMappings: [{mapping()}]}}]")
LABELLED = cluster(
    f"""nodes:
- role: control-plane
  extraPortMappings: [{mapping()}]
  kubeadmConfigPatches:
  - |
    kind: InitConfiguration
    nodeRegistration:
      kubeletExtraArgs:
        node-labels: "ingress-ready=true,zone=a"
"""
)
PORT = "/spec/template/spec/containers/0/ports/0/hostPort"
APPS = (
    "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: apps, labels: {pod-security.kubernetes.io/enforce: %s}}\n"
)
STRICT = (
    "{securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}, containers: [{name: web, "
    "securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}}]}"
)

THREE = cluster(
    f"nodes: [{{role: control-plane}}, {{role: worker, extraPortMappings: [{mapping()}]}}, {{role: worker}}]"
)
IMAGE = "{name: envoy, image: 'envoyproxy/envoy:v1.35.0',"
ANYWHERE = envoy().replace("kind: DaemonSet", "kind: Deployment").replace("{name: envoy,", IMAGE)


def secured(pod: str, level: str = "baseline", more: str = "") -> str:
    return (
        "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: apps, labels: {"
        f"pod-security.kubernetes.io/enforce: {level}{more}}}}}\n---\napiVersion: v1\nkind: Pod\n"
        f"metadata: {{name: web, namespace: apps}}\nspec: {pod}\n"
    )


def contained(body: str, spec: str = "") -> str:
    return f"{{{spec} containers: [{{name: web, {body}}}]}}"


VERSION = ", pod-security.kubernetes.io/enforce-version: %s"
GOOD = (
    "securityContext: {runAsNonRoot: true, allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}, "
    "seccompProfile: {type: RuntimeDefault}}"
)
LEVEL = ("/metadata/labels/pod-security.kubernetes.io~1enforce",)
PROBED = "readinessProbe: {tcpSocket: {host: 10.0.0.1, port: 80}}"
REFUSED_BY_BASELINE = {
    "a probe of another host": contained(PROBED),
    "a hook of another host": contained("lifecycle: {preStop: {httpGet: {host: a, port: 80}}}"),
    "seccomp Unconfined in the pod": contained("image: a", "securityContext: {seccompProfile: {type: Unconfined}},"),
    "seccomp Unconfined in a container": contained("securityContext: {seccompProfile: {type: Unconfined}}"),
    "an unsafe sysctl": contained("image: a", "securityContext: {sysctls: [{name: kernel.msgmax, value: '1'}]},"),
    "a SELinux type": contained("securityContext: {seLinuxOptions: {type: spc_t}}"),
    "a SELinux user": contained("image: a", "securityContext: {seLinuxOptions: {user: root}},"),
    "AppArmor Unconfined": contained("securityContext: {appArmorProfile: {type: Unconfined}}"),
    "procMount Unmasked": contained("securityContext: {procMount: Unmasked}"),
    "a Windows host process": contained("image: a", "securityContext: {windowsOptions: {hostProcess: true}},"),
}

CASES = [
    *(Case("KN08", about, secured(pod), LEVEL) for about, pod in REFUSED_BY_BASELINE.items()),
    Case("KN08", "a probe of another host, before 1.34", secured(contained(PROBED), more=VERSION % "v1.33")),
    Case(
        "KN08",
        "a sysctl that baseline allows since 1.32",
        secured(contained("image: a", "securityContext: {sysctls: [{name: net.ipv4.tcp_rmem, value: '1'}]},")),
    ),
    Case(
        "KN08",
        "the same sysctl before",
        secured(
            contained("image: a", "securityContext: {sysctls: [{name: net.ipv4.tcp_rmem, value: '1'}]},"),
            more=VERSION % "v1.31",
        ),
        LEVEL,
    ),
    Case("KN08", "a pod that restricted admits", secured(contained(GOOD), "restricted")),
    Case(
        "KN08",
        "runAsNonRoot false of the pod counts beside good containers",
        secured(contained(GOOD, "securityContext: {runAsNonRoot: false},"), "restricted"),
        LEVEL,
    ),
    Case(
        "KN08",
        "a Windows pod needs no seccomp profile and no capabilities",
        secured(contained("securityContext: {runAsNonRoot: true}", "os: {name: windows},"), "restricted"),
    ),
    Case("KN08", "a level that does not exist", secured(contained(GOOD), "strict"), LEVEL),
    Case(
        "KN08",
        "a version that does not exist",
        secured(contained(GOOD), more=VERSION % "'1.34'"),
        ("/metadata/labels/pod-security.kubernetes.io~1enforce-version",),
    ),
    Case("KN03", "a Deployment that may run on another worker", THREE + ANYWHERE, (PORT,)),
    Case(
        "KN03",
        "an Envoy of another name that may run on another worker",
        THREE + ANYWHERE.replace("name: envoy, namespace: projectcontour", "name: edge, namespace: gateways"),
        (PORT,),
    ),
    Case(
        "KN03",
        "too few replicas for all workers",
        THREE.replace("worker}]", "worker}, {role: worker}]")
        + ANYWHERE.replace("spec: {template", "spec: {replicas: 2, template"),
        (PORT,),
    ),
    Case("KN03", "a DaemonSet runs on all workers", THREE + envoy()),
    Case(
        "KN03",
        "a Deployment whose pods fill all workers",
        THREE + ANYWHERE.replace("spec: {template", "spec: {replicas: 2, template"),
    ),
    Case(
        "KN03",
        "a Deployment bound to the publishing worker",
        THREE + ANYWHERE.replace("containers:", "nodeSelector: {kubernetes.io/hostname: dev-worker}, containers:"),
    ),
    Case("KN01", "no cluster is declared", envoy()),
    Case(
        "KN01",
        "the machine's port may be another",
        NODES.replace("hostPort: 80", "hostPort: 8080") + envoy(),
    ),
    Case(
        "KN01", "the protocol counts", NODES.replace("hostPort: 80", "hostPort: 80, protocol: UDP") + envoy(), (PORT,)
    ),
    Case("KN01", "a tainted node doesn't count", ON_CONTROL_PLANE + envoy(), (PORT,)),
    Case("KN01", "one node alone isn't tainted", ALONE + envoy()),
    Case("KN01", "a cluster without nodes has one, which publishes nothing", cluster("") + envoy(), (PORT,)),
    Case(
        "KN01",
        "a loopback port isn't meant for others",
        NODES + pod("{containers: [{ports: [{hostPort: 9, hostIP: 127.0.0.1}]}]}"),
    ),
    Case("KN01", "an unknown mapping", cluster("nodes: [{extraPortMappings: !unknown }]") + envoy(), undecided=True),
    Case("KN02", "a configuration by itself", NODES),
    Case(
        "KN02",
        "KN03 reports a pod that takes the port and can't run there",
        ON_CONTROL_PLANE + envoy(),
    ),
    Case(
        "KN02",
        "a NodePort stands behind it",
        cluster(f"nodes: [{{role: control-plane, extraPortMappings: [{mapping(container=30080)}]}}]")
        + pod("{}")
        + "---\n{apiVersion: v1, kind: Service, metadata: {name: a}, "
        "spec: {type: NodePort, ports: [{nodePort: 30080}]}}",
    ),
    Case(
        "KN02",
        "the API server stands behind it",
        cluster(f"nodes: [{{extraPortMappings: [{mapping('7', 6443)}]}}]") + pod("{}"),
    ),
    Case("KN03", "a toleration lets it in", ON_CONTROL_PLANE + envoy("tolerations: [{operator: Exists}],")),
    Case(
        "KN03",
        "a toleration of something else doesn't",
        ON_CONTROL_PLANE + envoy("tolerations: [{key: other, operator: Exists}],"),
        (PORT,),
    ),
    Case("KN03", "a label that the node lacks", ALONE + envoy("nodeSelector: {ingress-ready: 'true'},"), (PORT,)),
    Case("KN03", "a label that a kubeadm patch gives", LABELLED + envoy("nodeSelector: {ingress-ready: 'true'},")),
    Case(
        "KN03",
        "an affinity that keeps it away",
        ALONE
        + envoy(
            "affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{"
            "matchExpressions: [{key: node-role.kubernetes.io/control-plane, operator: DoesNotExist}]}]}}},"
        ),
        (PORT,),
    ),
    Case("KN03", "another workload is no controller", ON_CONTROL_PLANE + pod(ONE)),
    Case(
        "KN04",
        "two addresses are apart",
        cluster(f"nodes: [{{extraPortMappings: [{mapping()}, {mapping(more='listenAddress: 127.0.0.2')}]}}]"),
    ),
    Case(
        "KN04",
        "no address is every address",
        cluster(
            f"nodes: [{{extraPortMappings: [{mapping()}]}}, {{extraPortMappings: [{mapping(more='protocol: TCP')}]}}]"
        ),
        ("/nodes/1/extraPortMappings/0/hostPort",),
    ),
    Case(
        "KN04", "random ports don't meet", cluster(f"nodes: [{{extraPortMappings: [{mapping('0')}, {mapping('0')}]}}]")
    ),
    Case(
        "KN05",
        "no listenAddress is 0.0.0.0",
        cluster("nodes: [{extraPortMappings: [{containerPort: 80, hostPort: 80}]}]"),
        ("/nodes/0/extraPortMappings/0/listenAddress",),
    ),
    Case(
        "KN05", "the API server", cluster("networking: {apiServerAddress: 0.0.0.0}"), ("/networking/apiServerAddress",)
    ),
    Case("KN05", "IPv6 loopback", cluster('networking: {apiServerAddress: "::1"}')),
    Case(
        "KN05",
        "an address that may be listened on",
        cluster("networking: {apiServerAddress: 10.0.0.1}")
        + "---\nkind: Policy\napiVersion: ingress-hops/v1\nrules: {KN05: {parameters: {addresses: [10.0.0.1]}}}",
    ),
    Case(
        "KN05",
        "Cluster API means another Cluster",
        "{apiVersion: cluster.x-k8s.io/v1beta1, kind: Cluster, networking: {apiServerAddress: 0.0.0.0}}",
    ),
    Case(
        "KN06",
        "-1 is random too",
        cluster(f"nodes: [{{extraPortMappings: [{mapping('-1')}]}}]"),
        ("/nodes/0/extraPortMappings/0/hostPort",),
    ),
    Case("KN06", "nobody was promised 9000", cluster(f"nodes: [{{extraPortMappings: [{mapping('0', 9000)}]}}]")),
    Case(
        "KN07",
        "host ports off, and one wanted",
        "{apiVersion: operator.tigera.io/v1, kind: Installation, metadata: {name: default}, spec: {calicoNetwork: "
        "{hostPorts: Disabled}}}" + envoy(),
        ("/spec/calicoNetwork/hostPorts",),
    ),
    Case(
        "KN07",
        "host ports off, and none wanted",
        "{apiVersion: operator.tigera.io/v1, kind: Installation, metadata: {name: default}, spec: {calicoNetwork: "
        "{hostPorts: Disabled}}}" + pod("{}"),
    ),
    Case(
        "KN07",
        "nothing brings a network",
        cluster("networking: {disableDefaultCNI: true}") + pod("{}"),
        ("/networking/disableDefaultCNI",),
    ),
    Case("KN07", "a configuration by itself", cluster("networking: {disableDefaultCNI: true}")),
    Case(
        "KN07",
        "calico-node's own variable",
        cluster("networking: {podSubnet: 10.1.0.0/16}")
        + "---\n{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: calico-node}, "
        "spec: {template: {spec: {containers: "
        "[{env: [{name: CALICO_IPV4POOL_CIDR, value: 10.2.0.0/16}]}]}}}}",
        ("/spec/template/spec/containers/0/env/0/value",),
    ),
    Case(
        "KN07",
        "a plugin chain without portmap",
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: calico-config}, data: {cni_network_config: '{}'}}"
        + envoy(),
        ("/data/cni_network_config",),
    ),
    Case(
        "KN07",
        "IPv6 beside IPv4",
        cluster('networking: {podSubnet: "10.244.0.0/16,fd00:10:244::/56"}')
        + "---\n{apiVersion: projectcalico.org/v3, kind: IPPool, metadata: {name: six}, "
        "spec: {cidr: 'fd00:10:244::/64'}}",
    ),
    Case("KN08", "no pods, no label", "{apiVersion: v1, kind: Namespace, metadata: {name: apps}}"),
    Case(
        "KN08",
        "pods and no label",
        "{apiVersion: v1, kind: Namespace, metadata: {name: apps}}" + pod("{}"),
        ("/metadata/labels",),
    ),
    Case("KN08", "restricted, and meets it", APPS % "restricted" + pod(STRICT)),
    Case(
        "KN08",
        "restricted, and doesn't",
        APPS % "restricted" + deployment("{containers: [{name: web}]}"),
        ("/metadata/labels/pod-security.kubernetes.io~1enforce",),
    ),
    Case("KN08", "baseline lets hostPort 0 in", APPS % "baseline" + pod("{containers: [{ports: [{hostPort: 0}]}]}")),
    Case("KN08", "an unknown volume", APPS % "baseline" + pod("{volumes: !unknown }"), undecided=True),
]


def test_a_missing_mapping_is_offered_on_a_worker() -> None:
    (finding,) = of_rule(RULES["KN01"].bad, "KN01")
    assert finding.patch
    assert finding.patch.resource.kind == "Cluster"
    assert finding.patch.operations[0]["path"] == "/nodes/1/extraPortMappings/-"


def test_the_label_that_is_offered_is_the_strictest() -> None:
    bare = "{apiVersion: v1, kind: Namespace, metadata: {name: apps}}"
    for spec, level in (
        (STRICT, "restricted"),
        ("{}", "restricted"),
        ("{containers: [{name: web}]}", "baseline"),
        (ONE, "privileged"),
    ):
        (finding,) = of_rule(bare + pod(spec), "KN08")
        assert finding.patch
        assert list(at(finding.patch.operations[0], "value").values()) == [level]


URN = "urn:pulumi:alice::ingress-hops::ingress-hops:index:KindCluster$command:local:Command::cluster"
KEY = "ingress-hops:cluster.listenAddress"


@pytest.mark.parametrize(
    ("name", "place", "remedy"),
    [
        ("dev", Place(urn=URN), f"Set `{KEY}` in stacks/Pulumi.alice.yaml to 127.0.0.1."),
        (
            "dev",
            Place("000-cluster-dev.yaml"),
            f"Set `{KEY}` in the stack's file, or listenAddress in the kind configuration, to 127.0.0.1.",
        ),
        ("other", Place(urn=URN), RULES["KN05"].remedy),
    ],
)
def test_the_remedy_for_an_open_listener_names_the_key_of_the_stack(name: str, place: Place, remedy: str) -> None:
    body = documents(RULES["KN05"].bad)[0]
    stack = settings("alice", {"cluster": {"name": name}, "services": [{"name": "web"}]})
    inventory = Inventory([(body, place)], today=TODAY, settings=stack)
    (finding,) = judge(inventory, configure(), [RULES["KN05"]])
    assert (finding.path, finding.remedy) == ("/nodes/1/extraPortMappings/0/listenAddress", remedy)


def test_the_remedy_for_an_open_listener_without_a_stack_names_the_kind_configuration() -> None:
    (finding,) = of_rule(RULES["KN05"].bad, "KN05")
    assert finding.remedy == "Set listenAddress and apiServerAddress in the kind configuration to 127.0.0.1."


@pytest.mark.parametrize("about", list(REFUSED_BY_BASELINE))
def test_a_level_is_never_proposed_that_refuses_the_pods(about: str) -> None:
    (finding,) = of_rule(secured(REFUSED_BY_BASELINE[about]), "KN08")
    assert finding.patch is not None
    level = finding.patch.operations[0]["value"]
    assert of_rule(secured(REFUSED_BY_BASELINE[about], level), "KN08") == []
