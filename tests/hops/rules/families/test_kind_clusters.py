"""Edges of the rules on kind nodes."""

import pytest

from hops.kubernetes.inventory import Inventory
from hops.kubernetes.values import at
from hops.model.finding import Place
from hops.model.settings.stack_config import settings
from hops.rules.catalogue import RULES
from hops.rules.configuration import configure
from hops.rules.judge import judge
from tests.hops.rules.cases import TODAY, Case, documents, of_rule
from tests.hops.rules.families.test_host_ports import NODES, ONE, deployment, pod


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

CONTROL_PLANE = "nodes: [{role: control-plane}]"
CALICO = """
---
apiVersion: operator.tigera.io/v1
kind: Installation
metadata: {name: default}
spec: {calicoNetwork: {linuxDataplane: %s}}
"""
AGENT = """
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: calico-node, namespace: kube-system}
spec: {template: {spec: {containers: [{name: calico-node, env: [{name: FELIX_BPFENABLED, value: "%s"}]}]}}}
"""


def kubeadm(patch: str, image: str = "kindest/node:v1.34.0") -> str:
    lines = "\n".join(f"    {line}" for line in patch.splitlines())
    return cluster(f"nodes:\n- role: control-plane\n  image: {image}\n  kubeadmConfigPatches:\n  - |\n{lines}")


def networking(fields: str, nodes: str = "") -> str:
    return cluster(f"networking: {{{fields}}}\n{nodes}")


LISTED = """kind: InitConfiguration
nodeRegistration:
  kubeletExtraArgs:
  - name: node-labels
    value: "ingress-ready=true"
"""
PATCH = ("/nodes/0/kubeadmConfigPatches/0",)
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
    Case(
        "KN08",
        "what 1.35 admits, on the pinned API server",
        secured(contained("securityContext: {procMount: Unmasked}", "hostUsers: false,"), more=VERSION % "v1.35"),
        LEVEL,
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
        "host ports off, and one needed",
        "{apiVersion: operator.tigera.io/v1, kind: Installation, metadata: {name: default}, spec: {calicoNetwork: "
        "{hostPorts: Disabled}}}" + envoy(),
        ("/spec/calicoNetwork/hostPorts",),
    ),
    Case(
        "KN07",
        "host ports off, and none needed",
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
    Case(
        "KN03",
        "a label that a patch of kubeadm's v1beta4 gives",
        kubeadm(LISTED) + envoy("nodeSelector: {ingress-ready: 'true'},"),
    ),
    Case(
        "KN09",
        "a misspelled key of a node",
        cluster(f"nodes: [{{role: control-plane, extraPortMapping: [{mapping()}]}}]"),
        ("/nodes/0/extraPortMapping",),
    ),
    Case("KN09", "a misspelled key of the cluster", cluster("network: {ipFamily: ipv4}"), ("/network",)),
    Case("KN09", "a subnet in a list", networking("podSubnet: [a]"), ("/networking/podSubnet",)),
    Case("KN09", "a family in a list is one mistake", networking("ipFamily: [ipv4]"), ("/networking/ipFamily",)),
    Case("KN09", "a misspelled key of the network", networking("podSubnets: 10.0.0.0/16"), ("/networking/podSubnets",)),
    Case(
        "KN09",
        "a misspelled key of a mapping",
        cluster("nodes: [{extraPortMappings: [{containerPort: 80, hostport: 80}]}]"),
        ("/nodes/0/extraPortMappings/0/hostport",),
    ),
    Case("KN09", "mappings at the top", cluster(f"extraPortMappings: [{mapping()}]"), ("/extraPortMappings",)),
    Case("KN09", "subnets at the top", cluster("podSubnet: 10.0.0.0/16"), ("/podSubnet",)),
    Case("KN09", "a node's image at the top", cluster("image: kindest/node:v1.34.0"), ("/image",)),
    Case("KN09", "a name in metadata", cluster("metadata: {name: dev}"), ("/metadata",)),
    Case("KN09", "no kind", "{apiVersion: kind.x-k8s.io/v1alpha4, nodes: [{role: control-plane}]}", ("/kind",)),
    Case("KN09", "no apiVersion", "{kind: Cluster, nodes: [{role: control-plane}]}", ("/apiVersion",)),
    Case("KN09", "another kind", "{apiVersion: kind.x-k8s.io/v1alpha4, kind: cluster}", ("/kind",)),
    Case(
        "KN09",
        "an old version of the group",
        "{apiVersion: kind.sigs.k8s.io/v1alpha3, kind: Cluster}",
        ("/apiVersion",),
    ),
    Case(
        "KN09",
        "an older kind of configuration",
        "{apiVersion: kind.sigs.k8s.io/v1alpha1, kind: Config}",
        ("/apiVersion", "/kind"),
    ),
    Case("KN09", "a later version", "{apiVersion: kind.x-k8s.io/v1beta1, kind: Cluster}", ("/apiVersion",)),
    Case("KN09", "another project's Cluster", "{apiVersion: cluster.x-k8s.io/v1beta1, kind: Cluster, spec: {}}"),
    Case("KN09", "only workers", cluster("nodes: [{role: worker}, {role: worker}]"), ("/nodes",)),
    Case("KN09", "no role is that of a control plane", cluster("nodes: [{}, {role: worker}]")),
    Case("KN09", "no nodes are one control plane", cluster("nodes: []")),
    Case("KN09", "an unknown role", cluster("nodes: [{role: control-plane}, {role: workers}]"), ("/nodes/1/role",)),
    Case("KN09", "a role of other tools", cluster("nodes: [{role: control-plane}, {role: agent}]"), ("/nodes/1/role",)),
    Case("KN09", "a role in capitals", cluster("nodes: [{role: control-plane}, {role: Worker}]"), ("/nodes/1/role",)),
    Case(
        "KN09",
        "a hostPort of 70000",
        cluster(f"nodes: [{{extraPortMappings: [{mapping('70000')}]}}]"),
        ("/nodes/0/extraPortMappings/0/hostPort",),
    ),
    Case(
        "KN09",
        "a containerPort of 0",
        cluster(f"nodes: [{{extraPortMappings: [{mapping(container=0)}]}}]"),
        ("/nodes/0/extraPortMappings/0/containerPort",),
    ),
    Case(
        "KN09",
        "no containerPort",
        cluster("nodes: [{extraPortMappings: [{hostPort: 80}]}]"),
        ("/nodes/0/extraPortMappings/0/containerPort",),
    ),
    Case("KN09", "an API server's port of 99999", networking("apiServerPort: 99999"), ("/networking/apiServerPort",)),
    Case(
        "KN09",
        "a port in quotes",
        cluster(f"nodes: [{{extraPortMappings: [{mapping(repr('80'))}]}}]"),
        ("/nodes/0/extraPortMappings/0/hostPort",),
    ),
    Case("KN09", "random ports", cluster(f"nodes: [{{extraPortMappings: [{mapping('-1')}, {mapping('0')}]}}]")),
    Case(
        "KN09",
        "an unknown protocol",
        cluster(f"nodes: [{{extraPortMappings: [{mapping(more='protocol: HTTP')}]}}]"),
        ("/nodes/0/extraPortMappings/0/protocol",),
    ),
    Case(
        "KN09",
        "a protocol in lower case",
        cluster(f"nodes: [{{extraPortMappings: [{mapping(more='protocol: udp')}]}}]"),
    ),
    Case(
        "KN09",
        "a name as an address",
        cluster(f"nodes: [{{extraPortMappings: [{mapping(more='listenAddress: localhost')}]}}]"),
        ("/nodes/0/extraPortMappings/0/listenAddress",),
    ),
    Case(
        "KN09",
        "a name with capital letters",
        "{apiVersion: kind.x-k8s.io/v1alpha4, kind: Cluster, name: Dev}",
        ("/name",),
    ),
    Case("KN09", "an unknown ipFamily", networking("ipFamily: IPv6"), ("/networking/ipFamily",)),
    Case("KN09", "an unknown kubeProxyMode", networking("kubeProxyMode: ebpf"), ("/networking/kubeProxyMode",)),
    Case("KN09", "the kubeProxyModes", networking("kubeProxyMode: nftables") + networking("kubeProxyMode: none")),
    Case("KN09", "a subnet without a prefix", networking("podSubnet: 10.244.0.0"), ("/networking/podSubnet",)),
    Case("KN09", "a podSubnet of the other family", networking("podSubnet: 'fd00::/56'"), ("/networking/podSubnet",)),
    Case(
        "KN09",
        "a serviceSubnet of the other family",
        networking("ipFamily: ipv6, serviceSubnet: 10.96.0.0/16"),
        ("/networking/serviceSubnet",),
    ),
    Case(
        "KN09",
        "two subnets in one family",
        networking("podSubnet: '10.1.0.0/16,10.2.0.0/16'"),
        ("/networking/podSubnet",),
    ),
    Case("KN09", "two subnets of two families", networking("ipFamily: dual, podSubnet: '10.1.0.0/16,fd00:1::/56'")),
    Case("KN09", "dnsSearch as text", networking("dnsSearch: a.example"), ("/networking/dnsSearch",)),
    Case("KN09", "a feature gate as text", cluster("featureGates: {A: 'true'}"), ("/featureGates/A",)),
    Case("KN09", "labels as numbers, which kind reads as text", cluster("nodes: [{labels: {tier: 1, edge: true}}]")),
    Case(
        "KN09",
        "a mount without a folder of the node",
        cluster("nodes: [{extraMounts: [{hostPath: /a}]}]"),
        ("/nodes/0/extraMounts/0/containerPath",),
    ),
    Case("KN09", "unknown nodes", cluster("nodes: !unknown "), undecided=True),
    Case("KN09", "a patch that lists arguments for v1beta3", kubeadm(LISTED), PATCH),
    Case("KN09", "a patch that lists arguments for v1beta4", kubeadm(LISTED, "kindest/node:v1.36.0")),
    Case(
        "KN09",
        "a patch of v1beta4 for v1beta3",
        kubeadm("apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration"),
        PATCH,
    ),
    Case(
        "KN09",
        "a patch of v1beta3 for v1beta4",
        kubeadm("apiVersion: kubeadm.k8s.io/v1beta3\nkind: InitConfiguration", "kindest/node:v1.36.1"),
        PATCH,
    ),
    Case("KN09", "a patch of v1beta3", kubeadm("apiVersion: kubeadm.k8s.io/v1beta3\nkind: InitConfiguration")),
    Case("KN09", "a patch without kind", kubeadm("nodeRegistration: {}"), PATCH),
    Case("KN09", "a patch of a misspelled kind", kubeadm("kind: InitConfig"), PATCH),
    Case("KN09", "a patch that is no YAML", kubeadm("kind: ["), PATCH),
    Case("KN09", "a patch as kind's guide has it", LABELLED),
    Case("KN10", "subnets that overlap", networking("podSubnet: 10.0.0.0/8"), ("/networking/podSubnet",)),
    Case(
        "KN10",
        "one subnet twice",
        networking("podSubnet: 10.96.0.0/16, serviceSubnet: 10.96.0.0/16"),
        ("/networking/serviceSubnet",),
    ),
    Case("KN10", "subnets apart", networking("podSubnet: 192.168.0.0/16, serviceSubnet: 10.96.0.0/12")),
    Case(
        "KN10", "a podSubnet narrower than a node's", networking("podSubnet: 10.244.0.0/25"), ("/networking/podSubnet",)
    ),
    Case(
        "KN10",
        "a podSubnet for one of two nodes",
        networking("podSubnet: 10.244.0.0/24", "nodes: [{role: control-plane}, {role: worker}]"),
        ("/networking/podSubnet",),
    ),
    Case(
        "KN10",
        "a podSubnet for two of two nodes",
        networking("podSubnet: 10.244.0.0/23", "nodes: [{role: control-plane}, {role: worker}]"),
    ),
    Case(
        "KN10",
        "a node mask of the user",
        networking(
            "podSubnet: 10.244.0.0/24",
            "kubeadmConfigPatches: ['{kind: ClusterConfiguration, controllerManager: {extraArgs: "
            '{node-cidr-mask-size: "28"}}}\']',
        ),
    ),
    Case(
        "KN10",
        "a serviceSubnet of eight addresses",
        networking("serviceSubnet: 10.96.0.0/29"),
        ("/networking/serviceSubnet",),
    ),
    Case(
        "KN10",
        "a serviceSubnet too wide for the API server",
        networking("ipFamily: ipv6, serviceSubnet: 'fd01::/64'"),
        ("/networking/serviceSubnet",),
    ),
    Case(
        "KN10",
        "IPv4 addresses in an IPv6 cluster",
        networking("ipFamily: ipv6", f"nodes: [{{extraPortMappings: [{mapping()}]}}]"),
        ("/nodes/0/extraPortMappings/0/listenAddress",),
    ),
    Case(
        "KN10",
        "the IPv4 wildcard in an IPv6 cluster",
        networking("ipFamily: ipv6", f"nodes: [{{extraPortMappings: [{mapping(more='listenAddress: 0.0.0.0')}]}}]"),
        ("/nodes/0/extraPortMappings/0/listenAddress",),
    ),
    Case(
        "KN10",
        "an IPv6 address in an IPv4 cluster",
        cluster("nodes: [{extraPortMappings: [{containerPort: 80, hostPort: 80, listenAddress: '::1'}]}]"),
        ("/nodes/0/extraPortMappings/0/listenAddress",),
    ),
    Case(
        "KN10",
        "no address in an IPv6 cluster",
        networking("ipFamily: ipv6", "nodes: [{extraPortMappings: [{containerPort: 80, hostPort: 80}]}]"),
    ),
    Case("KN10", "both families", networking("ipFamily: dual", f"nodes: [{{extraPortMappings: [{mapping()}]}}]")),
    Case(
        "KN10",
        "no kube-proxy, and Calico with iptables",
        networking("kubeProxyMode: none") + CALICO % "Iptables",
        ("/networking/kubeProxyMode",),
    ),
    Case(
        "KN10",
        "no kube-proxy, and Calico with nftables",
        networking("kubeProxyMode: none") + CALICO % "Nftables",
        ("/networking/kubeProxyMode",),
    ),
    Case(
        "KN10",
        "no kube-proxy, and Calico's default",
        networking("kubeProxyMode: none") + CALICO % "null",
        ("/networking/kubeProxyMode",),
    ),
    Case("KN10", "no kube-proxy, and Calico with eBPF", networking("kubeProxyMode: none") + CALICO % "BPF"),
    Case(
        "KN10",
        "no kube-proxy, and Calico's agent",
        networking("kubeProxyMode: none") + AGENT % "false",
        ("/networking/kubeProxyMode",),
    ),
    Case("KN10", "no kube-proxy, and Calico's agent with eBPF", networking("kubeProxyMode: none") + AGENT % "true"),
    Case("KN10", "kube-proxy and Calico with iptables", networking("kubeProxyMode: iptables") + CALICO % "Iptables"),
    Case("KN10", "an unknown subnet", networking("podSubnet: !unknown "), undecided=True),
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


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        (networking("podSubnet: [a]"), "Write a subnet such as 10.244.0.0/16."),
        (networking("apiServerAddress: [a]"), "Write an IP address such as 127.0.0.1."),
        (networking("ipFamily: [ipv4]"), "Write one of ipv4, ipv6, dual."),
        (cluster("nodes: worker"), "Write a list."),
    ],
)
def test_the_remedy_for_a_wrong_type_says_what_to_write(text: str, remedy: str) -> None:
    (finding,) = of_rule(text, "KN09")
    assert finding.remedy == remedy
