"""KindCluster: a kind cluster of this stack's own. Owns hop 2, the ports that Docker publishes for its workers.

A cluster is recognised by a folder mounted into its nodes: the folder names the owner, its place there the generation.
Whatever carries the same name without that mount belongs to somebody else and is never touched.
"""

import json
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NotRequired, TypedDict

import pulumi
import pulumi_command as command
import pulumi_kubernetes as kubernetes
from pydantic import Field

from components.arguments import ArgumentError, as_before_ipv6, checked
from hops.kubernetes.resources.docker_containers import KIND_LABEL
from hops.model.kind_names import CONTROL_PLANE, KIND_API, KUBECTL, context, control_plane
from hops.model.plan import NODE_PORTS, Plan, plan
from hops.model.pod_network import POD_NETWORK
from hops.model.preflight import MARK, PublishedCluster, cluster_state, generation, mark
from hops.model.project_files import generations, kubeconfig_file, owner_folder
from hops.model.settings import setting_types
from hops.model.settings.cluster_settings import ClusterSettings, PublisherSettings
from hops.model.settings.stack_config import SettingsError, settings
from hops.observe.local.machine import look

_NODES = f"""
nodes=$(docker ps --all --quiet --filter "label={KIND_LABEL}=$CLUSTER")"""
_NODES += """
foreign=
for node in $nodes; do
  # From the line's first character: another owner's folder may end like this one.
  docker inspect --format '{{range .HostConfig.Binds}}{{println .}}{{end}}' "$node" |
    awk 'index($0, ENVIRON["OWNER"] ":" ENVIRON["MARK"]) == 1 { own = 1 } END { exit !own }' || foreign=$node
done
"""

# STACK.yaml beside STACK-GENERATION.yaml: a name that stays, for kubectl.
_LINK = """
if [ -e "$KUBECONFIG_FILE" ]; then ln -sf "$(basename "$KUBECONFIG_FILE")" "${KUBECONFIG_FILE%-*}.yaml"; fi
"""

# Whether the cluster that is to be made runs already, because the state was lost or an update ended early. Its nodes
# all run, carry the mark of the configuration and have joined, and kind's last step is done, the storage class.
_WHOLE = f"""
in_cluster() {{ docker exec "{control_plane("$CLUSTER")}" {" ".join(KUBECTL)} "$@" 2>/dev/null; }}"""
_WHOLE += """
whole() {
  marked=$(printf '%s' "$config" | sed -n 's/.*"containerPath": "\\([^"]*\\)".*/\\1/p')
  declared=$(printf '%s' "$config" | grep -o '"role"' | wc -l)
  [ -n "$nodes" ] && [ -n "$marked" ] && [ "$(printf '%s\\n' "$nodes" | wc -l)" -eq "$declared" ] || return 1
  for node in $nodes; do
    docker inspect --format '{{println .State.Running}}{{range .HostConfig.Binds}}{{println .}}{{end}}' "$node" |
      MARKED=$marked awk '
        $0 == "true" { running = 1 }
        index($0, ENVIRON["OWNER"] ":" ENVIRON["MARKED"] ":") == 1 { own = 1 }
        END { exit !(running && own) }' || return 1
  done
  [ "$(in_cluster get nodes --output name | wc -l)" -eq "$declared" ] &&
    in_cluster get storageclass standard >/dev/null
}
"""

_CREATE = f"""set -eu
{_NODES}
if [ -n "$foreign" ]; then
  echo "a kind cluster named $CLUSTER exists and is not of this stack: nothing was touched." \
    "Set ingress-hops:cluster.name to another name, or remove it: kind delete cluster --name $CLUSTER" >&2
  exit 1
fi
umask 077
mkdir -p "$OWNER"
config=$(cat)
{_WHOLE}
if whole; then
  # kind adds to the file that is there.
  rm -f "$KUBECONFIG_FILE"
  kind export kubeconfig --name "$CLUSTER" --kubeconfig "$KUBECONFIG_FILE"
else
  if [ -n "$nodes" ]; then kind delete cluster --name "$CLUSTER" --kubeconfig "$KUBECONFIG_FILE"; fi
  printf '%s' "$config" |
    kind create cluster --name "$CLUSTER" --image "$IMAGE" --kubeconfig "$KUBECONFIG_FILE" --config -
fi
{_LINK}"""

_DELETE = f"""set -eu
{_NODES}
if [ -n "$foreign" ]; then
  echo "the cluster $CLUSTER is not of this stack: left alone" >&2
else
  kind delete cluster --name "$CLUSTER" --kubeconfig "$KUBECONFIG_FILE"
fi
rm -f "$KUBECONFIG_FILE"
link="${{KUBECONFIG_FILE%-*}}.yaml"
if [ -L "$link" ] && [ "$(readlink "$link")" = "$(basename "$KUBECONFIG_FILE")" ]; then rm -f "$link"; fi
if [ -d "$OWNER" ]; then rmdir "$OWNER"; fi
"""

# NODES: NAME, or NAME=ADDRESS for a node that needs the address that its cluster was made with. All nodes give their
# addresses back before the first one takes its own. A Docker that takes no address gives out the lowest free one.
_START = """set -eu
needs() { case $1 in *=*) return 0 ;; *) return 1 ;; esac; }
for entry in $NODES; do
  if needs "$entry"; then
    node=${entry%%=*}
    docker unpause "$node" >/dev/null 2>&1 || true
    docker stop "$node" >/dev/null
    networks='{{range $name, $_ := .NetworkSettings.Networks}}{{println $name}}{{end}}'
    for network in $(docker inspect --format "$networks" "$node"); do docker network disconnect "$network" "$node"; done
  fi
done
for entry in $NODES; do
  node=${entry%%=*}
  if needs "$entry"; then
    network=${KIND_EXPERIMENTAL_DOCKER_NETWORK:-kind}
    docker network connect --ip "${entry#*=}" "$network" "$node" || docker network connect "$network" "$node"
  fi
  docker unpause "$node" >/dev/null 2>&1 || docker start "$node" >/dev/null
done
"""
_START += f"""deadline=$(($(date +%s) + 120))
until docker exec "$CONTROL_PLANE" {" ".join(KUBECTL)} get --raw /readyz >/dev/null 2>&1; do
  if [ "$(date +%s)" -gt "$deadline" ]; then echo "the API server did not answer for 120 s" >&2; exit 1; fi
  sleep 1
done
"""


class KindClusterPublisher(TypedDict):
    """A further worker that publishes ports on the same address."""

    worker: int
    """The number of the worker, 1 to 9."""
    http_port: int
    """The port of the host machine that leads to port 80 of this worker."""
    https_port: NotRequired[int | None]
    """The port of the host machine that leads to port 443 of this worker; None publishes none. Default: None."""


class KindClusterArgs(TypedDict):
    """The arguments of KindCluster. All are plain: they configure kind, and policies judge them in a preview."""

    name: NotRequired[str]
    """The cluster's name, which kind gives to its containers and its context. Default: the component's name."""
    http_port: NotRequired[int]
    """The port of the host machine that leads to port 80 of the publishing worker. Default: 80."""
    https_port: NotRequired[int | None]
    """The port of the host machine that leads to port 443 of the publishing worker; None publishes none.
    Default: 443."""
    listen_address: NotRequired[str]
    """The IPv4 address of the host machine that the ports are published on. Default: 127.0.0.1."""
    workers: NotRequired[int]
    """The number of workers beside the one control plane, 0 to 9. With 0, the control plane publishes ports and runs
    all pods. Default: 1."""
    publishing_worker: NotRequired[int]
    """The number of the worker that publishes these ports, 1 to 9. Default: 1."""
    also_publish: NotRequired[Sequence[KindClusterPublisher]]
    """Further workers that publish ports of their own. Default: none."""
    image: NotRequired[str]
    """The node image. Default: $INGRESS_HOPS_NODE_IMAGE, else kind's image of the pinned Kubernetes version."""
    ip_family: NotRequired[str]
    """The IP families of nodes, pods, Services and published ports: ipv4, ipv6, or dual for both. Default: ipv4."""
    pod_subnet: NotRequired[str]
    """The pods' IPv4 network, of prefix /8 to /22. Default: 10.244.0.0/16."""
    service_subnet: NotRequired[str]
    """The Services' IPv4 network, of prefix /12 to /24. Default: 10.96.0.0/16."""
    pod_subnet_ipv6: NotRequired[str]
    """The pods' IPv6 network, of prefix /48 to /60, with ip_family dual or ipv6. Default: fd00:10:244::/56."""
    service_subnet_ipv6: NotRequired[str]
    """The Services' IPv6 network, of prefix /108 to /120, with ip_family dual or ipv6. Default: fd00:10:96::/112."""
    listen_address_ipv6: NotRequired[str]
    """The IPv6 address of the host machine that the ports are published on, with ip_family dual or ipv6.
    Default: ::1."""
    registries: NotRequired[Mapping[str, Sequence[str]]]
    """The URLs of mirrors that the nodes ask before a registry, by the registry's host. Default: none."""
    folder: NotRequired[str]
    """The folder of the kubeconfig files and of the folder that marks the nodes.
    Default: .ingress-hops/kubeconfig in the working folder."""
    owner: NotRequired[str]
    """The absolute folder that is mounted into the nodes to mark them; no other cluster may have it.
    Default: NAME.owner in the folder."""
    generation: NotRequired[int]
    """The number of the cluster; another number makes another cluster. Default: the number of the running cluster,
    or the next one where none of these arguments runs."""
    fingerprint: NotRequired[str]
    """8 hexadecimal digits of all that cannot change in a running cluster. Default: computed from the arguments."""
    kubeconfig: NotRequired[str]
    """The absolute path of the kubeconfig file to write, another one for each generation.
    Default: NAME-GENERATION.yaml in the folder."""
    stopped: NotRequired[Sequence[str]]
    """The containers of the cluster that an `up` has to start, in this order. Default: those that do not run, and those
    that run at another address than the cluster was made with."""
    addresses: NotRequired[Mapping[str, str]]
    """The IPv4 address that each of these containers needs, by its name. Default: the one that the cluster was made
    with, where the node's image keeps it."""


class _Bounds(setting_types.Section):
    name: setting_types.ClusterName
    http_port: setting_types.Port = 80
    https_port: setting_types.Port | None = 443
    listen_address: setting_types.Address = ClusterSettings.model_fields["listen_address"].default
    workers: Annotated[int, Field(ge=0, le=9)] = 1
    publishing_worker: Annotated[int, Field(ge=1, le=9)] = 1
    also_publish: tuple[PublisherSettings, ...] = ()
    image: setting_types.ImageName = ClusterSettings.model_fields["node_image"].default
    pod_subnet: setting_types.PodSubnet = ClusterSettings.model_fields["pod_subnet"].default
    service_subnet: setting_types.ServiceSubnet = ClusterSettings.model_fields["service_subnet"].default
    ip_family: setting_types.IPFamily = "ipv4"
    pod_subnet_ipv6: setting_types.PodSubnetIPv6 = ClusterSettings.model_fields["pod_subnet_ipv6"].default
    service_subnet_ipv6: setting_types.ServiceSubnetIPv6 = ClusterSettings.model_fields["service_subnet_ipv6"].default
    listen_address_ipv6: setting_types.IPv6Listener = ClusterSettings.model_fields["listen_address_ipv6"].default
    registries: dict[setting_types.RegistryHost, tuple[setting_types.Mirror, ...]] = Field(default_factory=dict)
    folder: setting_types.FolderName = ClusterSettings.model_fields["kubeconfig_folder"].default
    owner: setting_types.FolderName | None = None
    generation: Annotated[int, Field(ge=1)] | None = None
    fingerprint: Annotated[str, Field(pattern="^[0-9a-f]{8}$")] | None = None
    kubeconfig: setting_types.FolderName | None = None
    stopped: tuple[str, ...] | None = None
    addresses: Mapping[str, setting_types.Address] | None = None


class KindCluster(pulumi.ComponentResource):
    """A kind cluster without a default CNI, and the Kubernetes provider that speaks to it."""

    kubeconfig: pulumi.Output[str]
    """The absolute path of the kubeconfig file."""
    context: pulumi.Output[str]
    """The name of the context in it."""
    service_subnet: pulumi.Output[str]
    """The Services' network; that of IPv4 in a cluster of both families."""

    def __init__(self, name: str, args: KindClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Declares the cluster.

        name: the component's name, which begins the names of its children.
        args: see KindClusterArgs; {} takes every default.
        opts: Pulumi's options.

        Raises ArgumentError for wrong arguments.
        """
        values = resolved(name, args)
        # Which containers are stopped changes from run to run and makes no other cluster.
        left_out = {"stopped", "addresses"}
        # Older versions had no such arguments: where they say nothing, the component stays as it was.
        left_out |= {key for key in ("registries", "also_publish") if not values[key]}
        left_out |= {"publishing_worker"} if values["publishing_worker"] == 1 else set()
        inputs = {key: value for key, value in as_before_ipv6(values).items() if key not in left_out}
        super().__init__("ingress-hops:index:KindCluster", name, inputs, opts)
        self._generation: int = values["generation"]
        config = kind_config(values)
        self._kind = command.local.Command(
            f"{name}-kind",
            create=_CREATE,
            # A newer script is only remembered: all that makes another cluster is a trigger.
            update=_LINK,
            delete=_DELETE,
            stdin=json.dumps(config),
            environment={
                "CLUSTER": values["name"],
                "IMAGE": values["image"],
                "OWNER": values["owner"],
                "MARK": MARK,
                "KUBECONFIG_FILE": values["kubeconfig"],
            },
            triggers=[config, values["image"], values["kubeconfig"]],
            add_previous_output_in_env=False,
            opts=pulumi.ResourceOptions(
                parent=self,
                delete_before_replace=True,
                custom_timeouts=pulumi.CustomTimeouts(create="10m", delete="5m"),
            ),
        )
        kubeconfig: pulumi.Input[str] = values["kubeconfig"]
        if values["stopped"] and not pulumi.runtime.is_dry_run():
            entries = [f"{node}={at}" if (at := values["addresses"].get(node)) else node for node in values["stopped"]]
            started = command.local.run_output(
                command=_START,
                environment={"NODES": " ".join(entries), "CONTROL_PLANE": control_plane(values["name"])},
                opts=pulumi.InvokeOutputOptions(parent=self, depends_on=[self._kind]),
            )
            kubeconfig = started.stdout.apply(lambda _: values["kubeconfig"])
        before: list[pulumi.Resource] = [self._kind]
        if values["registries"]:
            before.append(self._mirrors(name, values, kubeconfig))
        self._kubernetes = kubernetes.Provider(
            f"{name}-kubernetes",
            kubeconfig=kubeconfig,
            context=context(values["name"]),
            cluster_identifier=f"{values['name']}-{values['generation']}",
            # Objects of a cluster that is gone are gone too.
            delete_unreachable=True,
            # A renewed certificate is patched in place. A replaced Secret leaves its host without https for a second.
            enable_secret_mutable=True,
            opts=pulumi.ResourceOptions(parent=self, depends_on=before, replacement_trigger=values["generation"]),
        )
        self.kubeconfig = pulumi.Output.from_input(values["kubeconfig"])
        self.context = pulumi.Output.from_input(context(values["name"]))
        self.service_subnet = pulumi.Output.from_input(_of_families(values, "service_subnet")[0])
        self.register_outputs(
            {"kubeconfig": self.kubeconfig, "context": self.context, "service_subnet": self.service_subnet}
        )

    def _mirrors(self, name: str, values: Mapping[str, Any], kubeconfig: pulumi.Input[str]) -> command.local.Command:
        """Writes the mirrors into the nodes before anything is pulled. kubeconfig: is known when all nodes run."""
        # -I: no module of the working folder replaces one of Python's or of this project.
        write = f"{shlex.quote(sys.executable)} -I -m hops.cli.registries"
        registries = {registry: list(mirrors) for registry, mirrors in values["registries"].items()}

        def written(mirrors: Mapping[str, Sequence[str]]) -> str:
            return json.dumps({"cluster": values["name"], "registries": mirrors}, sort_keys=True)

        return command.local.Command(
            f"{name}-registries",
            create=write,
            update=write,
            delete=f"printf '%s' {shlex.quote(written({}))} | {write}",
            stdin=written(registries),
            environment={"REGISTRIES_OF": kubeconfig},
            triggers=[values["generation"]],
            add_previous_output_in_env=False,
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[self._kind], deleted_with=self._kind, delete_before_replace=True
            ),
        )

    @property
    def provider(self) -> kubernetes.Provider:
        """The provider that deploys into this cluster."""
        return self._kubernetes

    @property
    def command(self) -> command.local.Command:
        """The command that creates and deletes the cluster."""
        return self._kind

    @property
    def inside(self) -> pulumi.ResourceOptions:
        """The options of everything that lives in this cluster.

        It is deployed by the cluster's provider, is gone when the cluster is deleted, and is made anew with it.
        """
        # Another cluster holds nothing of the first one, and the provider cannot tell them apart once the first
        # kubeconfig file is gone (DiffConfig, 4.25.0).
        return pulumi.ResourceOptions(
            provider=self._kubernetes, deleted_with=self._kubernetes, replacement_trigger=self._generation
        )


def resolved(name: str, args: KindClusterArgs) -> dict[str, Any]:
    """The arguments of a cluster with all defaults, those that follow from the running cluster among them.

    name: the component's name.
    args: of the component.

    Raises ArgumentError.
    """
    where = f"KindCluster {name}"
    image = os.environ.get("INGRESS_HOPS_NODE_IMAGE")
    values = checked(where, {"name": name, **({"image": image} if image else {}), **args}, _Bounds, KindClusterArgs)
    intended = _plan(where, values)
    folder = Path(values.pop("folder")).expanduser().resolve()
    cluster = values["name"]
    values["owner"] = values["owner"] or owner_folder(str(folder), cluster)
    values["fingerprint"] = values["fingerprint"] or intended.fingerprint
    if values["generation"] is None:
        state = cluster_state(look(intended.entrypoints), intended, cluster, values["owner"])
        kept = generations(cluster, (file.name for file in folder.glob("*.yaml")))
        values["generation"] = generation(state, PublishedCluster(), kept)
        if values["stopped"] is None:
            values["stopped"], values["addresses"] = state.to_start, state.addresses
    values["stopped"] = values["stopped"] or ()
    values["addresses"] = {node: str(address) for node, address in (values["addresses"] or {}).items()}
    values["kubeconfig"] = values["kubeconfig"] or f"{folder}/{kubeconfig_file(cluster, values['generation'])}"
    return values


def _plan(where: str, values: Mapping[str, Any]) -> Plan:
    """What a stack with this cluster would be."""
    keys = {
        "name": "name",
        "httpPort": "http_port",
        "httpsPort": "https_port",
        "listenAddress": "listen_address",
        "workers": "workers",
        "publishingWorker": "publishing_worker",
        "alsoPublish": "also_publish",
        "nodeImage": "image",
        "podSubnet": "pod_subnet",
        "serviceSubnet": "service_subnet",
        "ipFamily": "ip_family",
        "podSubnetIPv6": "pod_subnet_ipv6",
        "serviceSubnetIPv6": "service_subnet_ipv6",
        "listenAddressIPv6": "listen_address_ipv6",
    }
    try:
        return plan(settings(values["name"], {"cluster": {key: values[name] for key, name in keys.items()}}))
    except SettingsError as error:
        raise ArgumentError(f"{where}: {str(error).removeprefix('ingress-hops:cluster: ')}") from None


_SUFFIXES = {"ipv4": ("",), "dual": ("", "_ipv6"), "ipv6": ("_ipv6",)}


def _of_families(values: Mapping[str, Any], name: str) -> list[str]:
    """The values of an argument for the families of a cluster, IPv4 first."""
    return [values[f"{name}{suffix}"] for suffix in _SUFFIXES[values["ip_family"]]]


def kind_config(values: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration that kind reads of the cluster, as a plain object that rules can read.

    values: the resolved arguments.
    """
    marked = mark(values["generation"], values["fingerprint"])
    mounts = [{"hostPath": values["owner"], "containerPath": marked, "readOnly": True}]
    workers = [{"role": "worker", "extraMounts": mounts} for _ in range(values["workers"])]
    nodes = [{"role": CONTROL_PLANE, "extraMounts": mounts}, *workers]
    first = {"worker": values["publishing_worker"], **{key: values[key] for key in ("http_port", "https_port")}}
    for one in (first, *values["also_publish"]):
        nodes[one["worker"] if workers else 0] |= {
            "extraPortMappings": [
                {
                    "containerPort": NODE_PORTS[scheme],
                    "hostPort": one[f"{scheme}_port"],
                    "listenAddress": address,
                    "protocol": "TCP",
                }
                for address in _of_families(values, "listen_address")
                for scheme in ("http", "https")
                if one[f"{scheme}_port"]
            ]
        }
    return {
        "apiVersion": KIND_API,
        "kind": "Cluster",
        "name": values["name"],
        "networking": {
            "disableDefaultCNI": POD_NETWORK.installed,
            **({} if values["ip_family"] == "ipv4" else {"ipFamily": values["ip_family"]}),
            "podSubnet": ",".join(_of_families(values, "pod_subnet")),
            "serviceSubnet": ",".join(_of_families(values, "service_subnet")),
        },
        "nodes": nodes,
    }
