"""The Contour that objects declare: recognized by images and commands, with what its flags and files configure.

From Contour 1.33: cmd/contour/serve.go, pkg/config/parameters.go, apis/projectcontour/v1alpha1/contourconfig.go.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import yaml

from hops.kubernetes.inventory import Inventory
from hops.kubernetes.resources.pods import Pod, PodContainer
from hops.kubernetes.resources.resource import Resource
from hops.kubernetes.values import JSON, UNKNOWN, Undecidable, Unknown, at, number, text, texts
from hops.model.path import CONTOUR_NAMESPACE

CONTOUR = "Deployment/projectcontour/contour"
"""The workload of Contour, as published (examples/contour/03-contour.yaml)."""
CLASSES = ("", "contour")
"""The ingress classes of a Contour without --ingress-class-name; "" stands for objects without a class."""


@dataclass(frozen=True, slots=True, eq=False)
class DeclaredContour:
    """A declared Contour.

    workload: its Deployment.
    classes: the ingress classes that it handles; "" stands for objects without a class.
    namespaces: the namespaces that it watches; empty for all.
    roots: the namespaces whose HTTPProxies may be roots; empty for all.
    ports: the ports on which it lets Envoy listen, by scheme.
    addresses: the addresses on which it lets Envoy listen, by scheme.
    external_names: whether it forwards to Services of type ExternalName.
    fallback: namespace/name of the Secret with its fallback certificate; "" without one, None if its configuration is
        not declared.
    """

    workload: Resource
    classes: Sequence[str]
    namespaces: Sequence[str]
    roots: Sequence[str]
    ports: Mapping[str, int]
    addresses: Mapping[str, str]
    external_names: bool
    fallback: str | None


def contours(inventory: Inventory) -> tuple[DeclaredContour, ...]:
    """All declared Contours. Call it as `inventory.once(contours)`. Raises Undecidable if a flag is unknown."""
    return tuple(
        _contour(pod, container, inventory)
        for pod in inventory.pods
        if pod.resource.kind != "Job"
        for container in _serving(pod)
    )


def serves(pod: Pod) -> bool:
    """Whether a pod runs Envoy, and nothing but Envoy and Contour's own containers, as an ingress controller does."""
    if pod.containers is UNKNOWN:
        return False
    names = [_program(container) for container in pod.containers if container is not UNKNOWN and container.lasting]
    return "envoy" in names and {"envoy", "contour"}.issuperset(names)


def may_serve(pod: Pod) -> bool:
    """Whether a pod's containers or their images are unknown, so that it may be one that `serves` recognizes."""
    return isinstance(pod.containers, Unknown) or any(
        isinstance(container, Unknown) or isinstance(container.image, Unknown) for container in pod.containers
    )


def _program(container: PodContainer) -> str:
    """The last part of an image's repository, without the variant."""
    image = text(container.body.get("image"))
    name = "" if image is UNKNOWN or not image else image.partition("@")[0].rpartition("/")[2].partition(":")[0]
    return "envoy" if name in ("envoy-distroless", "envoy-contrib", "envoy-alpine") else name


def _serving(pod: Pod) -> Iterator[PodContainer]:
    """The containers that run `contour serve`."""
    published = not pod.resource.vague and str(pod.resource) == CONTOUR
    if pod.containers is UNKNOWN and not published:
        return
    for container in pod.containers:
        if container is UNKNOWN and published:
            raise Undecidable
        if container is UNKNOWN or not container.lasting:
            continue
        named = "contour" in (_program(container), container.name) or published
        if named and (published or "serve" in _words(container)):
            yield container
            return


def _words(container: PodContainer) -> tuple[str, ...]:
    return (*texts(container.body.get("command")), *texts(container.body.get("args")))


def flag(words: Sequence[str], name: str) -> str:
    """The value of a flag, as --name=value or --name value; "" if it is not given."""
    for index, word in enumerate(words):
        if word == name:
            return words[index + 1] if index + 1 < len(words) else ""
        if word.startswith(f"{name}="):
            return word.partition("=")[2]
    return ""


def _listed(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _contour(pod: Pod, container: PodContainer, inventory: Inventory) -> DeclaredContour:
    words = _words(container)
    spec = _configured(pod, inventory)
    classes = _listed(flag(words, "--ingress-class-name")) or texts(at(spec, "ingress", "classNames")) or CLASSES
    ports, addresses = {}, {}
    for scheme, default in (("http", 8080), ("https", 8443)):
        given = flag(words, f"--envoy-service-{scheme}-port")
        ports[scheme] = int(given) if given.isdecimal() else number(at(spec, "envoy", scheme, "port")) or default
        addresses[scheme] = (
            flag(words, f"--envoy-service-{scheme}-address") or text(at(spec, "envoy", scheme, "address")) or "0.0.0.0"
        )
    return DeclaredContour(
        workload=pod.resource,
        classes=classes,
        namespaces=_listed(flag(words, "--watch-namespaces")),
        roots=_listed(flag(words, "--root-namespaces")) or texts(at(spec, "httpproxy", "rootNamespaces")),
        ports=ports,
        addresses=addresses,
        external_names=at(spec, "enableExternalNameService") is True,
        fallback=None if spec is None and any(map(_names_configuration, words)) else _fallback(spec),
    )


def _names_configuration(word: str) -> bool:
    return word.startswith(("--config-path", "--contour-config-name", "-c"))


def _fallback(spec: JSON) -> str:
    given = at(spec, "httpproxy", "fallbackCertificate") or at(spec, "tls", "fallback-certificate")
    name, namespace = text(at(given, "name")), text(at(given, "namespace"))
    return f"{namespace}/{name}" if name and namespace else ""


def _configured(pod: Pod, inventory: Inventory) -> JSON:
    """The ContourConfiguration of a Contour, or its configuration file in a ConfigMap; both have the keys used here."""
    namespace = pod.resource.namespace
    for resource in chain(inventory.of_kind("ContourConfiguration"), inventory.of_kind("ConfigMap")):
        if resource.vague or resource.namespace != namespace:
            continue
        if resource.kind == "ContourConfiguration":
            return at(resource.body, "spec")
        given = text(at(resource.body, "data", "contour.yaml"))
        if isinstance(given, Unknown):
            raise Undecidable
        if given:
            try:
                return yaml.safe_load(given)
            except (yaml.YAMLError, RecursionError, ValueError):
                return None
    return None


def envoys(inventory: Inventory) -> Sequence[Pod]:
    """The pods that `serves` recognizes. Call it as `inventory.once(envoys)`."""
    return tuple(pod for pod in inventory.pods if serves(pod))


def watched(namespace: str | None, found: Sequence[DeclaredContour]) -> bool:
    """Whether a declared Contour watches a namespace; true without a declared Contour."""
    return not found or any(not contour.namespaces or namespace in contour.namespaces for contour in found)


def operated_namespace(contour: Resource) -> str:
    """The namespace in which Contour's operator runs a Contour; "" for an object of another API."""
    if not contour.api_version.startswith("operator.projectcontour.io/"):
        return ""
    return text(at(contour.body, "spec", "namespace", "name")) or CONTOUR_NAMESPACE
