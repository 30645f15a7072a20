"""Workload: the pods that answer and the Service that names them. Owns hop 5, the Service, and hop 7, the pod."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, TypedDict

import pulumi
from pulumi.runtime.rpc import UNKNOWN
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta import v1 as meta
from pulumi_kubernetes.networking import v1 as networking

from components.children import child

DIGEST = "ingress-hops/spec"
"""The annotation of a pod that holds a digest of its spec."""

ADDRESS = "ingress-hops/address"
"""The annotation of a Service that holds its fixed address."""

_NOBODY = 65534
_NOT_INPUTS = {"network", "living", "living_address", "wait_for_ready"}
"""Arguments that say nothing of what the workload is made of."""


class WorkloadArgs(TypedDict):
    """What a workload is made of."""

    name: str
    """Of its Service."""
    namespace: str
    """Where all of it lives; it has to exist."""
    pods: Sequence[str]
    """The pods' names. Pods and no Deployment: a pod's name decides its interface, so it has to be known first."""
    selector: Mapping[str, str]
    """The labels that pods and Service share."""
    image: str
    """Of the one container."""
    command: Sequence[str]
    """Of the one container."""
    port: int
    """TCP: what the process listens on and what the Service offers."""
    admit_from: str
    """The namespace whose pods may send requests; the pods' own node always may."""
    network: Sequence[pulumi.Resource]
    """What the pods' network is ready with: a pod that comes earlier fails and is tried again after 10 to 15 s."""
    cluster_ip: NotRequired[str | None]
    """The Service's address, where it is to be known before the cluster exists."""
    living: NotRequired[Mapping[str, str | None]]
    """For a preview: the pods of these names that run now, with the value of their annotation DIGEST."""
    living_address: NotRequired[str | None]
    """For a preview: the address that the Service has now; None where it does not exist."""
    wait_for_ready: NotRequired[bool]
    """Whether a pod counts as made only when it is ready; True. It fails after 5 minutes."""


class Workload(pulumi.ComponentResource):
    """Pods that run as nobody, hold no token and answer one namespace only, and their Service.

    Each child is named NAMESPACE/NAME after its object. Named after the component, an object that stays while the
    component is renamed would be applied under its new resource, and then deleted under its old one.
    """

    pods: list[core.Pod]
    """One for each name."""
    service: core.Service
    """Of type ClusterIP."""
    replaced: list[str]
    """In a preview: the names of the living pods that an update makes anew."""

    def __init__(self, name: str, args: WorkloadArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(
            "ingress-hops:index:Workload", name, {k: v for k, v in args.items() if k not in _NOT_INPUTS}, opts
        )
        namespace, labels = args["namespace"], dict(args["selector"])

        def named(old: str, **options: Any) -> pulumi.ResourceOptions:
            # Earlier versions named the children after the component.
            return pulumi.ResourceOptions.merge(
                child(self, opts, **options), pulumi.ResourceOptions(aliases=[pulumi.Alias(name=f"{name}-{old}")])
            )

        account = core.ServiceAccount(
            f"{namespace}/{args['pods'][0]}",
            metadata=meta.ObjectMetaArgs(name=args["pods"][0], namespace=namespace),
            automount_service_account_token=False,
            opts=named("account"),
        )
        spec = _pod_spec(args)
        digest = hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()[:16]
        living = args.get("living", {})
        self.replaced = [pod for pod in args["pods"] if pod in living and living[pod] != digest]
        self.pods = [
            core.Pod(
                f"{namespace}/{pod}",
                metadata=meta.ObjectMetaArgs(
                    name=pod,
                    namespace=namespace,
                    labels=labels,
                    annotations={
                        # The provider previews a replacement as a dry-run apply on the living pod, which the API
                        # forbids; an input that is not known yet makes it leave the dry run out (4.25.0).
                        DIGEST: UNKNOWN if pod in self.replaced else digest,
                        # The provider's own awaiter of pods starts its timeout again with every event of the pod. The
                        # second condition holds at once; skipAwait would also leave out the wait for the old pod's end.
                        "pulumi.com/waitFor": "condition=Ready"
                        if args.get("wait_for_ready", True)
                        else "jsonpath={.metadata.uid}",
                    },
                ),
                spec=spec,
                # Its name is fixed, so the old pod has to go first.
                opts=named(pod, depends_on=[account, *args["network"]], delete_before_replace=True, timeout="5m"),
            )
            for pod in args["pods"]
        ]
        address = args.get("cluster_ip")
        annotations = {"pulumi.com/skipAwait": "true"}  # the pods are waited for themselves
        if address:
            # Another address replaces the Service, whose preview fails like that of a pod.
            annotations[ADDRESS] = UNKNOWN if args.get("living_address") not in (None, address) else address
        self.service = core.Service(
            f"{namespace}/{args['name']}",
            metadata=meta.ObjectMetaArgs(
                name=args["name"],
                namespace=namespace,
                annotations=annotations,
            ),
            spec=core.ServiceSpecArgs(
                type="ClusterIP",
                cluster_ip=args.get("cluster_ip"),
                selector=labels,
                ports=[core.ServicePortArgs(name="http", port=args["port"], target_port=args["port"])],
            ),
            opts=named("service"),
        )
        networking.NetworkPolicy(
            f"{namespace}/{args['name']}",
            metadata=meta.ObjectMetaArgs(name=args["name"], namespace=namespace),
            spec=_admission(labels, args["admit_from"], args["port"]),
            opts=named("admission"),
        )
        self.register_outputs({})


def _pod_spec(args: WorkloadArgs) -> core.PodSpecArgsDict:
    return {
        "service_account_name": args["pods"][0],
        "automount_service_account_token": False,
        "enable_service_links": False,
        # A process that is number 1 and handles no signal is otherwise waited for 30 s.
        "termination_grace_period_seconds": 2,
        "security_context": {
            "run_as_non_root": True,
            "run_as_user": _NOBODY,
            "run_as_group": _NOBODY,
            "seccomp_profile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": "server",
                "image": args["image"],
                "image_pull_policy": "IfNotPresent",
                "command": list(args["command"]),
                "ports": [{"name": "http", "container_port": args["port"]}],
                "readiness_probe": {"tcp_socket": {"port": args["port"]}, "period_seconds": 1},
                "security_context": {
                    "allow_privilege_escalation": False,
                    "read_only_root_filesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
                "volume_mounts": [{"name": "scratch", "mount_path": "/tmp"}],  # noqa: S108 - in the pod
            }
        ],
        "volumes": [{"name": "scratch", "empty_dir": {}}],
    }


def _admission(labels: Mapping[str, str], namespace: str, port: int) -> networking.NetworkPolicySpecArgs:
    return networking.NetworkPolicySpecArgs(
        pod_selector=meta.LabelSelectorArgs(match_labels=dict(labels)),
        policy_types=["Ingress"],
        ingress=[
            networking.NetworkPolicyIngressRuleArgs(
                from_=[
                    networking.NetworkPolicyPeerArgs(
                        namespace_selector=meta.LabelSelectorArgs(
                            match_labels={"kubernetes.io/metadata.name": namespace},
                        ),
                    )
                ],
                ports=[networking.NetworkPolicyPortArgs(port=port, protocol="TCP")],
            )
        ],
    )
