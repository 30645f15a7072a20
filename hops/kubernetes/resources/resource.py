"""One declared object: who it is and where it is declared."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

from hops.kubernetes.values import JSON, UNKNOWN, Undecidable, at, matches, pairs, plain, pointer, steps, unknown_paths
from hops.model.finding import Identity, Place, label
from hops.model.kind_names import KIND_GROUPS

T = TypeVar("T")

GATEWAY_GROUP = "gateway.networking.k8s.io"
"""The API group of the Gateway API."""
_GROUPS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("ConfigMap", "Namespace", "Pod", "PodTemplate", "ReplicationController", "Secret", "Service"), ("",)
    ),
    **dict.fromkeys(("DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"), ("apps", "extensions")),
    **dict.fromkeys(("CronJob", "Job"), ("batch",)),
    **dict.fromkeys(("Ingress", "IngressClass", "NetworkPolicy"), ("networking.k8s.io", "extensions")),
    **dict.fromkeys(
        ("Gateway", "GatewayClass", "GRPCRoute", "HTTPRoute", "ReferenceGrant", "TCPRoute", "TLSRoute", "UDPRoute"),
        (GATEWAY_GROUP,),
    ),
    **dict.fromkeys(("HTTPProxy", "TLSCertificateDelegation"), ("projectcontour.io",)),
    **dict.fromkeys(("Fleet", "Policy"), ("ingress-hops",)),
    "Cluster": KIND_GROUPS,
    "DeploymentConfig": ("apps.openshift.io",),
    "IPPool": ("crd.projectcalico.org", "projectcalico.org"),
    "Installation": ("operator.tigera.io",),
    "Rollout": ("argoproj.io",),
    "ServiceAccount": ("",),
}
"""API groups of the kinds that the rules read; other groups use the same kind names for other objects. The first
of a kind is the one to write."""

_CLUSTER_SCOPED = frozenset(
    {
        "APIService",
        "Cluster",
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "Fleet",
        "GatewayClass",
        "IPPool",
        "IngressClass",
        "Installation",
        "MutatingWebhookConfiguration",
        "Namespace",
        "Node",
        "PersistentVolume",
        "Policy",
        "PriorityClass",
        "RuntimeClass",
        "StorageClass",
        "ValidatingWebhookConfiguration",
    }
)


def route_version(kind: str) -> str:
    """The apiVersion to write for a kind of route.

    kind: Ingress, HTTPProxy or HTTPRoute.
    """
    return f"{_GROUPS[kind][0]}/v1"


@dataclass(frozen=True, eq=False)
class Resource:
    """One declared object.

    api_version: as declared; "" if it is missing.
    kind: as declared; `Kind.group` if another API group uses the name of a kind that the rules read.
    namespace: None for a cluster-scoped object; `default` if none is declared.
    name: "" if it is missing or unknown.
    body: the object as JSON values.
    place: where the object is declared.
    vague: whether name or namespace is unknown.
    """

    api_version: str
    kind: str
    namespace: str | None
    name: str
    body: Mapping[str, JSON]
    place: Place
    vague: bool = False

    @property
    def resource(self) -> "Resource":
        return self

    @property
    def nowhere(self) -> bool:
        """Whether the namespace is unknown."""
        return self.vague and at(self.body, "metadata", "namespace") is UNKNOWN

    @cached_property
    def unknown(self) -> Sequence[str]:
        """The JSON pointers of the unknown values of the object, sorted."""
        return sorted(unknown_paths(self.body))

    @property
    def labels(self) -> Mapping[str, str]:
        return pairs(at(self.body, "metadata", "labels"))

    @property
    def annotations(self) -> Mapping[str, str]:
        return pairs(at(self.body, "metadata", "annotations"))

    def holds(self, pointer: str) -> bool:
        """Whether a mapping stands at a JSON pointer, so that a patch can add a key to it."""
        return isinstance(at(self.body, *steps(pointer)), dict)

    @property
    def identity(self) -> Identity:
        return Identity(self.api_version, self.kind, self.namespace, self.name)

    def same_object(self, other: "Resource") -> bool:
        """Whether both declare the same object of a cluster, as a base and its overlay do.

        other: the declaration to compare with. Two declarations whose name or namespace is unknown or empty are
            different objects, unless they are one and the same declaration.
        """
        named = bool(self.name) and not self.vague and not other.vague
        return self is other or (named and str(self) == str(other))

    def means(self, patterns: Iterable[str]) -> bool:
        """Whether a pattern matches the object.

        patterns: Kind/namespace/name, in which * matches any text.

        Raises Undecidable if the result depends on an unknown name.
        """
        maybe = False
        for pattern in patterns:
            if matches(pattern, str(self)):
                return True
            maybe = maybe or (self.vague and matches(pattern.partition("/")[0], self.kind))
        if maybe:
            raise Undecidable
        return False

    def __str__(self) -> str:
        """Kind/namespace/name."""
        return label(self.kind, self.namespace, self.name)


class Rivals(Generic[T]):
    """Items of several objects: the first, and the first of another object than that one."""

    def __init__(self) -> None:
        self._found: list[tuple[Resource, T]] = []

    def add(self, resource: Resource, item: T) -> None:
        """Adds an item of an object; the order of the calls is the order of the items."""
        if not self._found or (len(self._found) == 1 and not self._found[0][0].same_object(resource)):
            self._found.append((resource, item))

    @property
    def first(self) -> T | None:
        """The first item; None if there is none."""
        return self._found[0][1] if self._found else None

    def of(self, resource: Resource) -> T | None:
        """The first item of another object; None if there is none."""
        return next((item for other, item in self._found if not other.same_object(resource)), None)


def resources(declared: Iterable[tuple[JSON, Place]]) -> tuple[Resource, ...]:
    """The declared objects, sorted by kind, namespace, name and content.

    declared: JSON values with their places. Objects of `List` kinds are expanded, and such a list stays beside its
        items if one of them is no mapping. Other values are skipped.
    """
    return _ordered(resource(body, place) for body, place in _flat(declared))


def _flat(declared: Iterable[tuple[JSON, Place]]) -> Iterator[tuple[JSON, Place]]:
    for given, place in declared:
        body = given if isinstance(given, dict) else plain(given)
        if not isinstance(body, dict):
            continue
        kind, items = body.get("kind"), body.get("items")
        if isinstance(kind, str) and kind.endswith("List") and isinstance(items, list):
            if not all(isinstance(item, dict) or item is UNKNOWN for item in items):
                # What is no object stays in its list, at its place.
                rest = [UNKNOWN if isinstance(item, dict) else item for item in items]
                yield {**body, "items": rest}, place
            # Lists of one kind may leave it out in their items.
            inherited = {} if kind == "List" else {"apiVersion": body.get("apiVersion"), "kind": kind[:-4]}
            yield from _flat(
                (
                    {**inherited, **item} if isinstance(item, dict) else item,
                    Place(place.file, place.document, pointer(place.within, "items", index), place.urn),
                )
                for index, item in enumerate(items)
            )
        else:
            yield body, place


def resource(body: Mapping[str, JSON], place: Place) -> Resource:
    """One object, with its identity."""
    metadata = body.get("metadata")
    known = metadata if isinstance(metadata, dict) else {}
    version, kind = body.get("apiVersion"), body.get("kind")
    version = version if isinstance(version, str) else ""
    # A kind configuration without `kind` is read as what it is meant to be.
    kind = kind if isinstance(kind, str) else "Cluster" if version.startswith(f"{KIND_GROUPS[0]}/") else ""
    groups = _GROUPS.get(kind)
    if groups is not None and version:
        group = version.rpartition("/")[0]
        if group not in groups:
            kind = f"{kind}.{group}" if group else f"{kind}.core"
    # kind's own configuration keeps its name at the top.
    name, namespace = known.get("name", body.get("name")), known.get("namespace")
    vague = metadata is UNKNOWN or name is UNKNOWN or namespace is UNKNOWN
    return Resource(
        api_version=version,
        kind=kind,
        namespace=None if kind in _CLUSTER_SCOPED else namespace if isinstance(namespace, str) else "default",
        # kind's default for its own.
        name=(name if isinstance(name, str) else "") or ("kind" if kind == "Cluster" and not vague else ""),
        body=body,
        place=place,
        vague=vague,
    )


def _ordered(resources: Iterable[Resource]) -> tuple[Resource, ...]:
    # The order of findings does not depend on the order of documents.
    groups: dict[tuple[str, str, str], list[Resource]] = defaultdict(list)
    for resource in resources:
        groups[resource.kind, resource.namespace or "", resource.name].append(resource)
    return tuple(
        resource
        for key in sorted(groups)
        for resource in (sorted(groups[key], key=lambda r: content(r.body)) if len(groups[key]) > 1 else groups[key])
    )


def content(value: JSON) -> str:
    """A canonical text of a JSON value, independent of the order of keys."""
    if isinstance(value, dict):
        return "{" + ",".join(sorted(f"{key!r}:{content(item)}" for key, item in value.items())) + "}"
    return "[" + ",".join(map(content, value)) + "]" if isinstance(value, list) else repr(value)
