"""Workload: the pods that answer, or their Deployment, and their Service. Owns hop 5 and hop 7, the pod."""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import pulumi
from pulumi.runtime.rpc import UNKNOWN
from pulumi_kubernetes.apps import v1 as apps
from pulumi_kubernetes.batch import v1 as batch
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta import v1 as meta
from pulumi_kubernetes.networking import v1 as networking
from pydantic import Field

from components.arguments import ArgumentError, checked
from components.children import child
from components.ingress import Ingress
from components.pod_spec import admission, file_key, migration_spec, pod_spec, strategy
from hops.kubernetes.controller.contour_annotations import PROTOCOL
from hops.kubernetes.resources.pod_start import MIGRATION
from hops.model.images import registries
from hops.model.path import CONTOUR_NAMESPACE
from hops.model.settings import service_settings, setting_types

DIGEST = "ingress-hops/spec"
"""The annotation of a pod that holds a digest of its spec."""

_ENVIRONMENT = "ingress-hops/env"
"""The annotation of a pod that holds the name of the Secret with its variables."""

ADDRESS = "ingress-hops/address"
"""The annotation of a Service that holds its fixed address."""

_NOT_INPUTS = {"living", "living_address", "wait_for_ready"}
"""Arguments that say nothing of what the workload is made of."""
_NO_INPUTS_BY_DEFAULT = {
    "admit_pods",
    "args",
    "env",
    "files",
    "ip_family",
    "kind",
    "migration",
    "ports",
    "probes",
    "read_only_root",
    "replicas",
    "resources",
    "secret_variables",
    "user",
    "volumes",
}
"""Arguments that older versions did not have."""


_FAMILIES = {"ipv4": ["IPv4"], "ipv6": ["IPv6"]}
_POLICIES = {"ipv4": "SingleStack", "ipv6": "SingleStack", "dual": "RequireDualStack"}
"""What a Service declares of its IP families, by the argument `ip_family`."""


class WorkloadPort(TypedDict):
    """A port of a workload."""

    name: str
    """Its name: 1 to 15 lower-case letters, digits and hyphens."""
    port: int
    """The TCP port that the Service offers, 1 to 65535."""
    target_port: NotRequired[int | None]
    """The TCP port that the process listens on. Default: None, port."""
    protocol: NotRequired[str]
    """What Envoy speaks to the pods: http for HTTP/1.1, h2c for HTTP/2 without TLS (gRPC), or tls. Default: http."""


_MIGRATION_SECONDS = 300
"""How long a migration has, with all that it is tried again."""


class WorkloadPeer(TypedDict):
    """Pods that may connect to a workload."""

    namespace: str
    """Their namespace."""
    labels: Mapping[str, str]
    """Labels that they have, at least one."""


class WorkloadArgs(TypedDict):
    """The arguments of a Workload.

    Names are plain, since they name the resources. So are the command and the port, which policies judge in a preview.
    Where an Input is unknown in a preview, the policies judge it in the `up`.
    """

    image: pulumi.Input[str]
    """The image of the one container."""
    command: NotRequired[Sequence[str] | None]
    """The command of the container. Default: the image's own."""
    args: NotRequired[Sequence[str]]
    """The arguments of the command. Default: none, and then the image's own."""
    env: NotRequired[Mapping[str, str]]
    """The variables of the container's environment, by name. They are published with the pod. Default: none."""
    secret_env: NotRequired[Mapping[str, pulumi.Input[str]]]
    """Further variables whose values are secrets. A Secret holds them; another value makes new pods. Default: none."""
    pull_secret: NotRequired[pulumi.Input[str] | None]
    """The login of the image's registry, as USER:PASSWORD. A Secret holds it; another value makes new pods.
    Default: None, the nodes pull without a login."""
    files: NotRequired[Mapping[str, str]]
    """The content of files in the container, by absolute path; at most 1,000,000 bytes. Default: none."""
    resources: NotRequired[Mapping[str, Mapping[str, str]] | None]
    """The quantities of cpu and memory in `requests` and `limits`. Default: None, no bounds."""
    probes: NotRequired[Mapping[str, Any] | None]
    """Probes by `readiness`, `liveness` and `startup`, each with one of `http`, `tcp`, `exec` and `grpc`, and with
    `port` and `period` in seconds. Default: readiness by a TCP connection to the port."""
    migration: NotRequired[Mapping[str, Any] | None]
    """A `command` that ends before new pods start, and how often it is tried again, `retries`. It runs as a Job of the
    same image, again for each other version of the pods. Default: None."""
    volumes: NotRequired[Sequence[Mapping[str, str]]]
    """Folders, each with its absolute `path`: empty ones that live as long as the pod, or, with a `size`, ones that
    outlive it and that one pod at a time can have. /tmp is always an empty one. Default: none."""
    user: NotRequired[int]
    """The user and group that the container runs as, 0 to 2147483647. Default: 65534."""
    read_only_root: NotRequired[bool]
    """Whether the container's root file system is read-only. Default: true."""
    port: NotRequired[int]
    """The TCP port that the process listens on and the Service offers, 1 to 65535, named http. Default: 8080."""
    ports: NotRequired[Sequence[WorkloadPort] | None]
    """The ports, instead of port and protocol; the first is the one of the default readiness probe. Default: None, one
    port."""
    name: NotRequired[str]
    """The Service's name. Default: the component's name."""
    namespace: NotRequired[str]
    """The namespace of all objects; it has to exist. Default: default."""
    pods: NotRequired[Sequence[str] | None]
    """The pods' names, at least one. A pod's name decides the name of its interface. Not with the kind Deployment.
    Default: the Service's name with -pod."""
    kind: NotRequired[str]
    """What makes the pods: Pod for bare pods with names of their own, or Deployment, which replaces pods without losing
    a request. Default: Pod."""
    replicas: NotRequired[int]
    """How many pods a Deployment runs, 1 to 20. Default: 1."""
    selector: NotRequired[Mapping[str, str]]
    """The labels that pods and Service share. Default: service with the first pod's name; for a Deployment with the
    Service's name and -pod."""
    admit_from: NotRequired[pulumi.Input[str]]
    """The namespace whose pods may send requests; the pods' own node always may. Default: projectcontour."""
    admit_pods: NotRequired[Sequence[WorkloadPeer]]
    """Further pods that may connect to its ports, such as those of another workload. Default: none."""
    cluster_ip: NotRequired[pulumi.Input[str] | None]
    """The Service's IP address. Default: None, the cluster gives one."""
    ip_family: NotRequired[str | None]
    """The IP families of the Service: ipv4, ipv6, or dual for both. Envoy connects to the pods by these.
    Default: None, the first family of the cluster."""
    protocol: NotRequired[str]
    """What Envoy speaks to the pods: http for HTTP/1.1, h2c for HTTP/2 without TLS (gRPC), or tls. Default: http."""
    living: NotRequired[Mapping[str, str | None]]
    """For a preview: the pods that run now, with the value of their annotation ingress-hops/spec. Default: none."""
    living_address: NotRequired[str | None]
    """For a preview: the IP address that the Service has now. Default: None, it does not exist."""
    wait_for_ready: NotRequired[bool]
    """Whether a pod counts as made only when it is ready; it fails after 5 minutes. Default: true."""


class _Port(service_settings.PortSettings):
    protocol: Literal["http", "h2c", "tls"] = "http"


class _Peer(setting_types.Section):
    namespace: setting_types.Label
    labels: Annotated[dict[str, str], Field(min_length=1)]


class _Bounds(setting_types.Section):
    image: setting_types.ImageName
    command: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    args: tuple[str, ...] = ()
    env: dict[setting_types.VariableName, str] = Field(default_factory=dict)
    secret_variables: tuple[setting_types.VariableName, ...] = ()
    files: service_settings.Files = Field(default_factory=dict)
    resources: service_settings.Resources | None = None
    probes: service_settings.ProbesSettings | None = None
    migration: service_settings.MigrationSettings | None = None
    volumes: tuple[service_settings.VolumeSettings, ...] = ()
    user: setting_types.UserId = setting_types.NOBODY
    read_only_root: bool = True
    port: setting_types.Port = 8080
    ports: Annotated[tuple[_Port, ...], Field(min_length=1)] | None = None
    name: setting_types.Label
    namespace: setting_types.Label = "default"
    pods: Annotated[tuple[setting_types.Label, ...], Field(min_length=1)] | None = None
    kind: Literal["Deployment", "Pod"] = "Pod"
    replicas: setting_types.Replicas = 1
    selector: Annotated[dict[str, str], Field(min_length=1)] | None = None
    admit_from: setting_types.Label = CONTOUR_NAMESPACE
    admit_pods: tuple[_Peer, ...] = ()
    cluster_ip: setting_types.IPAddress | None = None
    ip_family: setting_types.IPFamily | None = None
    protocol: Literal["http", "h2c", "tls"] = "http"
    living: dict[str, str | None] = Field(default_factory=dict)
    living_address: str | None = None
    wait_for_ready: bool = True


class Workload(pulumi.ComponentResource):
    """Pods that run as nobody, hold no token and answer one namespace only, and their Service.

    Each child is named NAMESPACE/NAME after its object. Named after the component, an object that stays while the
    component is renamed would be applied under its new resource, and then deleted under its old one.
    """

    name: pulumi.Output[str]
    """The Service's name."""
    namespace: pulumi.Output[str]
    """The namespace of all objects."""
    port: pulumi.Output[int]
    """The Service's first TCP port."""

    def __init__(self, name: str, args: WorkloadArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Declares the workload.

        name: the component's name.
        args: see WorkloadArgs.
        opts: Pulumi's options; the provider decides the cluster. Pods that are created before the pod network works
          fail and are tried again after 10 to 15 s, so let the component depend on its agent.

        Raises ArgumentError for wrong arguments.
        """
        secret_env, pull_secret = args.get("secret_env") or {}, args.get("pull_secret")
        values = _checked(name, args, secret_env)
        values["selector"] = values["selector"] or {"service": values["pods"][0]}
        defaults = _Bounds(image="image", name="name").model_dump(mode="json", include=_NO_INPUTS_BY_DEFAULT)
        inputs = {
            key: value
            for key, value in values.items()
            if key not in _NOT_INPUTS and not (key in defaults and value == defaults[key])
        }
        super().__init__("ingress-hops:index:Workload", name, inputs, opts)
        values["pull_secret"] = None
        values["ports"] = _ports(values)
        self._values, self._opts = values, opts
        namespace = values["namespace"]

        def named(old: str, **options: Any) -> pulumi.ResourceOptions:
            # Earlier versions named the children after the component.
            return child(self, opts, former_name=f"{name}-{old}", **options)

        account = core.ServiceAccount(
            f"{namespace}/{values['pods'][0]}",
            metadata=meta.ObjectMetaArgs(name=values["pods"][0], namespace=namespace),
            automount_service_account_token=False,
            opts=named("account"),
        )
        before: list[pulumi.Resource] = [account]
        if values["files"]:
            # Named after its content: another content is another pod, and the old pod keeps its files until it ends.
            values["config_map"] = f"{values['name']}-{_digest(values['files'])[:8]}"
            config_map = core.ConfigMap(
                f"{namespace}/{values['name']}-files",
                metadata=meta.ObjectMetaArgs(name=values["config_map"], namespace=namespace),
                data={file_key(number): content for number, content in enumerate(values["files"].values())},
                opts=child(self, opts),
            )
            before.append(config_map)
        before += [self._claim(volume) for volume in values["volumes"] if volume["size"]]
        versions: dict[str, pulumi.Input[str]] = {}
        if secret_env:
            secret = self._secret("env", secret_env)
            before.append(secret)
            # Another value is another Secret with a random name: from a digest of the value, somebody could guess it.
            values["secret"] = versions[_ENVIRONMENT] = secret.metadata.apply(lambda of: of.name or "")
        if pull_secret is not None:
            logins = pulumi.Output.all(values["image"], pull_secret).apply(lambda of: registries.login(*of))
            login = self._secret("pull", {".dockerconfigjson": logins}, "kubernetes.io/dockerconfigjson")
            before.append(login)
            values["pull_secret"] = login.metadata.apply(lambda of: of.name or "")
        if values["migration"]:
            before.append(self._migration(before))
        spec = pod_spec(values)
        # The names of Secrets are random.
        hidden = {"secret": "", "pull_secret": None if pull_secret is None else ""}
        digest = (
            _digest(pod_spec(values | hidden))
            if not isinstance(values["image"], pulumi.Output)
            else values["image"].apply(lambda image: _digest(pod_spec(values | hidden | {"image": image})))
        )
        living = values["living"]
        known = values["pods"] if values["kind"] == "Pod" else living
        self._replaced = [pod for pod in known if isinstance(digest, str) and living.get(pod, digest) != digest]
        self._pods: list[core.Pod] = []
        self._deployment: apps.Deployment | None = None
        versions[DIGEST] = digest
        if values["kind"] == "Deployment":
            self._deployment = self._deployed(spec, versions, before)
        else:
            self._pods = [self._pod(pod, spec, versions, named(pod, depends_on=before)) for pod in values["pods"]]
        self._service = self._offered(named("service"))
        networking.NetworkPolicy(
            f"{namespace}/{values['name']}",
            metadata=meta.ObjectMetaArgs(name=values["name"], namespace=namespace),
            spec=admission(values),
            opts=named("admission"),
        )
        self.name = pulumi.Output.from_input(values["name"])
        self.namespace = pulumi.Output.from_input(namespace)
        self.port = pulumi.Output.from_input(values["ports"][0]["port"])
        self.register_outputs({"name": self.name, "namespace": self.namespace, "port": self.port})

    def _offered(self, opts: pulumi.ResourceOptions) -> core.Service:
        values = self._values
        address = values["cluster_ip"]
        annotations: dict[str, pulumi.Input[str]] = {
            "pulumi.com/skipAwait": "true"
        }  # the pods are waited for themselves
        if address:
            # Another address replaces the Service, whose preview fails like that of a pod.
            annotations[ADDRESS] = UNKNOWN if values["living_address"] not in (None, address) else address
        for protocol in ("h2c", "tls"):
            if spoken := [str(port["port"]) for port in values["ports"] if port["protocol"] == protocol]:
                annotations[f"{PROTOCOL}{protocol}"] = ",".join(spoken)
        return core.Service(
            f"{values['namespace']}/{values['name']}",
            metadata=meta.ObjectMetaArgs(
                name=values["name"],
                namespace=values["namespace"],
                annotations=annotations,
            ),
            spec=core.ServiceSpecArgs(
                type="ClusterIP",
                cluster_ip=values["cluster_ip"],
                ip_families=_FAMILIES.get(values["ip_family"]),
                ip_family_policy=_POLICIES.get(values["ip_family"]),
                selector=values["selector"],
                ports=[
                    core.ServicePortArgs(name=port["name"], port=port["port"], target_port=port["target_port"])
                    for port in values["ports"]
                ],
            ),
            opts=opts,
        )

    def _claim(self, volume: Mapping[str, str]) -> core.PersistentVolumeClaim:
        namespace = self._values["namespace"]
        name = service_settings.claim_name(self._values["name"], volume["path"])
        return core.PersistentVolumeClaim(
            f"{namespace}/{name}",
            metadata=meta.ObjectMetaArgs(
                name=name,
                namespace=namespace,
                # kind's local storage makes the volume when the first pod is scheduled.
                annotations={"pulumi.com/skipAwait": "true"},
            ),
            spec=core.PersistentVolumeClaimSpecArgs(
                access_modes=["ReadWriteOnce"],
                resources=core.VolumeResourceRequirementsArgs(requests={"storage": volume["size"]}),
            ),
            opts=child(self, self._opts),
        )

    def _secret(self, what: str, values: Mapping[str, pulumi.Input[str]], kind: str | None = None) -> core.Secret:
        namespace = self._values["namespace"]
        return core.Secret(
            # The provider makes the object's name of it, and a slash can be in none.
            f"{namespace}.{self._values['name']}.{what}",
            metadata=meta.ObjectMetaArgs(namespace=namespace),
            type=kind,
            data={key: pulumi.Output.secret(value).apply(_encoded) for key, value in values.items()},
            opts=pulumi.ResourceOptions.merge(
                child(self, self._opts), pulumi.ResourceOptions(replace_on_changes=["data"])
            ),
        )

    def _migration(self, before: Sequence[pulumi.Resource]) -> batch.Job:
        """A Job for each version: a Job that exists cannot take another command."""
        values = self._values
        namespace, name = values["namespace"], values["name"]
        parts = pulumi.Output.all(values["image"], values.get("secret", ""), values["pull_secret"])
        named = parts.apply(lambda of: values | {"image": of[0], "secret": of[1], "pull_secret": of[2]})
        version = named.apply(lambda of: _digest(migration_spec(of)))
        template: Any = {"metadata": {"labels": {MIGRATION: name}}, "spec": migration_spec(values)}
        return batch.Job(
            f"{namespace}/{name}-migration",
            metadata=meta.ObjectMetaArgs(
                # The name of its pods has at most 63 characters, and a random end.
                name=version.apply(lambda of: f"{name[:36].rstrip('-')}-migration-{of[:8]}"),
                namespace=namespace,
                annotations={"pulumi.com/replaceUnready": "true"},
            ),
            spec=batch.JobSpecArgs(
                backoff_limit=values["migration"]["retries"],
                active_deadline_seconds=_MIGRATION_SECONDS,
                template=template,
            ),
            opts=child(self, self._opts, before, timeout="6m"),
        )

    def _deployed(
        self,
        spec: core.PodSpecArgsDict,
        versions: Mapping[str, pulumi.Input[str]],
        before: Sequence[pulumi.Resource],
    ) -> apps.Deployment:
        values, labels = self._values, self._values["selector"]
        # The SDK takes a dictionary here as well as for a Pod, and does not say so in its types.
        template: Any = {"metadata": {"labels": labels, "annotations": versions}, "spec": spec}
        return apps.Deployment(
            f"{values['namespace']}/{values['name']}",
            metadata=meta.ObjectMetaArgs(
                name=values["name"],
                namespace=values["namespace"],
                labels=labels,
                annotations={} if values["wait_for_ready"] else {"pulumi.com/skipAwait": "true"},
            ),
            spec=apps.DeploymentSpecArgs(
                replicas=values["replicas"],
                selector=meta.LabelSelectorArgs(match_labels=labels),
                strategy=strategy(values),
                progress_deadline_seconds=300,
                revision_history_limit=2,
                template=template,
            ),
            opts=child(self, self._opts, before, timeout="5m"),
        )

    def _pod(
        self,
        name: str,
        spec: core.PodSpecArgsDict,
        versions: Mapping[str, pulumi.Input[str]],
        opts: pulumi.ResourceOptions,
    ) -> core.Pod:
        values = self._values
        return core.Pod(
            f"{values['namespace']}/{name}",
            metadata=meta.ObjectMetaArgs(
                name=name,
                namespace=values["namespace"],
                labels=values["selector"],
                annotations={
                    # The provider previews a replacement as a dry-run apply on the living pod, which the API forbids;
                    # an input that is not known yet makes it leave the dry run out (4.25.0).
                    **versions,
                    **({DIGEST: UNKNOWN} if name in self._replaced else {}),
                    # The provider's own awaiter of pods starts its timeout again with every event of the pod. The
                    # second condition holds at once; skipAwait would also leave out the wait for the old pod's end.
                    "pulumi.com/waitFor": "condition=Ready" if values["wait_for_ready"] else "jsonpath={.metadata.uid}",
                },
            ),
            spec=spec,
            # Its name is fixed, so the old pod has to go first.
            opts=pulumi.ResourceOptions.merge(
                opts,
                pulumi.ResourceOptions(
                    delete_before_replace=True,
                    custom_timeouts=pulumi.CustomTimeouts(create="5m", update="5m"),
                ),
            ),
        )

    @property
    def pods(self) -> list[core.Pod]:
        """The Pod objects, one for each name; none of a Deployment."""
        return self._pods

    @property
    def deployment(self) -> apps.Deployment | None:
        """The Deployment object; None for bare pods."""
        return self._deployment

    @property
    def service(self) -> core.Service:
        """The Service object, of type ClusterIP."""
        return self._service

    @property
    def replaced(self) -> list[str]:
        """In a preview: the names of the living pods that an update makes anew."""
        return self._replaced

    @property
    def beside(self) -> pulumi.ResourceOptions:
        """The options of a resource beside the workload: its parent, provider and what it depends on."""
        own = self._opts or pulumi.ResourceOptions()
        return pulumi.ResourceOptions(
            parent=own.parent,
            provider=own.provider,
            depends_on=own.depends_on,
            deleted_with=own.deleted_with,
            replacement_trigger=own.replacement_trigger,
        )

    def expose(
        self,
        host: pulumi.Input[str],
        path: str = "/",
        *,
        port: int | str | None = None,
        name: str | None = None,
        tls: pulumi.Input[str] | None = None,
        path_type: str = "Prefix",
        timeout: str | None = None,
        websocket: bool = False,
        plain_http: str = "served",
        opts: pulumi.ResourceOptions | None = None,
    ) -> Ingress:
        """Declares an Ingress that leads to this workload.

        host: the host name of the requests.
        path: the path of the requests; with path_type Prefix its beginning, by whole segments.
        port: a port of the workload, by number or name; default: the first.
        name: the Ingress object's name, another one for each Ingress; default: the Service's name with -ingress.
        tls: the name of a Secret of type kubernetes.io/tls in the workload's namespace; default: None, plain HTTP.
        path_type, timeout, websocket: as of an Ingress.
        plain_http: what happens to plain HTTP where tls is set; see IngressArgs.
        opts: options beside those of the workload, which decide parent, provider and what the Ingress depends on.

        Raises ArgumentError for wrong arguments.
        """
        values = self._values
        name = name or f"{values['name']}-ingress"
        chosen = [of["port"] for of in values["ports"] if port in (None, of["name"], of["port"])]
        if not chosen:
            known = ", ".join(f"{of['name']} ({of['port']})" for of in values["ports"])
            raise ArgumentError(f"Ingress {name}: the workload has no port {port}; its ports are {known}")
        return Ingress(
            f"{values['namespace']}/{name}",
            {
                "name": name,
                "namespace": values["namespace"],
                "host": host,
                "path": path,
                "service": values["name"],
                "port": chosen[0],
                "path_type": path_type,
                "timeout": timeout,
                "websocket": websocket,
                "tls": tls,
                "plain_http": plain_http,
            },
            pulumi.ResourceOptions.merge(self.beside, opts),
        )


def _checked(name: str, args: WorkloadArgs, secret_env: Mapping[str, Any]) -> dict[str, Any]:
    # Values are quoted in messages, so those of secrets are not checked.
    given = {key: value for key, value in args.items() if key not in ("secret_env", "pull_secret")}
    values = checked(
        f"Workload {name}", {"name": name, **given, "secret_variables": list(secret_env)}, _Bounds, WorkloadArgs
    )
    if problems := service_settings.mount_problems(values["files"], [volume["path"] for volume in values["volumes"]]):
        raise ArgumentError("\n".join(f"Workload {name}: {problem}" for problem in problems))
    kept = [volume["path"] for volume in values["volumes"] if volume["size"]]
    pods = len(values["pods"] or "1") if values["kind"] == "Pod" else values["replicas"]
    if problem := service_settings.claim_problem(values["name"], kept, pods):
        raise ArgumentError(f"Workload {name}: {problem}")
    if values["kind"] == "Deployment" and values["pods"]:
        raise ArgumentError(f"Workload {name}: the argument pods names bare pods, and kind is Deployment; remove pods")
    if values["kind"] == "Pod" and values["replicas"] != 1:
        raise ArgumentError(f"Workload {name}: the argument replicas is of a Deployment; give as many names in pods")
    if values["ports"] and args.keys() & {"port", "protocol"}:
        raise ArgumentError(f"Workload {name}: port and protocol are the short form of ports; remove them")
    if problem := service_settings.port_problem(values["ports"] or ()):
        raise ArgumentError(f"Workload {name}: {problem}")
    values["pods"] = values["pods"] or [f"{values['name']}-pod"]
    if both := sorted(secret_env.keys() & values["env"].keys()):
        raise ArgumentError(f"Workload {name}: env and secret_env both have {', '.join(both)}; remove one of them")
    return values


def _ports(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The ports, in whichever form they are given, each with its target."""
    short = {"name": "http", "port": values["port"], "target_port": None, "protocol": values["protocol"]}
    return [{**port, "target_port": port["target_port"] or port["port"]} for port in values["ports"] or [short]]


def _encoded(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


def _digest(spec: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()[:16]
