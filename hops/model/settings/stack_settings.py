"""The settings of one stack: all sections of its configuration."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import Field, ValidationInfo, model_validator

from hops.model.settings.cluster_settings import CalicoSettings, ClusterSettings, ContourSettings
from hops.model.settings.consistency import problems_of
from hops.model.settings.policy_settings import PolicySettings
from hops.model.settings.route_settings import MirrorSettings, RouteSettings
from hops.model.settings.service_settings import ServiceSettings
from hops.model.settings.setting_types import NAMESPACE, SecretNames, Section


@dataclass(frozen=True)
class RouteShare:
    """A Service behind a route.

    service, port: its name and port number.
    weight: its share of the requests is its weight divided by the sum of all.
    """

    service: str
    port: int
    weight: int = 0

    def __str__(self) -> str:
        return f"{self.service}:{self.port}"


class Settings(Section):
    """All settings of one stack."""

    cluster: ClusterSettings = Field(description="The Kubernetes cluster.")
    calico: CalicoSettings = Field(default_factory=CalicoSettings, description="The pod network.")
    contour: ContourSettings = Field(
        default_factory=ContourSettings, description="The ingress controller and its Envoy."
    )
    services: Annotated[tuple[ServiceSettings, ...], Field(min_length=1)] = Field(
        description="The services that answer requests."
    )
    secrets: SecretNames = Field(
        (), description="The names of the stack's secrets. Their values are nowhere in the settings."
    )
    policy: PolicySettings = Field(
        default_factory=PolicySettings, description="Levels, parameters and exceptions of the rules."
    )

    @property
    def relaxations(self) -> tuple[str, ...]:
        """What containers and other pods may do beyond the default, each with the key of its service."""
        return tuple(
            f"{NAMESPACE}:services[{number}] ({service.name}): {sentence}"
            for number, service in enumerate(self.services)
            for sentence in service.relaxations
        )

    def referred(self, service: ServiceSettings, reference: str) -> ServiceSettings | None:
        """The service that a service names by NAME or NAMESPACE/NAME; None if there is none."""
        own = reference if "/" in reference else f"{service.namespace}/{reference}"
        return next((one for one in self.services if f"{one.namespace}/{one.name}" == own), None)

    def shares(self, service: ServiceSettings, route: RouteSettings) -> tuple[RouteShare, ...]:
        """The Services that share the requests of a route, its own first; empty where it leads to one."""
        own = RouteShare(service.name, service.port_of(route).port, route.weight or 0)
        others = (RouteShare(*self.behind(service, other), other.weight) for other in route.others)
        return (own, *others) if route.others else ()

    def mirrored(self, service: ServiceSettings, route: RouteSettings) -> RouteShare | None:
        """The Service that gets a copy of each request of a route; None for none."""
        return RouteShare(*self.behind(service, route.mirror)) if route.mirror else None

    def behind(self, service: ServiceSettings, backend: MirrorSettings) -> tuple[str, int]:
        """The name and port number of another service behind a route of a service."""
        other = self.referred(service, backend.service)
        named = other.port_named(backend.port) if other else None
        return backend.service, named.port if named else 0

    @property
    def foreign(self) -> frozenset[str]:
        """The Services that routes lead to and that the stack does not make, by NAMESPACE/NAME."""
        return frozenset(f"{one.namespace}/{one.name}" for one in self.services if one.kind == "Service")

    @property
    def gateway_hosts(self) -> Mapping[str, tuple[str, str]] | None:
        """The hosts of HTTPRoutes with TLS, with the namespace and name of their Secrets; None without HTTPRoutes."""
        routes = [(s, route) for s in self.services for route in s.routes if route.kind == "HTTPRoute"]
        secrets = {route.host: (service.namespace, route.secret) for service, route in reversed(routes) if route.secret}
        return secrets if routes else None

    @property
    def own_hosts(self) -> tuple[str, ...]:
        """The hosts with `tls: true`, whose certificates this machine's own authority signs."""
        return tuple(route.host for service in self.services for route in service.routes if route.tls is True)

    @model_validator(mode="after")
    def _consistent(self, info: ValidationInfo) -> Self:
        if problems := problems_of(self, info.context["stack"] if info.context else "STACK"):
            raise ValueError("\n".join(problems))
        return self
