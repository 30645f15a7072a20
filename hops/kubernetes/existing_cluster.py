"""An existing cluster as a stack finds it: its Contour, its addresses, and what stands in the stack's way."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from hops.kubernetes import objects
from hops.kubernetes.controller.contour import watched
from hops.kubernetes.controller.installed import (
    InstalledContour,
    chosen,
    entrances,
    envoy_pods,
    ingress_class,
    installed,
)
from hops.kubernetes.declared_path import found
from hops.kubernetes.inventory import Inventory
from hops.kubernetes.resources.pods import as_pod
from hops.kubernetes.resources.services import as_service
from hops.kubernetes.values import at, sequence
from hops.model.finding import Place
from hops.model.hop import Entrance, Entrypoint, LiveAddresses
from hops.model.path import CONTOUR_NAMESPACE
from hops.model.plan import plan
from hops.model.pod_network import POD_NETWORK
from hops.model.settings.setting_types import NAMESPACE
from hops.model.settings.stack_settings import Settings

_OWN = f"{CONTOUR_NAMESPACE}/contour"
"""The Deployment of the Contour that a stack installs."""


class ExistingCluster:
    """What a stack needs to know of an existing cluster.

    listed: the objects of the cluster as its API returns them; those of kinds that cannot be listed are missing.
    settings: the stack's settings.
    """

    def __init__(self, listed: Sequence[Mapping[str, Any]], settings: Settings) -> None:
        self._listed, self._settings = listed, settings
        self._inventory = Inventory(((dict(item), Place()) for item in listed), today=date.min)
        self._named = chosen(self._inventory, settings.contour.existing or _OWN)

    @property
    def contour(self) -> InstalledContour | None:
        """The Contour that serves the stack's routes; None if it is not there or several could be meant."""
        return self._named[0] if len(self._named) == 1 else None

    @property
    def entrance(self) -> Entrypoint | None:
        """Where requests enter: as the settings want it, or else the first way in that the cluster has."""
        if self.contour is None:
            return None
        ways = entrances(self._inventory, self.contour)
        requested = self._settings.contour.entrance or (None if self._settings.contour.existing else "LoadBalancer")
        return ways.get(Entrance(requested)) if requested else next(iter(ways.values()), None)

    def ingress_class(self, kind: str) -> str | None:
        """The class that an object of a kind needs so that the Contour serves it; None if it needs none."""
        return ingress_class(self._inventory, self.contour, kind) if self.contour else None

    @property
    def addresses(self) -> LiveAddresses:
        """The addresses of the running cluster."""
        there = found(self._listed, None, self._settings.foreign)
        entrance = self.entrance
        pods = [pod.body for pod in envoy_pods(self._inventory, self.contour)] if self.contour else []
        node = entrance.listen if entrance and entrance.by.on_node else None
        envoy = next(filter(None, map(objects.address, pods)), None)
        return replace(there, node=node, envoy=envoy, entrance=entrance, network=self._network())

    def _network(self) -> str | None:
        """The name of the pod network, if the formula of its interfaces holds here."""
        agents = (
            container
            for item in self._listed
            if item.get("kind") == "Pod" and objects.labels(item).get("k8s-app") == POD_NETWORK.agent
            for container in as_pod(item).lasting
            if container.name == POD_NETWORK.agent
        )
        environments = (
            {str(at(entry, "name")): at(entry, "value") for entry in sequence(one.body.get("env"))} for one in agents
        )
        return POD_NETWORK.name if any(map(POD_NETWORK.names_interfaces, environments)) else None

    def namespaces_of_others(self, own: Collection[str]) -> frozenset[str]:
        """The namespaces of the stack's services that are there and that the stack did not make.

        own: what the stack's state holds, each as KIND/NAMESPACE/NAME.
        """
        there = {objects.name(item) for item in self._listed if item.get("kind") == "Namespace"}
        namespaces = {service.namespace for service in self._settings.services}
        return frozenset(name for name in there & namespaces if f"Namespace//{name}" not in own)

    def problems(self, own: Collection[str]) -> list[str]:
        """Why a stack cannot be brought up in the cluster: place, value, bound and remedy, a sentence each.

        own: what the stack's state holds, each as KIND/NAMESPACE/NAME.
        """
        contour = self._of_found(own) if self._settings.contour.existing else self._of_installed(own)
        return [f"{NAMESPACE}:{problem}" for problem in (*contour, *self._taken(own))]

    def _of_found(self, own: Collection[str]) -> Iterator[str]:
        """What is wrong with the Contour that the stack uses."""
        key = f"contour.existing is {self._settings.contour.existing}"
        if f"Deployment/{_OWN}" in own:
            yield (
                f"{key}, and this stack installed the Contour {_OWN}; remove contour.existing, or take the stack down "
                "first"
            )
        elif self.contour:
            yield from self._watched(self.contour)
            yield from self._entered(self.contour, key)
        elif any(item.get("kind") == "Deployment" for item in self._listed):
            there = [one.name for one in self._named or self._inventory.once(installed)]
            which = f"the cluster has {', '.join(there)}" if there else "the cluster has none"
            remedy = "name one of them" if there else "remove contour.existing, and the stack installs one"
            fits = "several Contours of the cluster fit" if self._named else "no Contour of the cluster fits"
            yield f"{key}, and {fits}; {which}: {remedy}"
        else:
            yield f"{key}, and the Deployments of the cluster cannot be listed; take a user who may list them"

    def _watched(self, contour: InstalledContour) -> Iterator[str]:
        """The services that a Contour does not watch."""
        for number, service in enumerate(self._settings.services):
            if service.routes and not watched(service.namespace, [contour.contour]):
                namespaces = ", ".join(contour.contour.namespaces)
                yield (
                    f"services[{number}].namespace is {service.namespace}, and the Contour {contour.name} watches "
                    f"{namespaces} only; take one of these, or add it to --watch-namespaces of that Contour"
                )

    def _entered(self, contour: InstalledContour, key: str) -> Iterator[str]:
        """What is wrong with the entrance of a Contour."""
        settings, entrance = self._settings, self.entrance
        if entrance is None:
            ways = entrances(self._inventory, contour)
            has = f"has {', '.join(ways)}" if ways else "has no Service and no host port for plain HTTP"
            remedy = "remove entrance, or take what it has" if ways else "give it a Service of type NodePort"
            setting = f"contour.entrance is {settings.contour.entrance or 'null'}"
            yield f"{setting}, and Envoy of {contour.name} {has}; {remedy}"
            return
        if entrance.listen is None and settings.cluster.listen_address is None:
            yield (
                f"{key}, and its {entrance.by} has no address yet; wait for it, or set cluster.listenAddress to the "
                "address at which clients reach it"
            )
        if all(mapping.scheme != "https" for mapping in entrance.mappings):
            for number, service in enumerate(settings.services):
                if any(route.tls for route in service.routes):
                    yield (
                        f"services[{number}] has tls, and the {entrance.by} of {contour.name} has no port for https; "
                        "remove tls, or take another contour.entrance"
                    )

    def _of_installed(self, own: Collection[str]) -> Iterator[str]:
        """What is in the way of the Contour that the stack installs. Two Contours would share kinds and rights."""
        others = [one for one in self._inventory.once(installed) if f"Deployment/{one.name}" not in own]
        if others:
            names = ", ".join(one.name for one in others)
            yield (
                f"contour.existing is null, and the cluster has a Contour already: {names}; "
                f"set contour.existing to {others[0].namespace if len(others) == 1 else others[0].name}"
            )
            return
        entrance = self._settings.contour.entrance
        for mapping in plan(self._settings).entrypoint.mappings:
            port, key = mapping.node, f"cluster.{mapping.scheme}Port"
            holder = self._holder(port, str(entrance))
            if not holder:
                continue
            if self._settings.cluster.listen_address is None:
                remedy = f"set {key} to another port"
            else:
                remedy = "take another contour.entrance"
            yield f"contour.entrance is {entrance}, and {holder} has the port {port} already; {remedy}"

    def _holder(self, port: int, entrance: str) -> str | None:
        """Who else in the cluster has a port that an entrance takes on the nodes."""
        for item in self._listed:
            taken: set[int | None] = set()
            if entrance == "NodePort" and item.get("kind") == "Service":
                taken = {one.node_port for one in as_service(item).ports}
            elif entrance == "HostPort" and item.get("kind") == "Pod":
                taken = {number for _, number in as_pod(item).node_ports()}
            if port in taken and objects.namespace(item) != CONTOUR_NAMESPACE:
                return f"{item['kind']} {objects.full_name(item)}"
        return None

    def _taken(self, own: Collection[str]) -> Iterator[str]:
        """The objects of others that have the name of an object of the stack."""
        there = {
            f"{item.get('kind')}/{objects.full_name(item)}": item
            for item in self._listed
            if item.get("kind") in ("Deployment", "Pod", "Service")
        }
        for number, service in enumerate(self._settings.services):
            if service.kind == "Service":
                continue
            made = [f"Service/{service.namespace}/{service.name}"]
            made += [f"Pod/{service.namespace}/{pod}" for pod in service.pods]
            made += [] if service.pods else [f"Deployment/{service.namespace}/{service.name}"]
            for name in made:
                if name in there and name not in own:
                    key = "pod" if name.startswith("Pod/") else "name"
                    yield (
                        f"services[{number}].{key}: the cluster has the {name.replace('/', ' ', 1)} already, and it is "
                        f"not of this stack; set {key} or namespace to another name, or delete it if an interrupted up "
                        "left it"
                    )
