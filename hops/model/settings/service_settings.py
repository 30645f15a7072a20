"""The settings of one service: its container, its pods and its routes."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    AliasChoices,
    Discriminator,
    Field,
    SerializerFunctionWrapHandler,
    Tag,
    model_serializer,
    model_validator,
)
from pydantic.alias_generators import to_camel

from hops.model import versions
from hops.model.settings.route_settings import RouteSettings
from hops.model.settings.setting_types import (
    NOBODY,
    ContainerFile,
    ContainerFolder,
    HostName,
    ImageName,
    IPAddress,
    IPFamily,
    Label,
    Port,
    PortName,
    ProcessText,
    Quantity,
    Replicas,
    Section,
    ServiceName,
    ServiceReference,
    TLSSource,
    UrlPath,
    UserId,
    VariableName,
    matching,
    own_namespace,
)


class SecretReference(Section):
    """A value that one of the stack's secrets has."""

    # A trace takes out what stands under `secret`. A name ends in Name there.
    secret: Label = Field(
        validation_alias=AliasChoices("secret", "secretName"),
        serialization_alias="secretName",
        description="A name in ingress-hops:secrets.",
        examples=["db-password"],
    )


TEXT, REFERENCE = "[text]", "[secret]"
"""What pydantic adds to the place of a problem with a variable."""
Variable = Annotated[
    Annotated[ProcessText, Tag(TEXT)] | Annotated[SecretReference, Tag(REFERENCE)],
    Discriminator(lambda value: REFERENCE if isinstance(value, Mapping | SecretReference) else TEXT),
]


_OF_A_SERVICE = {
    *("name", "namespace", "kind", "port", "declared_ports", "declared_routes"),
    *("host", "path", "request", "ingress", "tls"),
}
"""The fields that a service of kind Service can have."""
_SHORT_FORM = ("host", "path", "request", "ingress", "tls")


class BuildSettings(Section):
    """How the image of a service is built from a folder of the project."""

    context: Annotated[str, Field(min_length=1, max_length=1024)] = Field(
        description="The folder that the build reads, relative to the project's folder and inside it.",
        examples=["./web"],
    )
    dockerfile: Annotated[str, Field(min_length=1, max_length=1024)] = Field(
        "Dockerfile", description="The Dockerfile, relative to the context.", examples=["docker/Dockerfile"]
    )
    target: Annotated[str, Field(min_length=1, max_length=128)] | None = Field(
        None, description="The stage to build. Null means the last one.", examples=["prod"]
    )
    args: Mapping[
        Annotated[str, AfterValidator(matching(r"[A-Za-z_][A-Za-z0-9_]*", "a build argument is a variable's name"))],
        str,
    ] = Field(
        default_factory=dict,
        description="The build arguments. They are readable in the image's history and in Pulumi's state: they are no "
        "place for a secret.",
        examples=[{"VERSION": "1.2"}],
    )


class Resources(Section):
    """What the scheduler reserves for a container, and what it may use at most."""

    requests: Mapping[Literal["cpu", "memory", "ephemeral-storage"], Quantity] = Field(
        default_factory=dict, description="What is reserved.", examples=[{"cpu": "100m", "memory": "64Mi"}]
    )
    limits: Mapping[Literal["cpu", "memory", "ephemeral-storage"], Quantity] = Field(
        default_factory=dict,
        description="What may be used at most. More memory ends the container.",
        examples=[{"memory": "128Mi"}],
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for name in sorted(self.requests.keys() & self.limits.keys()):
            if amount(self.requests[name]) > amount(self.limits[name]):
                raise ValueError(
                    f"requests.{name} {self.requests[name]} is more than limits.{name} {self.limits[name]}; lower it"
                )
        return self


_PREFIXES = "KMGTPE"
_UNITS = {
    "": 1.0,
    "m": 0.001,
    "k": 1e3,
    **{prefix: 1e3**power for power, prefix in enumerate(_PREFIXES, 1)},
    **{f"{prefix}i": 2.0 ** (10 * power) for power, prefix in enumerate(_PREFIXES, 1)},
}


def amount(quantity: str) -> float:
    """The number of a quantity: 0.1 for 100m, 1024 for 1Ki."""
    number = quantity.rstrip(f"mki{_PREFIXES}")
    return float(number) * _UNITS[quantity[len(number) :]]


_MOST_FILE_BYTES = 1_000_000
"""All files of a service together, and all words and variables of its container: an object of the API is bounded by
1 MiB."""


def _fitting_files(files: Mapping[str, str]) -> Mapping[str, str]:
    size = sum(len(content.encode()) for content in files.values())
    if size > _MOST_FILE_BYTES:
        raise ValueError(f"all files together have at most {_MOST_FILE_BYTES:,} bytes, here {size:,}; build them in")
    for path in files:
        if inside := next((other for other in files if other.startswith(f"{path}/")), None):
            raise ValueError(f"{path} is a file and cannot hold {inside}; move one of them")
    return files


Files = Annotated[Mapping[ContainerFile, str], AfterValidator(_fitting_files)]


class ProbeSettings(Section):
    """A probe of the kubelet: exactly one of http, tcp, exec and grpc."""

    http: UrlPath | None = Field(None, description="The path of an HTTP request.", examples=["/health"])
    tcp: Literal[True] | None = Field(None, description="A TCP connection.", examples=[True])
    exec: Annotated[tuple[ProcessText, ...], Field(min_length=1)] | None = Field(
        None, description="A command in the container that ends with status 0.", examples=[["pg_isready"]]
    )
    grpc: str | None = Field(
        None,
        description="The service's name in the gRPC health protocol; an empty text asks for the whole server.",
        examples=[""],
    )
    port: Port | Label | None = Field(
        None,
        description="The port of an http, tcp or grpc probe: a number of the container, or a name. Null means that of "
        "the service's first port.",
        examples=["http"],
    )
    period: Annotated[int, Field(ge=1, le=3600)] | None = Field(
        None,
        description="The seconds between two probes. Null means 1 for readiness and startup, and 10 for liveness.",
        examples=[5],
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        kinds = [kind for kind in ("http", "tcp", "exec", "grpc") if getattr(self, kind) is not None]
        if len(kinds) != 1:
            raise ValueError(f"a probe has one of http, tcp, exec and grpc, here {' and '.join(kinds) or 'none'}")
        if self.exec and self.port:
            raise ValueError("an exec probe has no port; remove port")
        return self


class ProbesSettings(Section):
    """The probes of a container."""

    readiness: ProbeSettings | None = Field(
        None,
        description="When the pod takes requests. Null means a TCP connection to its first port.",
        examples=[{"http": "/"}],
    )
    liveness: ProbeSettings | None = Field(
        None, description="When the container is restarted. Null means no probe.", examples=[{"tcp": True}]
    )
    startup: ProbeSettings | None = Field(
        None,
        description="When the other probes begin; the container has 5 minutes. Null means no probe.",
        examples=[{"http": "/ready"}],
    )

    @property
    def declared(self) -> dict[str, ProbeSettings]:
        """The probes that are set, by the name of their key."""
        probes = {"readiness": self.readiness, "liveness": self.liveness, "startup": self.startup}
        return {kind: probe for kind, probe in probes.items() if probe}


class PortSettings(Section):
    """A port of a service."""

    name: PortName = Field(description="Its name, for routes and probes.", examples=["http"])
    port: Port = Field(description="The port of the Service.", examples=[80])
    target_port: Port | None = Field(
        None, description="The port that the container listens on. Null means `port`.", examples=[3000]
    )

    @property
    def target(self) -> int:
        """The port of the container."""
        return self.target_port or self.port

    def __str__(self) -> str:
        return f"{self.name} ({self.port})"


def _some(size: str) -> str:
    if amount(size) < 1:
        raise ValueError("a size is at least one byte, such as 500Mi or 1Gi")
    return size


class MigrationSettings(Section):
    """A command that ends before the pods of a new version start."""

    command: Annotated[tuple[str, ...], Field(min_length=1)] = Field(
        description="The command, one word an entry. It runs in the service's image with its variables, files, folders "
        "and user.",
        examples=[["python", "-m", "shop.migrate"]],
    )
    retries: Annotated[int, Field(ge=0, le=10)] = Field(
        3,
        description="How often it runs again after a failure, 10 s later and then each time twice as long; all runs "
        "together have 5 minutes.",
        examples=[0],
    )


class VolumeSettings(Section):
    """A folder of the container: an empty one that lives as long as its pod, or one that outlives it."""

    path: ContainerFolder = Field(description="The folder in the container.", examples=["/data"])
    size: Annotated[Quantity, AfterValidator(_some)] | None = Field(
        None,
        description="The size of a folder that stays when pods are replaced: a PersistentVolumeClaim of the cluster's "
        "default storage class, for one pod at a time. Null means an empty folder that lives as long as its pod.",
        examples=["1Gi"],
    )


def claim_name(service: str, path: str) -> str:
    """The name of the PersistentVolumeClaim behind a folder of a service. A Service's name holds no dot.

    service: the Service's name.
    path: the folder in the container.
    """
    return f"{service}.{re.sub('[^a-z0-9]+', '-', path.lower()).strip('-')[:100].strip('-')}"


def claim_problem(service: str, kept: Sequence[str], pods: int) -> str | None:
    """The reason why a service cannot keep these folders; None if it can.

    service: the Service's name.
    kept: the paths of the volumes with a size.
    pods: how many pods run.
    """
    if kept and pods > 1:
        return (
            f"the volume {kept[0]} has a size, and only one pod at a time can have such a folder; set replicas to 1, "
            "or remove size"
        )
    names = [claim_name(service, path) for path in kept]
    for name, path in zip(names, kept, strict=True):
        if name == f"{service}.":
            return f"the volume {path} has a size, and its path has no letter or digit to name it by; give it another"
        if names.count(name) > 1:
            both = " and ".join(other for other in kept if claim_name(service, other) == name)
            return f"the volumes {both} would have one PersistentVolumeClaim, {name}; give one another path"
    return None


def listed(ports: Iterable[PortSettings]) -> str:
    """Ports in a sentence."""
    *others, last = map(str, ports)
    return f"the ports {', '.join(others)} and {last}" if others else f"the port {last}"


def port_problem(ports: Sequence[Mapping[str, Any]]) -> str | None:
    """The reason why a Service cannot have these ports together, each with name and port; None if it can."""
    for key in ("name", "port"):
        seen = [port[key] for port in ports]
        if twice := next((value for value in seen if seen.count(value) > 1), None):
            return f"two of the ports have the {key} {twice}; give one another"
    return None


def mount_problems(files: Iterable[str], volumes: Iterable[str]) -> list[str]:
    """The reasons why files and volumes cannot be mounted together.

    files: absolute paths of files.
    volumes: absolute paths of folders.
    """
    used = {"/tmp": "the writable folder of every service"}  # noqa: S108 - in the pod
    files, problems = list(files), []
    for path, what in [*((path, "a volume") for path in volumes), *((path, "a file") for path in files)]:
        if path in used:
            problems.append(f"{what} is mounted at {path}, where {used[path]} is mounted already; give it another path")
        used.setdefault(path, what)
        if what == "a volume" and (file := next((file for file in files if path.startswith(f"{file}/")), None)):
            problems.append(f"{file} is a file and cannot hold the volume {path}; move one of them")
    return problems


class ServiceSettings(Section):
    """One workload, its Service and the routes that lead to it.

    `host`, `path`, `request`, `ingress` and `tls` are the short form of one route of kind Ingress.
    """

    name: ServiceName = Field(description="The Service's name. The default is `my-service`.", examples=["shop"])
    namespace: Annotated[Label, AfterValidator(own_namespace)] = Field(
        "apps",
        description="The namespace of all its objects; none of the cluster itself, such as kube-system.",
        examples=["shop"],
    )
    kind: Literal["Deployment", "Pod", "Service"] | None = Field(
        None,
        description="What makes its pods. A Deployment replaces them without losing a request and names them itself. "
        "`Service` leads routes to a Service that the stack does not make. Null means `Deployment` if the service has "
        "`image` or `build` and no `pod`, otherwise `Pod`.",
        examples=["Deployment"],
    )
    pod: Label = Field(
        description="The name of its first pod, if `kind` is `Pod`; the next ones are `POD-2`, `POD-3`. The default is "
        "`NAME-pod`.",
        examples=["shop-pod"],
    )
    ingress: Label | None = Field(
        None, description="The Ingress's name. Null means `NAME-ingress`.", examples=["shop-ingress"]
    )
    image: ImageName = Field(
        versions.WORKLOAD_IMAGE, description="The image of its container.", examples=["nginx:1.29"]
    )
    pull_secret: SecretReference | None = Field(
        None,
        description="The login of a private registry that `image` comes from: `{secret: NAME}` takes it from "
        "ingress-hops:secrets, as USER:PASSWORD.",
        examples=[{"secret": "registry-login"}],
    )
    build: BuildSettings | None = Field(
        None,
        description="How its image is built, instead of `image`: see the keys of services[].build.",
        examples=[{"context": "./web"}],
    )
    command: Annotated[tuple[ProcessText, ...], Field(min_length=1)] = Field(
        (),
        description="The command of its container, one word an entry. It must listen on the ports. The default is "
        "the image's own; without `image`, `build` and `args`, it is `python -m http.server PORT --directory /srv`.",
        examples=[["python", "-m", "http.server", "8080"]],
    )
    args: tuple[ProcessText, ...] = Field(
        (), description="The arguments of its command, one word an entry.", examples=[["--verbose"]]
    )
    env: Mapping[VariableName, Variable] = Field(
        default_factory=dict,
        description="Variables of its container's environment. A text is published with the pod; `{secret: NAME}` "
        "takes the value from ingress-hops:secrets.",
        examples=[{"MODE": "development", "PASSWORD": {"secret": "db-password"}}],
    )
    files: Files = Field(
        default_factory=dict,
        description="Files in its container, by absolute path, read-only; a ConfigMap holds them. At most "
        f"{_MOST_FILE_BYTES:,} bytes together.",
        examples=[{"/etc/shop/shop.ini": "colour = blue\n"}],
    )
    resources: Resources | None = Field(
        None, description="What its container reserves and may use: see the keys of services[].resources."
    )
    probes: ProbesSettings | None = Field(
        None, description="Probes of its container: see the keys of services[].probes."
    )
    migration: MigrationSettings | None = Field(
        None,
        description="A command that ends before the pods of a new version start: see the keys of services[].migration. "
        "It runs again when the image, the command or anything else that the container is given changes.",
        examples=[{"command": ["python", "-m", "shop.migrate"]}],
    )
    volumes: tuple[VolumeSettings, ...] = Field(
        (),
        description="Folders of its container: see the keys of services[].volumes[].",
        examples=[[{"path": "/data", "size": "1Gi"}, {"path": "/cache"}]],
    )
    user: UserId = Field(
        NOBODY,
        description="The user and group that its container runs as. 0 is root: the namespace then enforces the level "
        "`baseline` instead of `restricted`.",
        examples=[1000],
    )
    read_only_root: bool = Field(
        default=True, description="Whether its container's root file system is read-only.", examples=[False]
    )
    port: Port = Field(
        8080,
        description="The port of the container and of the Service, named `http`: the short form of `ports`.",
        examples=[3000],
    )
    declared_ports: Annotated[tuple[PortSettings, ...], Field(min_length=1)] | None = Field(
        None,
        alias="ports",
        description="The ports, instead of `port`: see the keys of services[].ports[]. A route that names none leads "
        "to the first.",
        examples=[[{"name": "http", "port": 80, "targetPort": 3000}, {"name": "metrics", "port": 9090}]],
    )
    admit: tuple[ServiceReference, ...] = Field(
        (),
        description="The services of this stack whose pods may connect to its ports, beside the ingress controller's: "
        "`NAME`, or `NAMESPACE/NAME` in another namespace.",
        examples=[["api"]],
    )
    replicas: Replicas = Field(1, description="How many pods run.", examples=[3])
    host: HostName | None = Field(
        None,
        description="The host name that the Ingress matches. Null means `NAME.localhost`.",
        examples=["shop.localhost"],
    )
    path: UrlPath | None = Field(
        None, description="The path prefix that the Ingress matches. Null means `/`.", examples=["/shop"]
    )
    request: UrlPath | None = Field(
        None, description="The path that the output `curl` asks for. Null means `path`.", examples=["/shop/health"]
    )
    tls: TLSSource = Field(
        None,
        description="`true`: https with a certificate of this machine's own authority (docs/tls.md). A text: https "
        "with the Secret of this name, of type kubernetes.io/tls, in the service's namespace. Null: plain HTTP.",
        examples=[True],
    )
    declared_routes: tuple[RouteSettings, ...] | None = Field(
        None,
        alias="routes",
        description="The routes, instead of the short form of one; `[]` for a service that only others in the cluster "
        "use. Null means the short form.",
        examples=[[{"kind": "HTTPProxy", "path": "/api", "rewrite": "/"}]],
    )
    cluster_ip: IPAddress | None = Field(
        None,
        alias="clusterIP",
        description="The Service's address inside cluster.serviceSubnet, or with `cluster.ipFamily: ipv6` inside "
        "cluster.serviceSubnetIPv6. Null lets Kubernetes choose one.",
        examples=["10.96.0.50"],
    )
    ip_family: IPFamily | None = Field(
        None,
        description="The families of the Service in a cluster with `ipFamily: dual`. Envoy connects to the pods by "
        "these, so a process that listens on 0.0.0.0 only needs `ipv4`. Null means all of the cluster.",
        examples=["ipv4"],
    )

    @model_serializer(mode="wrap")
    def _as_read(self, fields: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leaves out what the validators refuse: a command without a word, an image beside build, port beside ports."""
        refused = {
            *(() if self.command else ("command",)),
            *(("image",) if self.build else ()),
            *(("port",) if self.declared_ports else ()),
        }
        return {key: value for key, value in fields(self).items() if key not in refused}

    @model_validator(mode="after")
    def _one_image(self) -> Self:
        if self.build and "image" in self.model_fields_set:
            raise ValueError(f"{self.name} has image and build; remove one of them")
        if self.build and self.pull_secret:
            raise ValueError(
                f"{self.name} has build and pullSecret, and no node pulls an image that is built; remove pullSecret"
            )
        return self

    @model_validator(mode="after")
    def _named_pods(self) -> Self:
        if self.kind == "Deployment" and self.pod != f"{self.name}-pod":
            raise ValueError(
                f"{self.name} has kind Deployment and pod {self.pod}, and a Deployment names its pods; remove pod, or "
                "set kind to Pod"
            )
        return self

    @model_validator(mode="after")
    def _only_routes(self) -> Self:
        if self.kind != "Service":
            return self
        fields = type(self).model_fields
        defaults = {name: field.get_default(call_default_factory=True) for name, field in fields.items()}
        defaults["pod"] = f"{self.name}-pod"
        own = ", ".join(
            field.alias or to_camel(name)
            for name, field in fields.items()
            if name not in _OF_A_SERVICE and getattr(self, name) != defaults[name]
        )
        if own:
            raise ValueError(
                f"{self.name} has kind Service and {own}, and the stack makes no pods for it; remove {own}, or set "
                "another kind"
            )
        if port := next((port for port in self.ports if port.target_port), None):
            raise ValueError(
                f"{self.name} has kind Service and the targetPort {port.target_port}, which the Service decides; "
                "remove targetPort"
            )
        if not self.routes:
            raise ValueError(
                f"{self.name} has kind Service and no route, so it has no effect; add a route, or remove it"
            )
        for route in self.routes:
            if route.kind != "HTTPProxy" and route.protocol != "http":
                raise ValueError(
                    f"the route {route.where} is an {route.kind} with protocol {route.protocol}, which Contour reads "
                    "from an annotation of the Service, and the stack does not make this Service; set kind to HTTPProxy"
                )
        return self

    @model_validator(mode="after")
    def _possible_names(self) -> Self:
        if (last := max(self.pods, key=len, default="")) and len(last) > 63:
            raise ValueError(
                f"{self.name}: the pod {last} has a name of {len(last)} characters, and 63 are possible; shorten pod"
            )
        if (self.namespace, self.name) == ("default", "kubernetes"):
            raise ValueError("default/kubernetes is the Service of the Kubernetes API; give the service another name")
        return self

    @model_validator(mode="after")
    def _possible_container(self) -> Self:
        if problems := mount_problems(self.files, [volume.path for volume in self.volumes]):
            raise ValueError(f"{self.name}: {'; '.join(problems)}")
        if problem := claim_problem(self.name, [v.path for v in self.volumes if v.size], self.replicas):
            raise ValueError(f"{self.name}: {problem}")
        texts = (*self.command, *self.args, *self.plain_env, *self.plain_env.values())
        if (size := sum(len(text.encode()) for text in texts)) > _MOST_FILE_BYTES:
            raise ValueError(
                f"{self.name}: command, args and env have {size:,} bytes together, and {_MOST_FILE_BYTES:,} are "
                "possible; shorten them"
            )
        for kind, probe in (self.probes.declared if self.probes else {}).items():
            if isinstance(probe.port, str) and probe.port not in (port.name for port in self.ports):
                raise ValueError(
                    f"{self.name}: the {kind} probe asks the port {probe.port}, and the service has "
                    f"{listed(self.ports)}; take one of these, or a number"
                )
        return self

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        short = [key for key in _SHORT_FORM if getattr(self, key) is not None]
        if self.declared_routes is not None and short:
            raise ValueError(f"routes and {', '.join(short)} are both set; move {', '.join(short)} into a route")
        for route in self.routes:
            if route.port not in (None, *(port.name for port in self.ports), *(port.port for port in self.ports)):
                raise ValueError(
                    f"the route {route.where} goes to the port {route.port}, and the service has "
                    f"{listed(self.ports)}; take one of these, or remove port"
                )
        for port in self.ports:
            if len(protocols := self._protocols(port)) > 1:
                raise ValueError(
                    f"its routes to the port {port} have the protocols {' and '.join(sorted(protocols))}, and Contour "
                    "reads one of a port; set the same on all of them"
                )
        return self

    @model_validator(mode="after")
    def _possible_ports(self) -> Self:
        if self.declared_ports and "port" in self.model_fields_set:
            raise ValueError(f"{self.name} has port and ports; remove port")
        if problem := port_problem([port.model_dump() for port in self.ports]):
            raise ValueError(f"{self.name}: {problem}")
        return self

    def _protocols(self, port: PortSettings) -> set[str]:
        return {route.protocol for route in self.routes if not route.redirect and self.port_of(route) == port}

    @property
    def ports(self) -> tuple[PortSettings, ...]:
        """Its ports, in order; at least one."""
        return self.declared_ports or (PortSettings(name="http", port=self.port),)

    def port_of(self, route: RouteSettings) -> PortSettings:
        """The port that a route of it leads to."""
        return next(self._ports_named(route.port))

    def port_named(self, port: int | str | None) -> PortSettings | None:
        """The port with a number or name, the first one for None; None if there is none."""
        return next(self._ports_named(port), None)

    def _ports_named(self, port: int | str | None) -> Iterator[PortSettings]:
        return (one for one in self.ports if port in (None, one.name, one.port))

    def protocol_of(self, port: PortSettings) -> str:
        """What Envoy speaks to a port of it: http, h2c or tls."""
        return next(iter(self._protocols(port)), "http")

    @property
    def routes(self) -> tuple[RouteSettings, ...]:
        """Its routes, in order; empty for a service that only others in the cluster use."""
        if self.declared_routes is not None:
            return self.declared_routes
        path = self.path or "/"
        return (
            RouteSettings(
                name=self.ingress or f"{self.name}-ingress",
                host=self.host or f"{self.name}.localhost",
                path=path,
                request=self.request or path,
                tls=self.tls,
            ),
        )

    @property
    def plain_env(self) -> dict[str, str]:
        """The variables whose values are no secrets."""
        return {name: value for name, value in self.env.items() if isinstance(value, str)}

    @property
    def secret_env(self) -> dict[str, str]:
        """The names of secrets by variable."""
        return {name: value.secret for name, value in self.env.items() if isinstance(value, SecretReference)}

    @property
    def secrets(self) -> dict[str, str]:
        """The names of the secrets that it takes, by the key that takes them, such as env.PASSWORD."""
        pulls = {"pullSecret": self.pull_secret.secret} if self.pull_secret else {}
        return pulls | {f"env.{variable}": name for variable, name in self.secret_env.items()}

    @property
    def relaxations(self) -> tuple[str, ...]:
        """What its container and other pods may do beyond the default, each as a sentence."""
        return (
            *(("user is 0: the container runs as root",) if self.user == 0 else ()),
            *((f"admit: the pods of {', '.join(self.admit)} may connect to its ports",) if self.admit else ()),
            *(() if self.read_only_root else ("readOnlyRoot is false: the container can write its root file system",)),
        )

    @property
    def pods(self) -> tuple[str, ...]:
        """The names of its pods: `example-pod`, `example-pod-2`, …; empty for a Deployment and a Service."""
        if self.kind in ("Deployment", "Service"):
            return ()
        return (self.pod, *(f"{self.pod}-{number}" for number in range(2, self.replicas + 1)))
