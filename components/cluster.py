"""KindCluster: a kind cluster of this stack's own. Owns hop 2, the ports that Docker publishes for its first worker.

A cluster is recognised by a folder mounted into its nodes: the folder names the owner, its place there the generation.
Whatever carries the same name without that mount belongs to somebody else and is never touched.
"""

import json
from collections.abc import Sequence
from typing import Any, TypedDict

import pulumi
import pulumi_command as command
import pulumi_kubernetes as kubernetes

from hops.model.hop import Door
from hops.model.preflight import MARK, mark

_NODES = """
nodes=$(docker ps --all --quiet --filter "label=io.x-k8s.kind.cluster=$CLUSTER")
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

_CREATE = f"""set -eu
{_NODES}
if [ -n "$foreign" ]; then
  echo "a kind cluster named $CLUSTER exists and is not of this stack: nothing was touched." \
    "Set ingress-hops:cluster.name to another name, or remove it: kind delete cluster --name $CLUSTER" >&2
  exit 1
fi
umask 077
mkdir -p "$OWNER"
if [ -n "$nodes" ]; then kind delete cluster --name "$CLUSTER" --kubeconfig "$KUBECONFIG_FILE"; fi
kind create cluster --name "$CLUSTER" --image "$IMAGE" --kubeconfig "$KUBECONFIG_FILE" --config -
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

# The control plane first: Docker gives out addresses in the order of starting, and the workers know the first one.
_START = """set -eu
for node in $NODES; do docker unpause "$node" >/dev/null 2>&1 || docker start "$node" >/dev/null; done
deadline=$(($(date +%s) + 120))
until docker exec "$CONTROL_PLANE" kubectl --kubeconfig /etc/kubernetes/admin.conf get --raw /readyz >/dev/null 2>&1; do
  if [ "$(date +%s)" -gt "$deadline" ]; then echo "the API server did not answer for 120 s" >&2; exit 1; fi
  sleep 1
done
"""


class KindClusterArgs(TypedDict):
    """What a kind cluster is made of. All values are plain, so that policies see them in a preview."""

    name: str
    """The cluster's name; kind derives the names of its containers and its context from it."""
    image: str
    """The node image."""
    workers: int
    """How many workers stand beside the one control plane; the first of them publishes the ports."""
    pod_subnet: str
    """IPv4 network of the pods."""
    service_subnet: str
    """IPv4 network of the ClusterIPs."""
    door: Door
    """What the first worker publishes on the host machine."""
    owner: str
    """An absolute folder of this stack alone, mounted into the nodes to mark them."""
    generation: int
    """Changes whenever the cluster has to be made anew."""
    fingerprint: str
    """Of all that cannot change in a running cluster (see `hops.plan.Plan`)."""
    kubeconfig: str
    """The absolute path of the kubeconfig file to write, another one for each generation."""
    stopped: Sequence[str]
    """The cluster's containers that exist and do not run, control plane first."""


class KindCluster(pulumi.ComponentResource):
    """A kind cluster without a default CNI, and the Kubernetes provider that speaks to it."""

    provider: kubernetes.Provider
    """Deploys into this cluster."""
    command: command.local.Command
    """The cluster itself: what lives in it is deleted with it."""

    def __init__(self, name: str, args: KindClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ingress-hops:index:KindCluster", name, {}, opts)
        self._args = args
        config = kind_config(args)
        self.command = command.local.Command(
            f"{name}-kind",
            create=_CREATE,
            # A newer script is only remembered: all that makes another cluster is a trigger.
            update=_LINK,
            delete=_DELETE,
            stdin=json.dumps(config),
            environment={
                "CLUSTER": args["name"],
                "IMAGE": args["image"],
                "OWNER": args["owner"],
                "MARK": MARK,
                "KUBECONFIG_FILE": args["kubeconfig"],
            },
            triggers=[config, args["image"], args["kubeconfig"]],
            add_previous_output_in_env=False,
            opts=pulumi.ResourceOptions(
                parent=self,
                delete_before_replace=True,
                custom_timeouts=pulumi.CustomTimeouts(create="10m", delete="5m"),
            ),
        )
        kubeconfig: pulumi.Input[str] = args["kubeconfig"]
        if args["stopped"] and not pulumi.runtime.is_dry_run():
            started = command.local.run_output(
                command=_START,
                environment={"NODES": " ".join(args["stopped"]), "CONTROL_PLANE": f"{args['name']}-control-plane"},
                opts=pulumi.InvokeOutputOptions(parent=self, depends_on=[self.command]),
            )
            kubeconfig = started.stdout.apply(lambda _: args["kubeconfig"])
        self.provider = kubernetes.Provider(
            f"{name}-kubernetes",
            kubeconfig=kubeconfig,
            context=f"kind-{args['name']}",
            cluster_identifier=f"{args['name']}-{args['generation']}",
            # Objects of a cluster that is gone are gone too.
            delete_unreachable=True,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.command], replacement_trigger=args["generation"]),
        )
        self.register_outputs({"kubeconfig": args["kubeconfig"]})


def kind_config(args: KindClusterArgs) -> dict[str, Any]:
    """The configuration that kind reads of the cluster, as a plain object that rules can read."""
    marked = mark(args["generation"], args["fingerprint"])
    mounts = [{"hostPath": args["owner"], "containerPath": marked, "readOnly": True}]
    door = args["door"]
    published = [
        {"containerPort": m.node, "hostPort": m.host, "listenAddress": door.listen, "protocol": "TCP"}
        for m in door.mappings
    ]
    workers = [{"role": "worker", "extraMounts": mounts} for _ in range(args["workers"])]
    workers[0] |= {"extraPortMappings": published}
    return {
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "kind": "Cluster",
        "name": args["name"],
        "networking": {
            "disableDefaultCNI": True,
            "podSubnet": args["pod_subnet"],
            "serviceSubnet": args["service_subnet"],
        },
        "nodes": [{"role": "control-plane", "extraMounts": mounts}, *workers],
    }
