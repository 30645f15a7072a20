"""How an inventory identifies the objects that it indexes."""

from datetime import date

from hops.kubernetes.inventory import Inventory
from hops.kubernetes.resources.resource import Resource
from hops.model.finding import Place
from tests.hops.rules.cases import documents


def resources(text: str) -> tuple[Resource, ...]:
    return tuple(Inventory([(body, Place()) for body in documents(text)], today=date(2026, 11, 1)).resources)


SERVICE = "{apiVersion: v1, kind: Service, metadata: {name: web, namespace: apps}}\n"


def test_two_declarations_of_one_name_are_the_same_object() -> None:
    one, other = resources(f"{SERVICE}---\n{SERVICE}")
    assert one is not other
    assert one.same_object(other)
    assert one.same_object(one)


def test_objects_of_another_name_namespace_or_kind_differ() -> None:
    found = resources(
        "\n---\n".join(
            (
                SERVICE,
                SERVICE.replace("web", "api"),
                SERVICE.replace("apps", "other"),
                SERVICE.replace("Service", "Pod"),
            )
        )
    )
    assert not any(one.same_object(other) for one in found for other in found if one is not other)


def test_a_declaration_without_a_known_name_is_only_the_same_as_itself() -> None:
    for unknown in ("!unknown ", "''"):
        one, other = resources("\n---\n".join([SERVICE.replace("name: web", f"name: {unknown}")] * 2))
        assert one.same_object(one)
        assert not one.same_object(other)
