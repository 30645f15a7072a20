"""The ingress class of an Ingress or HTTPProxy, and the classes that Contour handles.

From Contour 1.33: internal/ingressclass, internal/annotation.
"""

from collections.abc import Mapping

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


def others(inventory: Inventory) -> frozenset[str]:
    """The classes of declared IngressClasses that name another controller than Contour."""
    return frozenset(
        resource.name
        for resource in inventory.of_kind("IngressClass")
        if (controller := text(at(resource.body, "spec", "controller"))) and not controller.startswith(_CONTROLLER)
    )


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
    return annotated_class(subject.annotations)[0] or text(at(subject.body, "spec", "ingressClassName")) or ""


def owner_of(subject: DeclaredIngress | Resource, inventory: Inventory) -> str:
    """The ingress class that Contour does not handle, UNCLASSED for none; "" if Contour handles the object."""
    name = class_of(subject, inventory)
    return "" if name in inventory.once(served) else name or UNCLASSED
