"""Wires the components in hop order."""

import base64
import dataclasses
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi.runtime.rpc import UNKNOWN
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from components import (
    Calico,
    Contour,
    Gateway,
    HTTPProxy,
    HTTPRoute,
    Image,
    Ingress,
    KindCluster,
    Workload,
)
from components.gateway import PLAIN, GatewayCertificate
from components.http_proxy import HTTPProxyBackend, HTTPProxyRoute
from components.http_route import HTTPRouteArgs, HTTPRouteBackend
from components.upstream import MAKE_PODS
from components.workload import DIGEST, WorkloadPeer, WorkloadPort
from hops.kubernetes import objects
from hops.kubernetes.declared_path import found
from hops.kubernetes.existing_cluster import ExistingCluster
from hops.kubernetes.pod_security import ENFORCE
from hops.kubernetes.resources.pod_start import MIGRATION, ServicePod, not_ready, unanswered
from hops.kubernetes.resources.services import as_service
from hops.model.certificates import KeyPair
from hops.model.hop import Backend, Entrance, Hop, LiveAddresses, RequestPath, RouteCondition
from hops.model.images.image import Build
from hops.model.plan import Plan, plan
from hops.model.preflight import ClusterState
from hops.model.project_files import kubeconfig_file, kubeconfig_link
from hops.model.settings.route_settings import RouteSettings
from hops.model.settings.service_settings import PortSettings, ServiceSettings
from hops.model.settings.stack_settings import Settings
from hops.model.versions import GATEWAY_API
from hops.observe.in_cluster.answers import RouteAnswer, answers, context_objects
from hops.observe.in_cluster.api import APIError


@dataclass(frozen=True)
class StackContext:
    """What a stack stands on.

    folder: absolute, where kubeconfig files are kept. owner: absolute, the folder whose mount marks the cluster as
    this stack's. generation: of the cluster to have. state: what is there of it.
    upstream: the objects of the published files by the names of `hops.model.versions`; what is missing is left out.
    objects: what is in the running cluster, as its API gives it. own: the Kubernetes objects that the stack's state
    holds, as KIND/NAMESPACE/NAME. engine: whether an engine previews; then an
    address can be unknown. builds: of the services that are built, by NAMESPACE/NAME.
    certificates: of the hosts with `tls: true`, by host. authority: the file of the authority that signed them.
    """

    folder: str
    owner: str
    generation: int
    state: ClusterState
    upstream: Mapping[str, list[dict[str, Any]]]
    objects: Sequence[Mapping[str, Any]] = ()
    own: Collection[str] = ()
    engine: bool = False
    builds: Mapping[str, Build] = field(default_factory=dict)
    secrets: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    certificates: Mapping[str, KeyPair] = field(default_factory=dict)
    authority: str | None = None

    def kubeconfig(self, stack: str) -> str:
        """Another file for each generation: objects of an older cluster must never be looked up in this one."""
        return f"{self.folder}/{kubeconfig_file(stack, self.generation)}"


@dataclass(frozen=True)
class BuiltStack:
    """A declared stack, for resources of your own beside it.

    inside: the options of a resource in the stack's cluster: its provider, and pods that wait for the pod network.
    network: what makes the pod network. A Helm release has to wait for it; empty in a cluster that has its own.
    namespaces: the namespaces that the stack creates, by name; `default` is not among them.
    controller_namespace: the ingress controller's, for `admit_from` of a Workload.
    address: the address of this machine that the ports are published on; None where a load balancer has its own.
    ports: the published port by scheme, `http` and `https`.
    outputs: the stack's outputs by name.
    """

    inside: pulumi.ResourceOptions
    network: Sequence[pulumi.Resource]
    namespaces: Mapping[str, kubernetes.core.v1.Namespace]
    controller_namespace: str
    address: str | None
    ports: Mapping[str, int]
    outputs: Mapping[str, Any]

    def inside_of(self, namespace: str) -> pulumi.ResourceOptions:
        """The options of a resource in a namespace, which is there first if the stack creates it."""
        first = [self.namespaces[namespace]] if namespace in self.namespaces else []
        return pulumi.ResourceOptions.merge(self.inside, pulumi.ResourceOptions(depends_on=first))


def build(settings: Settings, ground: StackContext) -> BuiltStack:
    """Declares the stack."""
    intended = plan(settings, authority=ground.authority)
    for relaxation in settings.relaxations:
        pulumi.log.info(relaxation)
    if settings.cluster.existing:
        return _on_existing(settings, intended, ground)
    return _on_kind(settings, intended, ground)


def _on_kind(settings: Settings, intended: Plan, ground: StackContext) -> BuiltStack:
    kubeconfig = ground.kubeconfig(pulumi.get_stack())
    cluster = KindCluster(
        "cluster",
        {
            "name": settings.cluster.name,
            "image": settings.cluster.node_image,
            "workers": settings.cluster.workers,
            "publishing_worker": settings.cluster.publishing_worker,
            "also_publish": [
                {"worker": one.worker, "http_port": one.http_port, "https_port": one.https_port}
                for one in settings.cluster.also_publish
            ],
            "pod_subnet": str(settings.cluster.pod_subnet),
            "service_subnet": str(settings.cluster.service_subnet),
            "ip_family": settings.cluster.ip_family,
            "pod_subnet_ipv6": str(settings.cluster.pod_subnet_ipv6),
            "service_subnet_ipv6": str(settings.cluster.service_subnet_ipv6),
            "listen_address_ipv6": str(settings.cluster.listen_address_ipv6),
            "listen_address": str(settings.cluster.listen_address),
            "http_port": settings.cluster.http_port,
            "https_port": settings.cluster.https_port,
            "registries": settings.cluster.registries,
            "owner": ground.owner,
            "generation": ground.generation,
            "fingerprint": intended.fingerprint,
            "kubeconfig": kubeconfig,
            "stopped": ground.state.to_start,
            "addresses": ground.state.addresses,
        },
    )
    inside = cluster.inside
    before_pods: list[pulumi.Resource] = []
    if "calico" in ground.upstream:
        calico = Calico(
            "calico",
            {
                "objects": ground.upstream["calico"],
                "pod_subnet": str(settings.cluster.pod_subnet),
                "ip_family": settings.cluster.ip_family,
                "pod_subnet_ipv6": str(settings.cluster.pod_subnet_ipv6),
                "block_size": settings.calico.block_size,
                "encapsulation": settings.calico.encapsulation,
                "registry": settings.calico.registry,
            },
            inside,
        )
        before_pods.append(calico.node)
    inside = pulumi.ResourceOptions.merge(inside, _pods_after(before_pods))
    contour = _contour(settings, ground, intended, inside)
    built = _built(settings, intended, before_pods, inside)
    nodes = pulumi.ResourceOptions.merge(cluster.inside, pulumi.ResourceOptions(depends_on=[cluster.command]))
    images = _images(ground.builds, nodes)
    made, ingresses, replaced = _services(
        settings, intended, ground, built, images, after=contour.definitions if contour else ()
    )
    outputs = _outputs(intended)
    outputs["cluster"] |= {
        "name": settings.cluster.name,
        "kubeconfig": kubeconfig,
        "kubeconfigLink": f"{ground.folder}/{kubeconfig_link(pulumi.get_stack())}",
        "generation": ground.generation,
    }
    if pulumi.runtime.is_dry_run():
        there = found(ground.objects, intended.entrypoint.node, settings.foreign)
        seen = _expected(intended, there, replaced) if ground.engine else there
        known = plan(settings, seen, ground.authority)
        outputs["hops"] = _hops(known)
        if len(known.workers) > 1:
            outputs["betweenNodes"] = _between(known)
    else:
        after = [*made, *ingresses, *([contour.envoy] if contour else [])]
        whole: pulumi.Output[Plan] = pulumi.Output.all(*(resource.urn for resource in after)).apply(
            lambda _: _observed(settings, intended, ground.authority)
        )
        outputs["hops"] = whole.apply(_hops)
        if len(intended.workers) > 1:
            outputs["betweenNodes"] = whole.apply(_between)
    return dataclasses.replace(built, outputs=outputs)


def _expected(intended: Plan, there: LiveAddresses, replaced: Sequence[str]) -> LiveAddresses:
    """What an update will find: the addresses that stay, and UNKNOWN for those that it is the first to know."""
    pods = {f"{backend.namespace}/{pod}": UNKNOWN for backend in intended.services for pod in backend.pods}
    services = {f"{backend.namespace}/{backend.service}": UNKNOWN for backend in intended.services}
    return LiveAddresses(
        node=there.node or UNKNOWN,
        envoy=there.envoy or UNKNOWN,
        services=services | dict(there.services),
        pods=pods | {name: address for name, address in there.pods.items() if name not in replaced},
        deployed={
            name: kept
            for name, pods_ in there.deployed.items()
            if (kept := tuple(pod for pod in pods_ if f"{name.partition('/')[0]}/{pod}" not in replaced))
        },
        foreign=there.foreign,
        unnamed=UNKNOWN,
        seconds=there.seconds,
        nodes=dict.fromkeys(pods, UNKNOWN) | {name: on for name, on in there.nodes.items() if name not in replaced},
    )


async def _observed(settings: Settings, intended: Plan, authority: str | None) -> Plan:
    """The plan with the addresses as they are when the routes are answered; warns of each that is not."""
    entrypoint = intended.entrypoint
    # A service without a route is only waited for.
    asked = [*intended.backends, *(service for service in intended.services if not service.host)]
    objects, found_answers = await answers(str(intended.control_plane), entrypoint, asked)
    for backend, answer in zip(asked, found_answers, strict=True):
        if warning := _warning(settings, intended, backend, answer):
            pulumi.log.warn(warning)
    return plan(settings, found(objects, entrypoint.node, settings.foreign), authority)


def _warning(settings: Settings, intended: Plan, backend: Backend, answer: RouteAnswer) -> str | None:
    names = [(service.namespace, service.service) for service in intended.services]
    number = names.index((backend.namespace, backend.service))
    service, key = settings.services[number], f"services[{number}]"
    waiting = [
        ServicePod(
            key=key,
            name=name,
            image=service.image,
            command=service.command,
            port=service.ports[0].target,
            port_key="ports[0].targetPort" if service.declared_ports else "port",
            probed=bool(service.probes and service.probes.readiness),
            start=start,
            log=answer.logs.get(name, ()),
            cluster=settings.cluster.name,
        )
        for name, start in answer.pods.items()
        if not start.ready
    ]
    if not answer.answered:
        url = f"{backend.scheme}://{backend.host}{backend.request_path}"
        foreign = f"{backend.namespace}/{backend.service}" if backend.foreign else ""
        return unanswered(key, service.name, url, waiting, foreign)
    return not_ready(key, service.name, waiting) if waiting else None


def _on_existing(settings: Settings, intended: Plan, ground: StackContext) -> BuiltStack:
    provider = kubernetes.Provider(
        "existing", context=intended.context, delete_unreachable=False, enable_secret_mutable=True
    )
    inside = pulumi.ResourceOptions(provider=provider)
    contour = _contour(settings, ground, intended, inside)
    there = ExistingCluster(ground.objects, settings)
    built = _built(settings, intended, (), inside, there.namespaces_of_others(ground.own))
    images = _images(ground.builds, inside)
    made, routes, replaced = _services(
        settings, intended, ground, built, images, after=contour.definitions if contour else ()
    )
    outputs = _outputs(intended)
    if pulumi.runtime.is_dry_run():
        seen = there.addresses
        if ground.engine:
            seen = dataclasses.replace(
                _expected(intended, seen, replaced),
                # Nobody knows which node a load balancer chooses.
                node=seen.node if seen.entrance else UNKNOWN,
                entrance=seen.entrance or dataclasses.replace(intended.entrypoint, listen=UNKNOWN),
                network=seen.network,
            )
        outputs |= _outputs(plan(settings, seen, ground.authority))
    else:
        after = [*made, *routes, *([contour.envoy, contour.service] if contour else [])]
        whole: pulumi.Output[Plan] = pulumi.Output.all(*(resource.urn for resource in after)).apply(
            lambda _: plan(settings, _of_existing(settings, intended), ground.authority)
        )
        found_outputs = whole.apply(_outputs)
        outputs |= {name: found_outputs[name] for name in outputs if name != "cluster"}
    return dataclasses.replace(built, outputs=outputs)


def _of_existing(settings: Settings, intended: Plan) -> LiveAddresses:
    """The addresses of an existing cluster after an update. Raises pulumi.RunError if it does not answer."""
    try:
        return ExistingCluster(context_objects(intended.context), settings).addresses
    except APIError as error:
        raise pulumi.RunError(f"the addresses in the cluster of {intended.context} are not known: {error}") from None


def _built(
    settings: Settings,
    intended: Plan,
    network: Sequence[pulumi.Resource],
    inside: pulumi.ResourceOptions,
    there: Collection[str] = (),
) -> BuiltStack:
    """What the workloads stand on. Creates each of their namespaces once, except those of others that are there."""
    entrypoint = intended.entrypoint
    return BuiltStack(
        inside=inside,
        network=tuple(network),
        namespaces={
            name: kubernetes.core.v1.Namespace(
                name,
                metadata=ObjectMetaArgs(name=name, labels={ENFORCE: _level(settings, name)}),
                opts=inside,
            )
            # Whoever makes a Service makes its namespace.
            for name in sorted({s.namespace for s in settings.services if s.kind != "Service"} - {"default", *there})
        },
        controller_namespace=intended.controller_namespace,
        address=entrypoint.listen,
        ports={mapping.scheme: mapping.host for mapping in entrypoint.mappings},
        outputs={},
    )


def _level(settings: Settings, namespace: str) -> str:
    """The pod security level that a namespace enforces."""
    rooted = any(service.user == 0 for service in settings.services if service.namespace == namespace)
    return "baseline" if rooted else "restricted"


def _pods_after(resources: Sequence[pulumi.Resource]) -> pulumi.ResourceOptions:
    """Only what makes pods waits for the resources; `depends_on` of a component would hold back all of its children."""

    def transformation(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        if args.type_.rsplit(":", 1)[-1] not in {"Pod", *MAKE_PODS}:
            return None
        waiting = pulumi.ResourceOptions(depends_on=list(resources))
        return pulumi.ResourceTransformationResult(args.props, pulumi.ResourceOptions.merge(args.opts, waiting))

    return pulumi.ResourceOptions(transformations=[transformation])


def _leads_elsewhere(found: Sequence[Mapping[str, Any]], backend: Backend) -> bool:
    """Whether the living Service of a backend selects other pods than the planned one."""
    name = f"{backend.namespace}/{backend.service}"
    services = (item for item in found if item.get("kind") == "Service" and objects.full_name(item) == name)
    selectors = (as_service(service).selector for service in services)
    return any(selector and selector != backend.selector for selector in selectors)


def _service_after_pods(settings: Settings, intended: Plan, backend: Backend) -> pulumi.ResourceOptions:
    """The Service of a workload changes only when its new pods are ready. If they are not, the update fails.

    The engine deletes what is no longer declared at the end of an update that did not fail. So the old pods serve on.
    """
    pods: list[pulumi.Resource] = []

    async def ready(_urns: Sequence[str]) -> list[pulumi.Resource]:
        if settings.cluster.existing:  # the provider has waited
            return []
        _, (answer,) = await answers(
            str(intended.control_plane), intended.entrypoint, [dataclasses.replace(backend, host="")]
        )
        if warning := _warning(settings, intended, backend, dataclasses.replace(answer, answered=True)):
            raise pulumi.RunError(f"{warning}\n  The Service still leads to the old pods, and they stay.")
        return []

    def transformation(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        kind = args.type_.rsplit(":", 1)[-1]
        if kind in {"Pod", "Deployment"}:
            pods.append(args.resource)
        if kind != "Service":
            return None
        waiting = pulumi.ResourceOptions(depends_on=pulumi.Output.all(*(of.urn for of in pods)).apply(ready))
        return pulumi.ResourceTransformationResult(args.props, pulumi.ResourceOptions.merge(args.opts, waiting))

    return pulumi.ResourceOptions(transformations=[transformation])


_LOOPBACK = {4: "127.0.0.1", 6: "::1"}


def _contour(
    settings: Settings, ground: StackContext, intended: Plan, inside: pulumi.ResourceOptions
) -> Contour | None:
    if "contour" not in ground.upstream:
        return None
    entrypoint = intended.entrypoint
    docker, on_node = entrypoint.by is Entrance.DOCKER, entrypoint.by in (Entrance.DOCKER, Entrance.HOST_PORT)
    ports = {mapping.scheme: mapping.node for mapping in entrypoint.mappings}
    return Contour(
        "contour",
        {
            "objects": ground.upstream["contour"],
            "gateway": settings.gateway_hosts is not None,
            "gateway_objects": ground.upstream.get(GATEWAY_API.name, ()),
            "host_ports": {m.scheme: m.node for one in intended.entrypoints for m in one.mappings} if on_node else {},
            "xds_address": intended.xds,
            "service_type": "ClusterIP" if on_node else entrypoint.by.value,
            "service_ports": None if on_node else ports,
            "status_address": _LOOPBACK[settings.cluster.families[0]] if docker else None,
            "ip_family": settings.cluster.ip_family,
            "replicas": settings.contour.replicas,
            "registry": settings.contour.registry,
            "envoy_log_level": settings.contour.envoy_log_level,
            "envoy_nodes": intended.publishing if settings.contour.envoy_nodes == "publishing" else None,
        },
        inside,
    )


def _images(builds: Mapping[str, Build], after: pulumi.ResourceOptions) -> dict[str, Image]:
    """The image of each service that is built, by NAMESPACE/NAME."""
    return {
        name: Image(
            name,
            {
                "context": build.context,
                "cluster": build.cluster,
                "service": build.service,
                "dockerfile": build.dockerfile,
                "target": build.target,
                "args": build.args,
                "digest": build.digest,
            },
            after,
        )
        for name, build in builds.items()
    }


def _services(
    settings: Settings,
    intended: Plan,
    ground: StackContext,
    built: BuiltStack,
    images: Mapping[str, Image],
    *,
    after: Sequence[pulumi.Resource],
) -> tuple[list[pulumi.CustomResource], list[pulumi.Resource], list[str]]:
    """The workloads, and the objects that lead to them.

    after: what HTTPProxies, HTTPRoutes and the Gateway wait for.

    Returns the pods and Deployments, these objects, and the living pods that will be replaced, as NAMESPACE/NAME.
    """
    names = [service.name for service in settings.services]
    # Only a preview marks a pod that an update makes anew.
    seen = ground.objects if pulumi.runtime.is_dry_run() else ()
    living, there = _digests(seen), found(seen, None)
    secrets = _secrets(settings, ground.certificates, built)
    cluster = ExistingCluster(ground.objects, settings) if settings.cluster.existing else None
    classes = {kind: cluster.ingress_class(kind) if cluster else None for kind in ("Ingress", "HTTPProxy")}
    published = {mapping.scheme: mapping.host for mapping in intended.entrypoint.mappings}
    # Envoy keeps any other port in the address that it redirects to, which leads https to a plain port.
    plain_http = "redirected" if published == {"http": 80, "https": 443} else "refused"
    made: list[pulumi.CustomResource] = []
    replaced: list[str] = []
    objects_: list[pulumi.Resource] = []
    defined = pulumi.ResourceOptions(depends_on=list(after))
    if settings.gateway_hosts is not None:
        objects_.append(_gateway(settings.gateway_hosts, built, after))
    proxies: dict[tuple[str, str], list[tuple[RouteSettings, ServiceSettings]]] = {}
    beside: dict[tuple[str, str], pulumi.ResourceOptions] = {}
    for service, backend in zip(settings.services, intended.services, strict=True):
        inside = built.inside_of(service.namespace)
        for route in service.routes:
            first = [secrets[service.namespace, route.host]] if route.tls is True else []
            opts = pulumi.ResourceOptions.merge(inside, pulumi.ResourceOptions(depends_on=first))
            if route.kind == "HTTPProxy":
                proxies.setdefault((service.namespace, route.host), []).append((route, service))
                beside[service.namespace, route.host] = opts
                continue
            if route.kind == "HTTPRoute":
                args = _gateway_route(settings, route, service)
                own = pulumi.ResourceOptions.merge(opts, defined)
                objects_.append(HTTPRoute(f"{service.namespace}/{route.name}", args, own).route)
                continue
            ingress = Ingress(
                f"{service.namespace}/{route.name}",
                {
                    "name": route.name,
                    "namespace": service.namespace,
                    "host": route.host,
                    "service": service.name,
                    "port": service.port_of(route).port,
                    "path": route.path,
                    "path_type": route.path_type,
                    "timeout": route.timeout,
                    "websocket": route.websocket,
                    "class_name": classes["Ingress"],
                    "tls": route.secret,
                    "plain_http": plain_http if route.tls is True else "served",
                },
                # Earlier versions left the namespace out.
                pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(aliases=[pulumi.Alias(name=route.name)])),
            )
            objects_.append(ingress.ingress)
        if service.kind == "Service":
            continue
        if image := images.get(f"{service.namespace}/{service.name}"):
            inside = pulumi.ResourceOptions.merge(inside, _pods_after([image.command]))
        # Two pods must not share a folder that stays for longer than they have to.
        shared = any(volume.size for volume in service.volumes)
        if not (shared or pulumi.runtime.is_dry_run()) and _leads_elsewhere(ground.objects, backend):
            inside = pulumi.ResourceOptions.merge(inside, _service_after_pods(settings, intended, backend))
        workload = Workload(
            # Two services of one name can stand in two namespaces.
            service.name if names.count(service.name) == 1 else f"{service.namespace}/{service.name}",
            {
                "name": service.name,
                "namespace": service.namespace,
                "kind": "Deployment" if backend.deployment else "Pod",
                "pods": service.pods or None,
                "replicas": service.replicas if backend.deployment else 1,
                "selector": backend.selector,
                "image": service.image,
                "command": service.command or None,
                "args": service.args,
                "env": service.plain_env,
                # A plan has no values.
                "secret_env": {name: ground.secrets.get(of, "") for name, of in service.secret_env.items()},
                "pull_secret": ground.secrets.get(service.pull_secret.secret, "") if service.pull_secret else None,
                "files": service.files,
                "resources": service.resources.model_dump() if service.resources else None,
                "probes": service.probes.model_dump(mode="json") if service.probes else None,
                "migration": service.migration.model_dump(mode="json") if service.migration else None,
                "volumes": [volume.model_dump(exclude_none=True) for volume in service.volumes],
                "user": service.user,
                "read_only_root": service.read_only_root,
                "ports": [_port(service, port) for port in service.ports],
                "admit_from": intended.controller_namespace,
                "admit_pods": _admitted(settings, service),
                "cluster_ip": backend.cluster_ip,
                "ip_family": service.ip_family or ("dual" if settings.cluster.ip_family == "dual" else None),
                "living": {
                    pod: digest
                    for pod, digest in living.get(service.namespace, {}).items()
                    if pod in (service.pods or there.deployed.get(f"{service.namespace}/{service.name}", ()))
                },
                "living_address": there.services.get(f"{service.namespace}/{service.name}"),
                # In a cluster of its own the stack asks its routes itself, which tells more of a pod that never comes.
                "wait_for_ready": bool(settings.cluster.existing),
            },
            inside,
        )
        made += [workload.deployment] if workload.deployment else workload.pods
        objects_.append(workload.service)
        replaced += [f"{service.namespace}/{pod}" for pod in workload.replaced]
    for (namespace, host), routes in proxies.items():
        proxy = HTTPProxy(
            f"{namespace}/{routes[0][0].name}",
            {
                "host": host,
                "name": routes[0][0].name,
                "namespace": namespace,
                "routes": [_proxy_route(settings, route, service) for route, service in routes],
                "tls": routes[0][0].secret,
                "cors": _cors(routes),
                "class_name": classes["HTTPProxy"],
            },
            pulumi.ResourceOptions.merge(beside[namespace, host], defined),
        )
        objects_.append(proxy.proxy)
    return made, objects_, replaced


def _gateway(
    certificates: Mapping[str, tuple[str, str]], built: BuiltStack, after: Sequence[pulumi.Resource]
) -> pulumi.Resource:
    """The Gateway of the stack's HTTPRoutes. after: the definitions of the Gateway API."""
    given: list[GatewayCertificate] = [
        {"host": host, "namespace": namespace, "secret": secret} for host, (namespace, secret) in certificates.items()
    ]
    # The grants stand in the namespaces of the Secrets.
    first = [*after, *(built.namespaces[name] for name, _ in certificates.values() if name in built.namespaces)]
    opts = pulumi.ResourceOptions.merge(built.inside, pulumi.ResourceOptions(depends_on=first))
    return Gateway("gateway", {"certificates": given}, opts).gateway


def _gateway_route(settings: Settings, route: RouteSettings, service: ServiceSettings) -> HTTPRouteArgs:
    whole: HTTPRouteArgs = {
        "name": route.name,
        "namespace": service.namespace,
        "host": route.host,
        "path": route.path,
        "path_type": route.path_type,
        "headers": [{"name": match.name, "value": match.condition.value} for match in route.headers],
        "query": [{"name": match.name, "value": match.condition.value} for match in route.query],
        "listener": route.host if route.tls else PLAIN,
    }
    if route.redirect:
        redirect: Any = route.redirect.model_dump(exclude_none=True)
        return {**whole, "redirect": redirect}
    backends: list[HTTPRouteBackend] = [
        {"service": one.service, "port": one.port, "weight": one.weight} for one in settings.shares(service, route)
    ] or [{"service": service.name, "port": service.port_of(route).port}]
    copy = settings.mirrored(service, route)
    changed: dict[str, Any] = route.model_dump(include={"request_headers", "response_headers"})
    return {
        **whole,
        **changed,  # type: ignore[typeddict-item]
        "backends": backends,
        "mirror": {"service": copy.service, "port": copy.port} if copy else None,
        "rewrite": route.rewrite,
        "timeout": route.timeout,
    }


def _proxy_route(settings: Settings, route: RouteSettings, service: ServiceSettings) -> HTTPProxyRoute:
    matched: HTTPProxyRoute = {
        "path": route.path,
        "path_type": route.path_type,
        "conditions": [_condition(condition) for condition in route.conditions],
    }
    if route.redirect:
        redirect: Any = route.redirect.model_dump(exclude_none=True)
        return {**matched, "redirect": redirect}
    protocol = None if route.protocol == "http" else route.protocol
    backends: list[HTTPProxyBackend] = [
        {"service": one.service, "port": one.port, "weight": one.weight, "protocol": protocol}
        for one in settings.shares(service, route)
    ] or [{"service": service.name, "port": service.port_of(route).port, "protocol": protocol}]
    if copy := settings.mirrored(service, route):
        backends.append({"service": copy.service, "port": copy.port, "mirror": True, "protocol": protocol})
    changed: dict[str, Any] = route.model_dump(include={"request_headers", "response_headers", "rate_limit"})
    return {
        **matched,
        **changed,  # type: ignore[typeddict-item]
        "backends": backends,
        "rewrite": route.rewrite,
        "timeout": route.timeout,
        "websocket": route.websocket,
        "retries": route.retries,
        "idle_timeout": route.idle_timeout,
    }


def _cors(routes: Sequence[tuple[RouteSettings, ServiceSettings]]) -> Any:
    """What pages of other origins may do with the host of routes."""
    return next((route.cors.model_dump() for route, _ in routes if route.cors), None)


def _condition(condition: RouteCondition) -> dict[str, Any]:
    """A condition as Contour's HTTPProxy has it."""
    kind = "header" if condition.part == "header" else "queryParameter"
    how = f"not{condition.how}" if condition.negated else condition.how
    return {kind: {"name": condition.name, how: condition.value or True}}


def _admitted(settings: Settings, service: ServiceSettings) -> list[WorkloadPeer]:
    """The pods of other services that may connect to a service."""
    others = [other for name in service.admit if (other := settings.referred(service, name))]
    return [
        {"namespace": other.namespace, "labels": labels}
        for other in others
        for labels in ({"service": other.pod}, *([{MIGRATION: other.name}] if other.migration else []))
    ]


def _port(service: ServiceSettings, port: PortSettings) -> WorkloadPort:
    protocol = service.protocol_of(port)
    return {"name": port.name, "port": port.port, "target_port": port.target_port, "protocol": protocol}


def _secrets(
    settings: Settings, certificates: Mapping[str, KeyPair], built: BuiltStack
) -> dict[tuple[str, str], kubernetes.core.v1.Secret]:
    """The Secret of each host with `tls: true`, by namespace and host."""

    def secret(namespace: str, host: str) -> kubernetes.core.v1.Secret:
        pair = certificates[host]
        return kubernetes.core.v1.Secret(
            f"{namespace}/{host}",
            metadata=ObjectMetaArgs(name=host, namespace=namespace),
            type="kubernetes.io/tls",
            data={
                "tls.crt": base64.b64encode(pair.certificate.encode()).decode(),
                "tls.key": pulumi.Output.secret(base64.b64encode(pair.key.encode()).decode()),
            },
            # The SDK marks `data` as a secret in the outputs too.
            opts=built.inside_of(namespace),
        )

    hosts = sorted({(s.namespace, r.host) for s in settings.services for r in s.routes if r.tls is True})
    return {of: secret(*of) for of in hosts}


def _digests(live: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, str | None]]:
    """The digest that each living pod carries, by namespace and name; None for one without."""
    digests: dict[str, dict[str, str | None]] = {}
    for pod in (item for item in live if item.get("kind") == "Pod"):
        of_namespace = digests.setdefault(str(objects.namespace(pod)), {})
        of_namespace[objects.name(pod)] = objects.annotations(pod).get(DIGEST)
    return digests


def _outputs(intended: Plan) -> dict[str, Any]:
    """What is known without the cluster."""
    first = intended.paths[0]
    return {
        "hops": _hops(intended),
        "url": _known(first.url),
        "curl": _known(first.curl),
        **({"routes": list(map(_route, intended.paths))} if len(intended.paths) > 1 or first.kind != "Ingress" else {}),
        **({"entrances": list(map(_entrance, intended.entrances))} if intended.entrances else {}),
        "cluster": {"context": intended.context, "fixed": dict(intended.fixed)},
    }


def _entrance(path: RequestPath) -> dict[str, str]:
    """A path that enters by a further publishing node."""
    return {key: getattr(path, key) for key in ("service", "route", "node", "url", "curl")}


def _hops(of: Plan) -> Sequence[dict[str, Any]]:
    return [_known(_hop(hop)) for path in of.paths for hop in path.hops]


def _between(of: Plan) -> Sequence[dict[str, Any]]:
    """The way between the nodes to each pod, as JSON."""
    return [_known(dataclasses.asdict(one)) for one in of.between]


def _hop(hop: Hop) -> dict[str, Any]:
    """A hop as JSON. The hops of a service's only route need no name of it."""
    whole = dataclasses.asdict(hop)
    return whole if hop.route else {key: value for key, value in whole.items() if key != "route"}


def _route(path: RequestPath) -> dict[str, str]:
    return {key: _known(str(getattr(path, key))) for key in ("url", "curl", "kind", "host", "path", "service")}


def _known(value: Any) -> Any:
    """A text of which a part is not known yet is not known as a whole."""
    if isinstance(value, dict):
        return {key: _known(item) for key, item in value.items()}
    return UNKNOWN if isinstance(value, str) and UNKNOWN in value else value
