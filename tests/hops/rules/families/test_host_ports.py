"""Edges of the rules on host ports."""

from tests.hops.rules.cases import Case, documents, of_rule, verdict


def pod(spec: str, name: str = "web") -> str:
    return f"""
---
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: apps}}
spec: {spec}
"""


def deployment(spec: str, more: str = "") -> str:
    return f"""
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, namespace: apps}}
spec: {{{more} template: {{spec: {spec}}}}}
"""


ONE = "{containers: [{name: web, ports: [{containerPort: 8080, hostPort: 80}]}]}"
NODES = """
---
apiVersion: kind.x-k8s.io/v1alpha4
kind: Cluster
name: dev
nodes:
- {role: control-plane}
- {role: worker, extraPortMappings: [{containerPort: 80, hostPort: 80, listenAddress: 127.0.0.1}]}
"""
ALLOW_9000 = """
---
apiVersion: ingress-hops/v1
kind: Policy
rules: {HP01: {parameters: {allowed: [{workload: Pod/apps/web, port: 9000, protocol: UDP}]}}}
"""
OLD_NODES = """
---
apiVersion: kind.x-k8s.io/v1alpha4
kind: Cluster
name: dev
nodes: [{role: control-plane, image: "kindest/node:v1.31.4"}]
"""
MIXED_NODES = OLD_NODES.replace("nodes: [", 'nodes: [{role: worker, image: "kindest/node:v1.34.0"}, ')
PATCHED = """containerdConfigPatches:
- |-
  [plugins.'io.containerd.cri.v1.runtime']
    enable_unprivileged_ports = true
"""
LOW_PORTS = """
---
apiVersion: ingress-hops/v1
kind: Policy
rules: {{HP10: {{parameters: {{lowPorts: {}}}}}}}
"""
RANGED = "{{containers: [{{ports: [{{containerPort: 8080, hostPort: {}}}]}}]}}"
RANGED_PATH = "/spec/containers/0/ports/0/hostPort"
ALLOW_RANGE = """
---
apiVersion: ingress-hops/v1
kind: Policy
rules: {HP01: {parameters: {allowed: [{port: 5000-6000}]}}}
"""
LOW_PORT = "{securityContext: {runAsUser: 1000}, containers: [{ports: [{containerPort: 80}]}]}"
LOW_PORT_PATH = "/spec/containers/0/ports/0/containerPort"

ENVOY = deployment("{containers: [{name: a, image: 'docker.io/envoyproxy/envoy:v1.35.0', ports: [{hostPort: 80}]}]}")

PROBED = "/spec/containers/0/livenessProbe/tcpSocket"

CASES = [
    Case("HP02", "a workload that runs Envoy, whatever its name and kind", ENVOY),
    Case(
        "HP02",
        "Contour's shutdown manager beside Envoy",
        ENVOY.replace("[{name: a", "[{name: b, image: x/contour}, {name: a"),
    ),
    Case(
        "HP02",
        "an application with an Envoy beside it",
        ENVOY.replace("[{name: a", "[{name: b, image: web}, {name: a"),
        ("/spec/template/spec/containers/1/ports/0/hostPort",),
    ),
    Case(
        "HP02",
        "an image whose name only begins with envoy",
        ENVOY.replace("envoyproxy/envoy:", "acme/envoy-tools:"),
        ("/spec/template/spec/containers/0/ports/0/hostPort",),
    ),
    Case("HP01", "0 and none are no host port", pod("{containers: [{ports: [{hostPort: 0}, {containerPort: 9}]}]}")),
    Case(
        "HP01",
        "init and ephemeral containers count",
        pod("{initContainers: [{ports: [{hostPort: 81}]}], ephemeralContainers: [{ports: [{hostPort: 82}]}]}"),
        ("/spec/ephemeralContainers/0/ports/0/hostPort", "/spec/initContainers/0/ports/0/hostPort"),
    ),
    Case(
        "HP01",
        "an allowed port doesn't cover a forbidden one beside it",
        pod("{containers: [{ports: [{hostPort: 80}, {hostPort: 9000}, {containerPort: 1}]}]}"),
        ("/spec/containers/0/ports/1/hostPort",),
    ),
    Case(
        "HP01",
        "the protocol counts",
        pod("{containers: [{ports: [{hostPort: 80, protocol: UDP}]}]}"),
        ("/spec/containers/0/ports/0/hostPort",),
    ),
    Case(
        "HP01",
        "the list is a parameter",
        pod("{containers: [{ports: [{hostPort: 9000, protocol: UDP}]}]}") + ALLOW_9000,
    ),
    Case(
        "HP01",
        "the list names workloads",
        deployment("{containers: [{ports: [{hostPort: 9000, protocol: UDP}]}]}") + ALLOW_9000,
        ("/spec/template/spec/containers/0/ports/0/hostPort",),
    ),
    Case("HP01", "the engine's 80.0 is 80", pod("{containers: [{ports: [{hostPort: 80.0}]}]}")),
    Case("HP01", "no ports at all", pod("{containers: [{ports: []}, {ports: null}, {}]}")),
    Case(
        "HP01", "an unknown port is undecided", pod("{containers: [{ports: [{hostPort: !unknown }]}]}"), undecided=True
    ),
    Case(
        "HP01",
        "what is known is still judged before what isn't",
        pod("{containers: [{ports: [{hostPort: 81}, !unknown ]}]}"),
        ("/spec/containers/0/ports/0/hostPort",),
        undecided=True,
    ),
    Case("HP01", "an unknown spec is undecided", pod("!unknown "), undecided=True),
    Case(
        "HP01",
        "a CronJob's pods and a List's items count",
        """
apiVersion: v1
kind: List
items:
- apiVersion: batch/v1
  kind: CronJob
  metadata: {name: nightly}
  spec: {jobTemplate: {spec: {template: {spec: {containers: [{ports: [{hostPort: 81}]}]}}}}}
""",
        ("/spec/jobTemplate/spec/template/spec/containers/0/ports/0/hostPort",),
    ),
    Case("HP02", "hostPort 0 takes nothing", pod("{containers: [{ports: [{hostPort: 0}]}]}")),
    Case(
        "HP02",
        "the controller's name in another namespace is somebody else",
        """
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: envoy, namespace: apps}
spec: {template: {spec: {containers: [{ports: [{hostPort: 80}]}]}}}
""",
        ("/spec/template/spec/containers/0/ports/0/hostPort",),
    ),
    Case(
        "HP03",
        "all three, each by itself",
        deployment("{hostNetwork: true, hostPID: true, hostIPC: true}"),
        ("/spec/template/spec/hostIPC", "/spec/template/spec/hostNetwork", "/spec/template/spec/hostPID"),
    ),
    Case(
        "HP03",
        "calico-node has to",
        "{kind: DaemonSet, apiVersion: apps/v1, metadata: {name: calico-node, namespace: "
        "kube-system}, spec: {template: {spec: {hostNetwork: true}}}}",
    ),
    Case(
        "HP03",
        "but not the node's processes",
        "{kind: DaemonSet, apiVersion: apps/v1, metadata: {name: calico-node, "
        "namespace: apps}, spec: {template: {spec: {hostNetwork: true}}}}",
        ("/spec/template/spec/hostNetwork",),
    ),
    Case("HP03", "unknown", pod("{hostPID: !unknown }"), undecided=True),
    Case("HP04", "an allowed port", pod("{hostNetwork: true, containers: [{ports: [{containerPort: 80}]}]}")),
    Case(
        "HP04",
        "hostPort and containerPort differ",
        pod("{hostNetwork: true, containers: [{ports: [{containerPort: 8080, hostPort: 80}]}]}"),
        ("/spec/containers/0/ports/0/hostPort",),
    ),
    Case(
        "HP04",
        "it follows the parameters of HP01",
        pod("{hostNetwork: true, containers: [{ports: [{containerPort: 9000, protocol: UDP}]}]}") + ALLOW_9000,
    ),
    Case(
        "HP05",
        "twice in one pod",
        pod("{containers: [{ports: [{hostPort: 80}]}, {ports: [{hostPort: 80}]}]}"),
        ("/spec/containers/1/ports/0/hostPort",),
    ),
    Case(
        "HP05", "TCP and UDP are apart", pod("{containers: [{ports: [{hostPort: 80}, {hostPort: 80, protocol: UDP}]}]}")
    ),
    Case(
        "HP05",
        "two addresses are apart",
        pod("{containers: [{ports: [{hostPort: 80, hostIP: 127.0.0.1}, {hostPort: 80, hostIP: 10.0.0.1}]}]}"),
    ),
    Case(
        "HP05",
        "all addresses include each",
        pod("{containers: [{ports: [{hostPort: 80, hostIP: 127.0.0.1}]}]}") + pod(ONE, "other"),
        ("/spec/containers/0/ports/0/hostPort",) * 2,
    ),
    Case(
        "HP05",
        "an init container is gone by then",
        pod("{initContainers: [{ports: [{hostPort: 80}]}]}") + pod(ONE, "b"),
    ),
    Case(
        "HP05",
        "nodes that differ",
        pod(f"{{nodeSelector: {{zone: a}}, {ONE[1:]}") + pod(f"{{nodeSelector: {{zone: b}}, {ONE[1:]}", "other"),
    ),
    Case(
        "HP05",
        "hostNetwork takes containerPorts",
        pod("{hostNetwork: true, containers: [{ports: [{containerPort: 80}]}]}") + pod(ONE, "other"),
        ("/spec/containers/0/ports/0/hostPort", "/spec/containers/0/ports/0/containerPort"),
    ),
    Case(
        "HP06",
        "the range of NodePorts, with both ends",
        pod("{containers: [{ports: [{hostPort: 29999}, {hostPort: 30000}, {hostPort: 32767}, {hostPort: 32768}]}]}"),
        ("/spec/containers/0/ports/1/hostPort", "/spec/containers/0/ports/2/hostPort"),
    ),
    Case(
        "HP06",
        "hostNetwork on the kubelet's port",
        pod("{hostNetwork: true, containers: [{ports: [{containerPort: 10250}]}]}"),
        ("/spec/containers/0/ports/0/containerPort",),
    ),
    Case(
        "HP07",
        "a port that nobody publishes",
        NODES + pod("{containers: [{ports: [{hostPort: 81, hostIP: 127.0.0.1}]}]}"),
    ),
    Case(
        "HP07", "an address of the network", NODES + pod("{containers: [{ports: [{hostPort: 80, hostIP: 0.0.0.0}]}]}")
    ),
    Case(
        "HP07",
        "IPv6",
        NODES + pod('{containers: [{ports: [{hostPort: 80, hostIP: "::1"}]}]}'),
        ("/spec/containers/0/ports/0/hostIP",),
    ),
    Case(
        "HP07",
        "all of 127.0.0.0/8",
        NODES + pod("{containers: [{ports: [{hostPort: 80, hostIP: 127.9.9.9}]}]}"),
        ("/spec/containers/0/ports/0/hostIP",),
    ),
    Case(
        "HP08",
        "more replicas than nodes",
        NODES + deployment(ONE, "replicas: 2, strategy: {type: Recreate},"),
        ("/spec/replicas",),
    ),
    Case(
        "HP08", "an old pod may stop first", NODES + deployment(ONE, "strategy: {rollingUpdate: {maxUnavailable: 1}},")
    ),
    Case("HP08", "100% of one is one", NODES + deployment(ONE, 'strategy: {rollingUpdate: {maxUnavailable: "100%"}},')),
    Case("HP08", "no replicas", NODES + deployment(ONE, "replicas: 0,")),
    Case("HP08", "nodes that nobody declared can't be counted", deployment(ONE, "replicas: 9,")),
    Case(
        "HP08",
        "a DaemonSet that surges",
        """
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: web, namespace: apps}
spec:
  updateStrategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}
  template: {spec: {containers: [{name: web, ports: [{containerPort: 8080, hostPort: 80}]}]}}
""",
        ("/spec/updateStrategy/rollingUpdate/maxSurge",),
    ),
    Case(
        "HP09",
        "the node's loopback is that of a pod on the node's network",
        pod("{hostNetwork: true, containers: [{livenessProbe: {tcpSocket: {host: localhost, port: 1}}}]}")
        + pod("{hostNetwork: true, containers: [{livenessProbe: {httpGet: {host: 127.0.0.1, port: 1}}}]}", "b"),
    ),
    Case(
        "HP09",
        "loopback of the node, and another host",
        pod("{containers: [{livenessProbe: {tcpSocket: {host: localhost, port: 1}}}]}")
        + pod("{hostNetwork: true, containers: [{livenessProbe: {tcpSocket: {host: 10.0.0.1, port: 1}}}]}", "b"),
        (f"{PROBED}/host", f"{PROBED}/host"),
    ),
    Case("HP09", "an empty host is none", pod('{containers: [{livenessProbe: {tcpSocket: {host: "", port: 1}}}]}')),
    Case(
        "HP09",
        "hooks count",
        pod("{containers: [{lifecycle: {preStop: {httpGet: {host: example.com, port: 1}}}}]}"),
        ("/spec/containers/0/lifecycle/preStop/httpGet/host",),
    ),
    Case("HP10", "root may", OLD_NODES + pod("{containers: [{ports: [{containerPort: 80}]}]}")),
    Case(
        "HP10",
        "the container's user wins",
        OLD_NODES
        + pod(
            "{securityContext: {runAsUser: 0}, containers: [{securityContext: {runAsUser: 7}, "
            "ports: [{containerPort: 80}]}]}"
        ),
        ("/spec/containers/0/ports/0/containerPort",),
    ),
    Case(
        "HP10",
        "the capability helps",
        OLD_NODES
        + pod(
            "{securityContext: {runAsNonRoot: true}, containers: [{securityContext: {capabilities: {add: "
            "[NET_BIND_SERVICE]}}, ports: [{containerPort: 80}]}]}"
        ),
    ),
    Case(
        "HP10",
        "so does the sysctl",
        OLD_NODES
        + pod(
            '{securityContext: {runAsUser: 1, sysctls: [{name: net.ipv4.ip_unprivileged_port_start, value: "0"}]}, '
            "containers: [{ports: [{containerPort: 80}]}]}"
        ),
    ),
    Case(
        "HP10",
        "22 even for root",
        pod("{containers: [{ports: [{containerPort: 22}]}]}"),
        ("/spec/containers/0/ports/0/containerPort",),
    ),
    Case("HP01", "the first port of a range", pod(RANGED.format(5000)) + ALLOW_RANGE),
    Case("HP01", "the last port of a range", pod(RANGED.format(6000)) + ALLOW_RANGE),
    Case("HP01", "a port below a range", pod(RANGED.format(4999)) + ALLOW_RANGE, (RANGED_PATH,)),
    Case("HP01", "a port above a range", pod(RANGED.format(6001)) + ALLOW_RANGE, (RANGED_PATH,)),
    Case(
        "HP01",
        "a port of a range of another protocol",
        pod(RANGED.format("5000, protocol: UDP")) + ALLOW_RANGE,
        (RANGED_PATH,),
    ),
    Case("HP10", "the node image of the stack has containerd 2", pod(LOW_PORT)),
    Case("HP10", "the runtime is containerd 1", OLD_NODES + pod(LOW_PORT), (LOW_PORT_PATH,)),
    Case("HP10", "one node of several has containerd 1", MIXED_NODES + pod(LOW_PORT), (LOW_PORT_PATH,)),
    Case("HP10", "an image without a version", OLD_NODES.replace("v1.31.4", "mine") + pod(LOW_PORT), (LOW_PORT_PATH,)),
    Case("HP10", "the first patch version with containerd 2", OLD_NODES.replace("v1.31.4", "v1.31.6") + pod(LOW_PORT)),
    Case(
        "HP10",
        "Kubernetes 1.32.0 has containerd 1",
        OLD_NODES.replace("1.31.4", "1.32.0") + pod(LOW_PORT),
        (LOW_PORT_PATH,),
    ),
    Case(
        "HP10",
        "Kubernetes 1.28 never had containerd 2",
        OLD_NODES.replace("1.31.4", "1.28.15") + pod(LOW_PORT),
        (LOW_PORT_PATH,),
    ),
    Case("HP10", "Kubernetes 1.33 never had containerd 1", OLD_NODES.replace("1.31.4", "1.33.0") + pod(LOW_PORT)),
    Case("HP10", "a patch of containerd allows it", OLD_NODES + PATCHED + pod(LOW_PORT)),
    Case(
        "HP10",
        "a patch of containerd forbids it",
        NODES + PATCHED.replace("true", "false") + pod(LOW_PORT),
        (LOW_PORT_PATH,),
    ),
    Case("HP10", "the host's network keeps its bound", pod("{hostNetwork: true, " + LOW_PORT[1:]), (LOW_PORT_PATH,)),
    Case("HP10", "the configuration says all", OLD_NODES + pod(LOW_PORT) + LOW_PORTS.format("all")),
    Case("HP10", "the configuration says root", pod(LOW_PORT) + LOW_PORTS.format("root"), (LOW_PORT_PATH,)),
]


def test_a_hostport_that_no_rule_allows_is_one_finding() -> None:
    text = pod("{containers: [{name: web, ports: [{containerPort: 8080, hostPort: 8080}]}]}")
    found = [finding for finding in verdict(documents(text)) if finding.code in ("HP01", "HP02")]
    assert [finding.code for finding in found] == ["HP01"]
    assert "HP02" in found[0].remedy
    assert [finding.code for finding in of_rule(text, "HP02")] == ["HP02"]
