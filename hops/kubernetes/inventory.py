"""An inventory: the declared objects, indexed for the rules.

A field whose value is unknown in a preview is UNKNOWN (`hops.kubernetes.values`), whatever its type.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import cached_property
from itertools import chain
from typing import TypeVar

from hops.kubernetes.policies.label_selectors import selects
from hops.kubernetes.resources.claims import Fleet, declared_fleet
from hops.kubernetes.resources.ingresses import DeclaredIngress, declared_ingress
from hops.kubernetes.resources.pods import ADDED, TEMPLATES, Pod, pod_template
from hops.kubernetes.resources.resource import Resource, resources
from hops.kubernetes.resources.services import DeclaredService, declared_service
from hops.kubernetes.values import JSON, UNKNOWN, Undecidable, at, pairs
from hops.model.finding import Place
from hops.model.settings.stack_settings import Settings
from hops.model.versions import NODE_IMAGE

T = TypeVar("T")


class Inventory:
    """The declared objects, indexed, with the facts that rules compare them with.

    declared: objects with their places. Objects of `List` kinds are expanded; other values are skipped.
    today: the day on which exceptions must be in force.
    settings: settings of the stack; None without a stack.
    fleet: ports and names that others use. Default: none.
    whole: whether all declared objects are known; False if a file could not be read. Default: True.
    live: whether these are all objects of a cluster, so that an undeclared one does not exist. Default: False.
    kubernetes: minor version of the API server, such as `1.34`. Default: that of the stack's node image, otherwise of
        the pinned one.
    """

    def __init__(
        self,
        declared: Iterable[tuple[JSON, Place]],
        *,
        today: date,
        settings: Settings | None = None,
        fleet: Fleet | None = None,
        whole: bool = True,
        live: bool = False,
        kubernetes: str | None = None,
    ) -> None:
        self.today = today
        self.whole = whole
        self.live = live
        self.settings = settings
        self.kubernetes = kubernetes or _minor(settings.cluster.node_image if settings else "") or _minor(NODE_IMAGE)
        self.resources = resources(declared)
        self._by_kind: dict[str, list[Resource]] = defaultdict(list)
        for resource in self.resources:
            self._by_kind[resource.kind].append(resource)
        self._given_fleet = fleet or Fleet()
        self._built: dict[Callable[[Inventory], object], object] = {}
        self._pods_of: dict[DeclaredService, Sequence[Pod]] = {}
        self._selected: dict[tuple[str | None, frozenset[tuple[str, str]]], Sequence[Pod]] = {}

    def with_bodies(self, bodies: Mapping[Resource, Mapping[str, JSON]]) -> "Inventory":
        """An inventory of the same objects, some of them with another body."""
        return Inventory(
            ((bodies.get(resource, resource.body), resource.place) for resource in self.resources),
            today=self.today,
            settings=self.settings,
            fleet=self._given_fleet,
            whole=self.whole,
            live=self.live,
            kubernetes=self.kubernetes,
        )

    def of_kind(self, *kinds: str) -> Iterator[Resource]:
        for kind in kinds:
            yield from self._by_kind.get(kind, ())

    def find(self, kind: str, namespace: str | None, name: str) -> Resource | None:
        """The object with this name; None if there is none. Raises Undecidable if an unknown name could match.

        kind: such as Pod.
        namespace: None for an object of the whole cluster.
        name: of the object.
        """
        found = self._by_name.get((kind, namespace, name))
        if found is None and kind in self._vague_kinds:
            raise Undecidable
        return found

    @property
    def lacks(self) -> str:
        """The predicate of a sentence about an object that is not among these."""
        return "does not exist" if self.live else "is not declared"

    def once(self, build: Callable[["Inventory"], T]) -> T:
        """The result of `build(inventory)`, computed once per inventory; for an index that one rule family requires."""
        if build not in self._built:
            self._built[build] = build(self)
        return self._built[build]  # type: ignore[return-value]

    @cached_property
    def pods(self) -> tuple[Pod, ...]:
        """The pod templates of all workloads."""
        return tuple(pod_template(resource) for resource in self.of_kind(*TEMPLATES))

    @cached_property
    def services(self) -> tuple[DeclaredService, ...]:
        return tuple(declared_service(resource) for resource in self.of_kind("Service"))

    @cached_property
    def ingresses(self) -> tuple[DeclaredIngress, ...]:
        return tuple(declared_ingress(resource) for resource in self.of_kind("Ingress"))

    @cached_property
    def fleet(self) -> Fleet:
        """The given fleet and the declared `Fleet` objects, joined."""
        given = self._given_fleet
        declared = [declared_fleet(resource.body) for resource in self.of_kind("Fleet")]
        return Fleet(
            given.ports + tuple(claim for fleet in declared for claim in fleet.ports),
            given.names + tuple(claim for fleet in declared for claim in fleet.names),
        )

    def service(self, namespace: str | None, name: str) -> DeclaredService | None:
        """The Service with this name; None if there is none. Raises Undecidable like `find`."""
        resource = self.find("Service", namespace, name)
        return self._services[resource] if resource else None

    def pods_of(self, service: DeclaredService) -> Sequence[Pod]:
        """The pods that a Service selects; an empty selector selects none.

        Raises Undecidable if the namespace, the selector or the labels of a possible pod are unknown.
        """
        found = self._pods_of.get(service)
        if found is None:
            if service.resource.nowhere:
                raise Undecidable
            labels = service.selector
            if not ADDED.isdisjoint(labels):
                labels = {key: value for key, value in labels.items() if key not in ADDED}
            found = self._pods_of[service] = self.selected(service.resource.namespace, labels)
        return found

    def selected(self, namespace: str | None, labels: Mapping[str, str]) -> Sequence[Pod]:
        """The pods of a namespace that have all labels. Raises Undecidable like `pods_of`.

        The same labels give the same sequence, so that an answer about it can be kept by its identity.
        """
        key = namespace, frozenset(labels.items())
        found = self._selected.get(key)
        if found is None:
            found = self._selected[key] = self._matching(namespace, list(labels.items()))
        return found

    def _matching(self, namespace: str | None, labels: Sequence[tuple[str, str]]) -> Sequence[Pod]:
        if not labels:
            return ()
        groups = [self._by_label.get((namespace, key, value), ()) for key, value in labels]
        for pod in chain(self._vague_pods.get(namespace, ()), self._vague_pods.get(None, ())):
            if pod.labels is UNKNOWN:
                raise Undecidable
            carried = [(pod.labels.get(key), value) for key, value in labels]
            may_be = all(has is UNKNOWN or has == value for has, value in carried)
            # One that has all the labels for certain is selected, unless it may live elsewhere.
            if may_be and (pod.resource.nowhere or any(has is UNKNOWN for has, _ in carried)):
                raise Undecidable
        return [pod for pod in min(groups, key=len) if all(pod.labels.get(key) == value for key, value in labels)]

    def services_of(self, pod: Pod) -> Iterator[Sequence[DeclaredService]]:
        """The Services that certainly select a pod, those with the same selector together."""
        return (self._services_by[id(selected)] for selected in self._selections_of.get(pod, ()))

    def pods_in(self, namespace: str | None) -> Sequence[Pod]:
        """The pods of a namespace. Raises Undecidable if the namespace of a pod is unknown."""
        if self._vague_pods.get(None):
            raise Undecidable
        return self._by_namespace.get(namespace, ())

    def pods_that(self, namespace: str | None, selector: JSON) -> Sequence[Pod]:
        """The pods of a namespace that match a LabelSelector. Raises Undecidable like `pods_of`."""
        labels = pairs(at(selector, "matchLabels"))
        among = self.selected(namespace, labels) if labels else self.pods_in(namespace)
        return [pod for pod in among if selects(selector, pod.labels)]

    def ingress(self, resource: Resource) -> DeclaredIngress:
        """The Ingress that an object of this kind declares."""
        return self._ingresses[resource]

    @cached_property
    def _ingresses(self) -> Mapping[Resource, DeclaredIngress]:
        return {ingress.resource: ingress for ingress in self.ingresses}

    @cached_property
    def _by_name(self) -> Mapping[tuple[str, str | None, str], Resource]:
        # The first of several with one name, in the order of `resources`.
        return {(r.kind, r.namespace, r.name): r for r in reversed(self.resources) if not r.vague}

    @cached_property
    def _vague_kinds(self) -> frozenset[str]:
        return frozenset(resource.kind for resource in self.resources if resource.vague)

    @cached_property
    def _services(self) -> Mapping[Resource, DeclaredService]:
        return {service.resource: service for service in self.services}

    @cached_property
    def _by_namespace(self) -> Mapping[str | None, list[Pod]]:
        groups: dict[str | None, list[Pod]] = defaultdict(list)
        for pod in self.pods:
            if not pod.resource.nowhere:
                groups[pod.resource.namespace].append(pod)
        return groups

    @cached_property
    def _by_label(self) -> Mapping[tuple[str | None, str, str], list[Pod]]:
        groups: dict[tuple[str | None, str, str], list[Pod]] = defaultdict(list)
        for pod in self.pods:
            if pod.labels is not UNKNOWN and not pod.resource.nowhere:
                for key, value in pod.labels.items():
                    if value is not UNKNOWN:
                        groups[pod.resource.namespace, key, value].append(pod)
        return groups

    @cached_property
    def _vague_pods(self) -> Mapping[str | None, list[Pod]]:
        """Pods with unknown labels, by namespace; those with an unknown namespace are under None."""
        groups: dict[str | None, list[Pod]] = defaultdict(list)
        for pod in self.pods:
            if pod.resource.nowhere:
                groups[None].append(pod)
            elif pod.labels is UNKNOWN or any(value is UNKNOWN for value in pod.labels.values()):
                groups[pod.resource.namespace].append(pod)
        return groups

    @cached_property
    def _services_by(self) -> Mapping[int, list[DeclaredService]]:
        """The Services by the identity of the sequence of pods that they select."""
        groups: dict[int, list[DeclaredService]] = defaultdict(list)
        for service in self.services:
            try:
                groups[id(self.pods_of(service))].append(service)
            except Undecidable:
                continue
        return groups

    @cached_property
    def _selections_of(self) -> Mapping[Pod, list[Sequence[Pod]]]:
        """The sequences of pods that a Service selects, by pod."""
        groups: dict[Pod, list[Sequence[Pod]]] = defaultdict(list)
        for services in self._services_by.values():
            selected = self.pods_of(services[0])
            for pod in selected:
                groups[pod].append(selected)
        return groups


def _minor(image: str) -> str:
    """The minor version in the tag of a node image such as `kindest/node:v1.34.8`; "" where there is none."""
    found = re.search(r":v(\d+\.\d+)", image)
    return found[1] if found else ""
