"""What a value has to be, where pydantic's own words leave out the bound."""

from collections.abc import Iterator
from typing import Any, get_args

from annotated_types import Ge, Le
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

_TYPES = {
    "bool_parsing": "it has to be true or false",
    "bool_type": "it has to be true or false",
    "dict_type": "it has to be a mapping",
    "list_type": "it has to be a list",
    "model_type": "it has to be a mapping",
    "string_type": "it has to be a text",
    "tuple_type": "it has to be a list",
}
_NUMBERS = ("greater_than_equal", "int_from_float", "int_parsing", "int_type", "less_than_equal")


def in_words(problem: ErrorDetails, field: FieldInfo | None) -> str | None:
    """What a value of a wrong type or size has to be; None for other problems.

    problem: as pydantic reports it.
    field: the field that the value is of; None if it is not known, and only the bound that is broken is named.
    """
    if problem["type"] not in _NUMBERS:
        return _TYPES.get(problem["type"])
    limits = list(_limits(field))
    broken = problem.get("ctx", {})
    least = next((limit.ge for limit in limits if isinstance(limit, Ge)), broken.get("ge"))
    most = next((limit.le for limit in limits if isinstance(limit, Le)), broken.get("le"))
    if least is not None and most is not None:
        return f"it has to be a whole number from {least} to {most}"
    one_end = f" of at least {least}" if least is not None else f" of at most {most}" if most is not None else ""
    return f"it has to be a whole number{one_end}"


def _limits(of: Any) -> Iterator[Any]:
    """The limits that a field, or a type within it, has as metadata."""
    if isinstance(of, FieldInfo):
        yield from of.metadata
        of = of.annotation
    for metadata in getattr(of, "__metadata__", ()):
        yield from _limits(metadata) if isinstance(metadata, FieldInfo) else (metadata,)
    for part in get_args(of):
        yield from _limits(part)
