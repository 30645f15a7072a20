"""Workload: the pods that answer and the Service that names them. Owns hop 5, the Service, and hop 7, the pod."""

from collections.abc import Mapping, Sequence
from typing import NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta import v1 as meta
from pulumi_kubernetes.networking import v1 as networking

from components.children import child

_NOBODY = 65534


class WorkloadArgs(TypedDict):
    """What a workload is made of."""

    name: str
    """Of its Service."""
    namespace: pulumi.Input[str]
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
    cluster_ip: NotRequired[str | None]
    """The Service's address, where it is to be known before the cluster exists."""


class Workload(pulumi.ComponentResource):
    """Pods that run as nobody, hold no token and answer one namespace only, and their Service."""

    pods: list[core.Pod]
    """One for each name."""
    service: core.Service
    """Of type ClusterIP."""

    def __init__(self, name: str, args: WorkloadArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ingress-hops:index:Workload", name, {**args}, opts)
        namespace, labels = args["namespace"], dict(args["selector"])
        here = child(self, opts)
        account = core.ServiceAccount(
            f"{name}-account",
            metadata=meta.ObjectMetaArgs(name=args["pods"][0], namespace=namespace),
            automount_service_account_token=False,
            opts=here,
        )
        self.pods = [
            core.Pod(
                f"{name}-{pod}",
                metadata=meta.ObjectMetaArgs(name=pod, namespace=namespace, labels=labels),
                spec=_pod_spec(args, account.metadata.name),
                # Its name is fixed, so the old pod has to go first.
                opts=child(self, opts, delete_before_replace=True, timeout="5m"),
            )
            for pod in args["pods"]
        ]
        self.service = core.Service(
            f"{name}-service",
            metadata=meta.ObjectMetaArgs(
                name=args["name"],
                namespace=namespace,
                # The pods are waited for themselves.
                annotations={"pulumi.com/skipAwait": "true"},
            ),
            spec=core.ServiceSpecArgs(
                type="ClusterIP",
                cluster_ip=args.get("cluster_ip"),
                selector=labels,
                ports=[core.ServicePortArgs(name="http", port=args["port"], target_port=args["port"])],
            ),
            opts=here,
        )
        networking.NetworkPolicy(
            f"{name}-admission",
            metadata=meta.ObjectMetaArgs(name=args["name"], namespace=namespace),
            spec=_admission(labels, args["admit_from"], args["port"]),
            opts=here,
        )
        self.register_outputs({})


def _pod_spec(args: WorkloadArgs, account: pulumi.Input[str]) -> core.PodSpecArgs:
    return core.PodSpecArgs(
        service_account_name=account,
        automount_service_account_token=False,
        enable_service_links=False,
        # A process that is number 1 and handles no signal is otherwise waited for 30 s.
        termination_grace_period_seconds=2,
        security_context=core.PodSecurityContextArgs(
            run_as_non_root=True,
            run_as_user=_NOBODY,
            run_as_group=_NOBODY,
            seccomp_profile=core.SeccompProfileArgs(type="RuntimeDefault"),
        ),
        containers=[
            core.ContainerArgs(
                name="server",
                image=args["image"],
                image_pull_policy="IfNotPresent",
                command=list(args["command"]),
                ports=[core.ContainerPortArgs(name="http", container_port=args["port"])],
                readiness_probe=core.ProbeArgs(
                    tcp_socket=core.TCPSocketActionArgs(port=args["port"]), period_seconds=1
                ),
                security_context=core.SecurityContextArgs(
                    allow_privilege_escalation=False,
                    read_only_root_filesystem=True,
                    capabilities=core.CapabilitiesArgs(drop=["ALL"]),
                ),
                volume_mounts=[core.VolumeMountArgs(name="scratch", mount_path="/tmp")],  # noqa: S108 - in the pod
            )
        ],
        volumes=[core.VolumeArgs(name="scratch", empty_dir=core.EmptyDirVolumeSourceArgs())],
    )


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
