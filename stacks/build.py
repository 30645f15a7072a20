"""Wires the components in hop order."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from components import Calico, Contour, Ingress, KindCluster, Workload
from components.upstream import MAKE_PODS
from hops.kubernetes.declared_path import found
from hops.model.hop import Found
from hops.model.path import CONTOUR_NAMESPACE
from hops.model.plan import Plan, plan
from hops.model.preflight import ClusterState
from hops.model.settings import Settings


@dataclass(frozen=True)
class Ground:
    """What a stack stands on.

    folder: absolute, where kubeconfig files are kept. owner: absolute, the folder whose mount marks the cluster as
    this stack's. generation: of the cluster to have. state: what is there of it.
    upstream: the objects of the published files by `calico` and `contour`; what is missing is left out.
    """

    folder: str
    owner: str
    generation: int
    state: ClusterState
    upstream: Mapping[str, list[dict[str, Any]]]

    def kubeconfig(self, stack: str) -> str:
        """Another file for each generation: objects of an older cluster must never be looked up in this one."""
        return f"{self.folder}/{stack}-{self.generation}.yaml"


def build(settings: Settings, ground: Ground) -> dict[str, Any]:
    """Declares the stack and returns its outputs by name."""
    intended = plan(settings)
    if settings.cluster.existing:
        return _on_existing(settings, intended, ground)
    return _on_kind(settings, intended, ground)


def _on_kind(settings: Settings, intended: Plan, ground: Ground) -> dict[str, Any]:
    kubeconfig = ground.kubeconfig(pulumi.get_stack())
    cluster = KindCluster(
        "cluster",
        {
            "name": settings.cluster.name,
            "image": settings.cluster.node_image,
            "workers": settings.cluster.workers,
            "pod_subnet": str(settings.cluster.pod_subnet),
            "service_subnet": str(settings.cluster.service_subnet),
            "door": intended.door,
            "owner": ground.owner,
            "generation": ground.generation,
            "fingerprint": intended.fingerprint,
            "kubeconfig": kubeconfig,
            "stopped": ground.state.stopped,
        },
    )
    # Another cluster holds nothing of the first one, and the provider cannot tell them apart once the first kubeconfig
    # file is gone (DiffConfig, 4.25.0).
    inside = pulumi.ResourceOptions(
        provider=cluster.provider, deleted_with=cluster.command, replacement_trigger=ground.generation
    )
    before_pods: list[pulumi.Resource] = []
    if "calico" in ground.upstream:
        calico = Calico(
            "calico",
            {
                "objects": ground.upstream["calico"],
                "pod_subnet": str(settings.cluster.pod_subnet),
                "block_size": settings.calico.block_size,
                "encapsulation": settings.calico.encapsulation,
                "registry": settings.calico.registry,
            },
            inside,
        )
        before_pods.append(calico.node)
    inside = pulumi.ResourceOptions.merge(inside, _pods_after(before_pods))
    contour = _contour(settings, ground, intended, inside)
    pods, ingresses = _services(settings, intended, inside)
    outputs = _outputs(intended)
    outputs["cluster"] |= {"name": settings.cluster.name, "kubeconfig": kubeconfig, "generation": ground.generation}
    if ground.state.running or not pulumi.runtime.is_dry_run():
        # A preview looks at what is there, so that it shows which addresses stay; it waits for nothing.
        after: list[pulumi.Resource] = []
        if not pulumi.runtime.is_dry_run():
            after = [*pods, *ingresses, *([contour.envoy] if contour else [])]
        urls = [f"{backend.host}{backend.request_path}" for backend in intended.backends]
        seen = cluster.observe(urls, after)
        outputs["hops"] = seen.apply(lambda lines: _hops(plan(settings, found(_told(lines), intended.door.node))))
    return outputs


def _told(lines: str) -> str:
    """The same lines; requests that no pod has answered are told."""
    for line in lines.splitlines():
        if line.startswith("Unanswered\t"):
            pulumi.log.warn(f"no pod answered http://{line.split()[1]} within 60 s, asked from the worker itself")
    return lines


def _on_existing(settings: Settings, intended: Plan, ground: Ground) -> dict[str, Any]:
    provider = kubernetes.Provider("existing", context=intended.context, delete_unreachable=False)
    inside = pulumi.ResourceOptions(provider=provider)
    contour = _contour(settings, ground, intended, inside)
    pods, _ = _services(settings, intended, inside)
    outputs = _outputs(intended)
    if contour and not pulumi.runtime.is_dry_run():
        names = [f"{b.namespace}/{pod}" for b in intended.backends for pod in b.pods]
        addresses = pulumi.Output.all(contour.load_balancer, *(pod.status.pod_ip for pod in pods))
        whole = addresses.apply(
            lambda seen: plan(settings, Found(load_balancer=seen[0], pods=dict(zip(names, seen[1:], strict=True))))
        )
        outputs["hops"] = whole.apply(_hops)
        outputs["curl"] = whole.apply(lambda of: of.paths[0].curl)
    return outputs


def _pods_after(resources: Sequence[pulumi.Resource]) -> pulumi.ResourceOptions:
    """Only what makes pods waits for the resources; `depends_on` of a component would hold back all of its children."""

    def transformation(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        if args.type_.rsplit(":", 1)[-1] not in {"Pod", *MAKE_PODS}:
            return None
        waiting = pulumi.ResourceOptions(depends_on=list(resources))
        return pulumi.ResourceTransformationResult(args.props, pulumi.ResourceOptions.merge(args.opts, waiting))

    return pulumi.ResourceOptions(transformations=[transformation])


def _contour(settings: Settings, ground: Ground, intended: Plan, inside: pulumi.ResourceOptions) -> Contour | None:
    if "contour" not in ground.upstream:
        return None
    door = intended.door
    return Contour(
        "contour",
        {
            "objects": ground.upstream["contour"],
            "host_ports": {m.scheme: m.node for m in door.mappings} if door.node else {},
            "xds_address": intended.xds,
            "service_type": "ClusterIP" if door.node else "LoadBalancer",
            "status_address": "127.0.0.1" if door.node else None,
            "replicas": settings.contour.replicas,
            "registry": settings.contour.registry,
            "envoy_log_level": settings.contour.envoy_log_level,
        },
        inside,
    )


def _services(
    settings: Settings, intended: Plan, inside: pulumi.ResourceOptions
) -> tuple[list[kubernetes.core.v1.Pod], list[pulumi.Resource]]:
    """The workloads and their Ingresses, each namespace made once."""
    namespaces = {
        name: kubernetes.core.v1.Namespace(
            name,
            metadata=ObjectMetaArgs(name=name, labels={"pod-security.kubernetes.io/enforce": "restricted"}),
            opts=inside,
        )
        for name in sorted({service.namespace for service in settings.services} - {"default"})
    }
    pods: list[kubernetes.core.v1.Pod] = []
    ingresses: list[pulumi.Resource] = []
    for service, backend in zip(settings.services, intended.backends, strict=True):
        depends_on = [namespaces[service.namespace]] if service.namespace in namespaces else []
        here = pulumi.ResourceOptions.merge(inside, pulumi.ResourceOptions(depends_on=depends_on))
        workload = Workload(
            service.name,
            {
                "name": service.name,
                "namespace": service.namespace,
                "pods": backend.pods,
                "selector": backend.selector,
                "image": service.image,
                "command": service.command,
                "port": service.port,
                "admit_from": CONTOUR_NAMESPACE,
                "cluster_ip": backend.cluster_ip,
            },
            here,
        )
        ingress = Ingress(
            service.ingress,
            {
                "name": service.ingress,
                "namespace": service.namespace,
                "host": service.host,
                "path": service.path,
                "service": service.name,
                "port": service.port,
                "tls": service.tls,
            },
            here,
        )
        pods += workload.pods
        ingresses.append(ingress.ingress)
    return pods, ingresses


def _outputs(intended: Plan) -> dict[str, Any]:
    """What is known without the cluster."""
    first = intended.paths[0]
    return {
        "hops": _hops(intended),
        "url": first.url,
        "curl": first.curl,
        "cluster": {"context": intended.context},
    }


def _hops(of: Plan) -> Sequence[dict[str, Any]]:
    return [dataclasses.asdict(hop) for path in of.paths for hop in path.hops]
