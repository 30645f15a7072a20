"""The ingress class of an Ingress or HTTPProxy, and the classes that Contour handles.

From Contour 1.33: internal/ingressclass, internal/annotation.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress

from hops.kubernetes.controller.contour import CLASSES, contours
from hops.kubernetes.inventory import Inventory
from hops.kubernetes.resources.ingresses import DeclaredIngress
from hops.kubernetes.resources.resource import Resource
from hops.kubernetes.values import Undecidable, at, text

CLASS_ANNOTATIONS = ("projectcontour.io/ingress.class", "kubernetes.io/ingress.class")
_CONTROLLER = "projectcontour.io/"
"""The beginning of `spec.controller` of Contour's IngressClass."""
UNCLASSED = "(none)"
"""Stands for the class of an object without one, where Contour handles objects of its own class only."""
DEFAULT_CLASS = "ingressclass.kubernetes.io/is-default-class"


def served(inventory: Inventory) -> tuple[str, ...]:
    """The classes that the declared Contours handle; without a declared Contour, `contour` and "" for no class."""
    declared = inventory.once(contours)
    return tuple(dict.fromkeys(name for contour in declared for name in contour.classes)) or CLASSES


def class_known(inventory: Inventory) -> bool:
    """Whether the classes are known that Contour handles: not of an existing one that is not declared."""
    existing = inventory.settings and inventory.settings.contour.existing
    return not existing or bool(inventory.once(contours))


def others(inventory: Inventory) -> frozenset[str]:
    """The classes of declared IngressClasses that name another controller than Contour."""
    return frozenset(
        resource.name
        for resource in inventory.of_kind("IngressClass")
        if (controller := text(at(resource.body, "spec", "controller"))) and not controller.startswith(_CONTROLLER)
    )


_OTHERS = frozenset(
    {
        *("alb", "ambassador", "apisix", "azure", "cilium", "gce", "haproxy", "higress", "istio", "kong", "nginx"),
        *("ngrok", "openshift", "pomerium", "skipper", "tailscale", "traefik", "tyk", "webapprouting"),
    }
)
"""Words in the class names of other controllers, such as nginx-internal. Source: the controllers' documentation, listed
at https://kubernetes.io/docs/concepts/services-networking/ingress-controllers/."""
_OTHERS_ANNOTATIONS = (
    *("alb.ingress.kubernetes.io/", "appgw.ingress.kubernetes.io/", "haproxy-ingress.github.io/", "haproxy.org/"),
    *("konghq.com/", "networking.gke.io/", "nginx.ingress.kubernetes.io/", "nginx.org/"),
    "traefik.ingress.kubernetes.io/",
)


def of_another_controller(ingress: DeclaredIngress, inventory: Inventory, handled: Sequence[str] = ()) -> bool:
    """Whether another controller than Contour handles an Ingress.

    ingress: the Ingress.
    inventory: the declared objects. An IngressClass decides by its controller, and a declared Contour by the classes
        that it handles. Without them, the class name or the annotations of a well-known controller decide. An Ingress
        of any other class counts as Contour's.
    handled: the configured classes of the installed controller; if they name a well-known controller, it also handles
        the Ingresses without a class. Default: not configured.

    Raises Undecidable if the class is not known.
    """
    name = class_of(ingress, inventory)
    if name in inventory.once(others):
        return True
    if name in inventory.once(served):
        configured = [given for given in handled if given]
        return not name and bool(configured) and not inventory.once(contours) and all(map(_of_another, configured))
    if any(not resource.vague and resource.name == name for resource in inventory.of_kind("IngressClass")):
        return False
    return bool(name) and (_of_another(name) or any(key.startswith(_OTHERS_ANNOTATIONS) for key in ingress.annotations))


def ingresses_of_others(inventory: Inventory) -> frozenset[Resource]:
    """The Ingresses that another controller than Contour certainly handles. Call it by `inventory.once`."""
    found: set[Resource] = set()
    for ingress in inventory.ingresses:
        with suppress(Undecidable):
            if of_another_controller(ingress, inventory):
                found.add(ingress.resource)
    return frozenset(found)


def _of_another(name: str) -> bool:
    words = set(re.split(r"[^a-z0-9]+", name.lower()))
    return "contour" not in words and not _OTHERS.isdisjoint(words)


def _default_class(inventory: Inventory) -> str:
    """The class that the API server sets on an Ingress without one; "" if no class or several are marked as default."""
    marked = [
        resource for resource in inventory.of_kind("IngressClass") if resource.annotations.get(DEFAULT_CLASS) == "true"
    ]
    if any(resource.vague for resource in marked):
        raise Undecidable
    return marked[0].name if len(marked) == 1 else ""


def annotated_class(annotations: Mapping[str, str]) -> tuple[str, str]:
    """The class in an annotation and the key of the annotation; both "" if there is none."""
    for key in CLASS_ANNOTATIONS:
        if key in annotations:
            return (annotations[key], key) if annotations[key] else ("", "")
    return "", ""


def class_field(resource: Resource) -> str | None:
    """`spec.ingressClassName` of an Ingress or HTTPProxy; None if missing."""
    return text(at(resource.body, "spec", "ingressClassName"))


def class_of(subject: DeclaredIngress | Resource, inventory: Inventory) -> str:
    """The ingress class of an Ingress or HTTPProxy; "" for none.

    The annotation takes precedence over the field, and the field over the default class.
    """
    if isinstance(subject, DeclaredIngress):
        return (
            annotated_class(subject.annotations)[0]
            or subject.class_name
            # An empty name counts as set, so the API server does not add the default.
            or ("" if subject.class_name == "" else inventory.once(_default_class))
        )
    return annotated_class(subject.annotations)[0] or class_field(subject) or ""


def owner_of(subject: DeclaredIngress | Resource, inventory: Inventory) -> str:
    """The ingress class that Contour does not handle, UNCLASSED for none; "" if Contour handles the object.

    The objects of a stack that uses an existing Contour are that Contour's, whose classes no object declares.
    """
    if not class_known(inventory):
        return ""
    name = class_of(subject, inventory)
    return "" if name in inventory.once(served) else name or UNCLASSED
