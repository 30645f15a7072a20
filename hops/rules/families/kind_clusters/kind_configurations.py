"""KN09 and KN10: whether kind accepts a configuration, and whether its networks fit."""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from hops.kubernetes.inventory import Inventory
from hops.kubernetes.resources import calico_settings
from hops.kubernetes.resources.kind_nodes import (
    KindConfiguration,
    clusters,
)
from hops.kubernetes.resources.pods import Pod
from hops.kubernetes.resources.resource import Resource
from hops.kubernetes.schemas.kind_cluster import KIND_CLUSTER, MOVED
from hops.kubernetes.schemas.refusals import nearest
from hops.kubernetes.schemas.refusals import refusals as schema_refusals
from hops.kubernetes.values import (
    UNKNOWN,
    Undecidable,
    address,
    at,
    mapping,
    network,
    pointer,
    sequence,
    steps,
    text,
)
from hops.model.finding import Level, Severity
from hops.model.hop import HopName
from hops.model.kind_names import KIND_API, KIND_GROUPS
from hops.rules.families.samples import CLUSTER
from hops.rules.files.documents import UnreadableError, documents
from hops.rules.rule import Breach, NoParameters, Rule, Scope

KIND = "https://kind.sigs.k8s.io/docs/user/configuration/"


def declared(inventory: Inventory) -> Iterable[KindConfiguration]:
    return inventory.once(clusters)


def _configurations(inventory: Inventory) -> Iterator[Resource]:
    """The kind configurations, also those of an old version and those that lack kind or apiVersion."""
    for resource in inventory.resources:
        group = resource.api_version.rpartition("/")[0]
        if group in KIND_GROUPS or (
            resource.kind == "Cluster" and not group and not _CLUSTER_KEYS.isdisjoint(resource.body)
        ):
            yield resource


_CLUSTER_KEYS = frozenset({"networking", "nodes", "kubeadmConfigPatches"})


@partial(
    Rule,
    code="KN09",
    title="kind accepts the configuration",
    severity=Severity.CRITICAL,
    level=Level.MANDATORY,
    scope=Scope.RESOURCE,
    of=_configurations,
    hop=HopName.PORT_MAPPING,
    why="kind reads its configuration strictly: an unknown key, role, protocol or API version, a port or subnet out of "
    "bounds, or a cluster without control plane ends `kind create cluster` with an error. A kubeadm patch of another "
    "API version than that of the node image is left out without a word.",
    remedy="Correct the value that the message names.",
    references=(KIND, "https://kubernetes.io/docs/reference/config-api/kubeadm-config.v1beta4/"),
    bad=CLUSTER.replace("extraPortMappings", "extraPortMapping"),
    good=CLUSTER,
)
def accepted(resource: Resource, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    body = resource.body
    if any(body.get(key) is UNKNOWN for key in ("apiVersion", "kind", "metadata")):
        raise Undecidable
    yield from _identified(body)
    for refusal in schema_refusals(KIND_CLUSTER, body, MOVED):
        yield Breach(refusal.path, refusal.message, refusal.patch, remedy=refusal.remedy)
    yield from _with_control_plane(body)
    yield from _addresses(body)
    yield from _subnets(body)
    yield from _patches(body, inventory)


def _identified(body: Mapping[str, Any]) -> Iterator[Breach]:
    for key, right in (("apiVersion", KIND_API), ("kind", "Cluster")):
        given = body.get(key)
        if given != right:
            operation = "replace" if key in body else "add"
            mended = {**body, "apiVersion": KIND_API, "kind": "Cluster"}
            yield Breach(
                f"/{key}",
                f"{key} is {given}, which kind does not read." if given else f"the configuration has no {key}.",
                ()
                if schema_refusals(KIND_CLUSTER, mended)
                else ({"op": operation, "path": f"/{key}", "value": right},),
                remedy=f"Set {key} to {right}.",
            )


def _with_control_plane(body: Mapping[str, Any]) -> Iterator[Breach]:
    declared_nodes = sequence(body.get("nodes"))
    roles = [text(at(node, "role")) or "control-plane" for node in declared_nodes]
    if roles and "control-plane" not in roles:
        yield Breach(
            "/nodes",
            "no node has the role control-plane.",
            ({"op": "add", "path": "/nodes/-", "value": {"role": "control-plane"}},),
            remedy="Add a node with the role control-plane.",
        )


def _addresses(body: Mapping[str, Any]) -> Iterator[Breach]:
    given = [
        (pointer("/nodes", i, "extraPortMappings", j, "listenAddress"), text(at(mapped, "listenAddress")))
        for i, node in enumerate(sequence(body.get("nodes")))
        for j, mapped in enumerate(sequence(at(node, "extraPortMappings")))
    ]
    given.append(("/networking/apiServerAddress", text(at(body, "networking", "apiServerAddress"))))
    for path, value in given:
        if value and address(value) is None:
            local = value == "localhost"
            yield Breach(
                path,
                f"{value} is not an IP address.",
                ({"op": "replace", "path": path, "value": "127.0.0.1"},) if local else (),
                remedy="Write 127.0.0.1." if local else "Write an IP address of the machine, such as 127.0.0.1.",
            )


_FAMILIES = {"ipv4": (4,), "ipv6": (6,), "dual": (4, 6)}


def ip_family(networking: Mapping[str, Any]) -> str:
    return text(networking.get("ipFamily")) or "ipv4"


def _cidrs(networking: Mapping[str, Any], key: str) -> list[str]:
    given = text(networking.get(key))
    return given.split(",") if given else []


def _subnets(body: Mapping[str, Any]) -> Iterator[Breach]:
    networking = mapping(body.get("networking"))
    family = ip_family(networking)
    versions = _FAMILIES.get(family, (4, 6))
    for key in ("podSubnet", "serviceSubnet"):
        given = _cidrs(networking, key)
        parsed = [network(part) if "/" in part else None for part in given]
        found = [subnet.version for subnet in parsed if subnet]
        path = f"/networking/{key}"
        if len(found) < len(given):
            wrong = given[parsed.index(None)]
            yield Breach(path, f"{wrong} is not a subnet.", remedy="Write a subnet such as 10.244.0.0/16.")
        elif any(version not in versions for version in found):
            yield Breach(
                path,
                f"{key} is {', '.join(given)}, and ipFamily is {family}.",
                remedy=f"Write a subnet of the family {family}, or change ipFamily.",
            )
        elif len(found) > len(versions) or (len(found) == 2 and found[0] == found[1]):
            yield Breach(
                path,
                f"{key} has {len(found)} subnets, and ipFamily is {family}.",
                remedy="Write one subnet for each family.",
            )


# From this minor version of Kubernetes on, kind writes kubeadm's configuration in v1beta4, before in v1beta3.
_LISTED_ARGUMENTS = 36
_KUBEADM_KINDS = (
    *("ClusterConfiguration", "InitConfiguration", "JoinConfiguration"),
    *("KubeProxyConfiguration", "KubeletConfiguration"),
)


def _patches(body: Mapping[str, Any], inventory: Inventory) -> Iterator[Breach]:
    yield from _patches_of(body, "", _minor_of(text(at(body, "nodes", 0, "image")), inventory))
    for index, node in enumerate(sequence(body.get("nodes"))):
        yield from _patches_of(node, f"/nodes/{index}", _minor_of(text(at(node, "image")), inventory))


def _minor_of(image: str | None, inventory: Inventory) -> int:
    found = re.search(r":v1\.(\d+)", image or "")
    return int(found[1] if found else inventory.kubernetes.split(".")[1])


def _patches_of(owner: Any, base: str, minor: int) -> Iterator[Breach]:
    written = "v1beta4" if minor >= _LISTED_ARGUMENTS else "v1beta3"
    for index, patch in enumerate(sequence(at(owner, "kubeadmConfigPatches"))):
        path = f"{base}/kubeadmConfigPatches/{index}"
        if not isinstance(patch, str):
            continue
        try:
            found = [part for part in documents(patch) if part is not None]
        except UnreadableError as error:
            yield Breach(path, f"the patch is not YAML: {error}.", remedy="Correct the text of the patch.")
            continue
        for part in found:
            yield from _patch(part, path, written, minor)


def _patch(part: Any, path: str, written: str, minor: int) -> Iterator[Breach]:
    kind, version = text(at(part, "kind")), text(at(part, "apiVersion")) or ""
    if kind not in _KUBEADM_KINDS:
        near = nearest(kind or "", _KUBEADM_KINDS)
        yield Breach(
            path,
            f"the patch has {f'the kind {kind}' if kind else 'no kind'}, so it changes nothing.",
            remedy=f"Set its kind to {near or 'one of ' + ', '.join(_KUBEADM_KINDS)}.",
        )
        return
    if version.startswith("kubeadm.k8s.io/") and version != f"kubeadm.k8s.io/{written}":
        yield Breach(
            path,
            f"the patch is of {version}, but kind writes kubeadm.k8s.io/{written} for Kubernetes 1.{minor}, so it "
            "changes nothing.",
            remedy="Remove apiVersion from the patch, and write its extraArgs for that version.",
        )
    elif written == "v1beta3" and _listed_arguments(part):
        yield Breach(
            path,
            f"the patch lists arguments as kubeadm's v1beta4 does, but kind writes v1beta3 for Kubernetes 1.{minor}.",
            remedy="Write extraArgs and kubeletExtraArgs as a mapping: `node-labels: a=b`.",
        )


def _listed_arguments(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    return any(
        (key in ("extraArgs", "kubeletExtraArgs") and isinstance(item, list)) or _listed_arguments(item)
        for key, item in value.items()
    )


_OTHER_FAMILY = CLUSTER.replace("name: dev", "name: dev\nnetworking: {ipFamily: ipv6}")


@partial(
    Rule,
    code="KN10",
    title="The addresses of a cluster fit together",
    severity=Severity.HIGH,
    level=Level.MANDATORY,
    scope=Scope.STACK,
    of=declared,
    hop=HopName.PORT_MAPPING,
    why="kubeadm refuses subnets that overlap or are too small for the nodes. A published address of another family "
    "than the cluster's leads to a node address on which no pod is reachable. Without kube-proxy, Calico reaches the "
    "API server's Service only with its eBPF data plane, so the nodes never become ready.",
    remedy="Correct the value that the message names.",
    references=(KIND, "https://docs.tigera.io/calico/latest/operations/ebpf/enabling-ebpf"),
    bad=_OTHER_FAMILY,
    good=_OTHER_FAMILY.replace("127.0.0.1", '"::1"'),
)
def fits(cluster: KindConfiguration, inventory: Inventory, _: NoParameters) -> Iterator[Breach]:
    yield from _apart(cluster)
    yield from _wide_enough(cluster)
    yield from _of_the_family(cluster)
    if text(cluster.networking.get("kubeProxyMode")) == "none":
        calico = next(_without_ebpf(inventory), None)
        if calico:
            yield Breach(
                "/networking/kubeProxyMode",
                f"kubeProxyMode is none, but {calico} does not replace kube-proxy: its data plane is not eBPF.",
                remedy="Set kubeProxyMode to iptables, or Calico's data plane to BPF.",
            )
        elif inventory.pods and not any(map(_may_replace_kube_proxy, inventory.of_kind("DaemonSet", "Installation"))):
            yield Breach(
                "/networking/kubeProxyMode",
                "kubeProxyMode is none, and nothing in the stack replaces kube-proxy: no Service has an address that "
                "works, and the ingress controller does not start.",
                remedy="Set kubeProxyMode to iptables.",
                absence=True,
            )


def _may_replace_kube_proxy(resource: Resource) -> bool:
    return resource.kind == "Installation" or resource.name in ("calico-node", "cilium", "kube-router")


def _networks(cluster: KindConfiguration, key: str) -> list[Any]:
    family = ip_family(cluster.networking)
    given = _cidrs(cluster.networking, key) or _DEFAULT_SUBNETS[key].get(str(family), [])
    return [found for found in map(network, given) if found]


# kind 0.32, pkg/apis/config/v1alpha4/default.go.
_DEFAULT_SUBNETS: Mapping[str, Mapping[str, list[str]]] = {
    "podSubnet": {
        "ipv4": ["10.244.0.0/16"],
        "ipv6": ["fd00:10:244::/56"],
        "dual": ["10.244.0.0/16", "fd00:10:244::/56"],
    },
    "serviceSubnet": {
        "ipv4": ["10.96.0.0/16"],
        "ipv6": ["fd00:10:96::/112"],
        "dual": ["10.96.0.0/16", "fd00:10:96::/112"],
    },
}
# kubeadm's node masks, and its fewest addresses and most bits of a service subnet (cmd/kubeadm/app/constants).
_NODE_MASKS = {4: 24, 6: 64}
_FEWEST_SERVICES = 10
_MOST_SERVICE_BITS = 20


def _apart(cluster: KindConfiguration) -> Iterator[Breach]:
    for pods_ in _networks(cluster, "podSubnet"):
        for services_ in _networks(cluster, "serviceSubnet"):
            if pods_.version == services_.version and pods_.overlaps(services_):
                key = "serviceSubnet" if cluster.networking.get("serviceSubnet") else "podSubnet"
                yield Breach(
                    f"/networking/{key}",
                    f"podSubnet {pods_} and serviceSubnet {services_} overlap.",
                    remedy="Write two subnets that do not overlap, such as 10.244.0.0/16 and 10.96.0.0/16.",
                )


def _wide_enough(cluster: KindConfiguration) -> Iterator[Breach]:
    patches = [cluster.resource.body.get("kubeadmConfigPatches"), *sequence(at(cluster.resource.body, "nodes"))]
    masked = "node-cidr-mask-size" in repr(patches)
    for subnet in _networks(cluster, "podSubnet"):
        room = _NODE_MASKS[subnet.version] - subnet.prefixlen
        if not masked and (room < 0 or 2**room < len(cluster.nodes)):
            fits_ = f"{2**room} of the {len(cluster.nodes)} nodes" if room >= 0 else "no node"
            yield Breach(
                "/networking/podSubnet",
                f"podSubnet {subnet} has room for {fits_}: each takes a /{_NODE_MASKS[subnet.version]}.",
                remedy=f"Write a wider subnet, such as {_DEFAULT_SUBNETS['podSubnet'][f'ipv{subnet.version}'][0]}.",
            )
    for subnet in _networks(cluster, "serviceSubnet"):
        bits = subnet.max_prefixlen - subnet.prefixlen
        if subnet.num_addresses < _FEWEST_SERVICES or bits > _MOST_SERVICE_BITS:
            yield Breach(
                "/networking/serviceSubnet",
                f"serviceSubnet {subnet} has {'too few' if bits < _MOST_SERVICE_BITS else 'too many'} addresses.",
                remedy=f"Write a subnet from /{subnet.max_prefixlen - _MOST_SERVICE_BITS} to "
                f"/{subnet.max_prefixlen - 4}.",
            )


def _of_the_family(cluster: KindConfiguration) -> Iterator[Breach]:
    family = ip_family(cluster.networking)
    if family == "dual" or family not in _FAMILIES:
        return
    (version,) = _FAMILIES[family]
    given = mapping(cluster.resource.body)
    for node in cluster.nodes:
        for mapped in node.mappings:
            # Without an address, kind takes the wildcard of the cluster's family.
            listed = text(at(given, *steps(mapped.pointer), "listenAddress"))
            listened = address(listed) if listed else None
            if listened and listened.version != version:
                here = "127.0.0.1" if version == 4 else "::1"
                yield Breach(
                    f"{mapped.pointer}/listenAddress",
                    f"{node.name} publishes port {mapped.container_port} on {listened}, and ipFamily is {family}.",
                    remedy=f"Write an address of the family {family}, such as {here}, or set ipFamily to dual.",
                )


def _without_ebpf(inventory: Inventory) -> Iterator[Resource]:
    """The declarations of a Calico whose data plane leaves Services to kube-proxy."""
    for resource in inventory.of_kind("Installation"):
        if calico_settings.data_plane(resource.body) in (None, "Iptables", "Nftables"):
            yield resource
    for pod in inventory.pods:
        if pod.resource.kind == "DaemonSet" and pod.resource.name == "calico-node" and not _ebpf(pod, inventory):
            yield pod.resource


def _ebpf(pod: Pod, inventory: Inventory) -> bool:
    variables = [entry for container in pod.containers for entry in sequence(container.body.get("env"))]
    own = any(
        text(at(entry, "name")) == "FELIX_BPFENABLED" and text(at(entry, "value")) == "true" for entry in variables
    )
    return own or any(calico_settings.ebpf(felix.body) for felix in inventory.of_kind("FelixConfiguration"))
