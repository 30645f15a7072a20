"""The arguments of a component: checked before anything is declared, with the defaults in them."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any

import pulumi
from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from hops.model.settings.problem_text import in_words
from hops.model.settings.setting_types import Section


class ArgumentError(pulumi.RunError):
    """Arguments that a component cannot take: component, argument, value, bound and remedy, one problem a line."""


def checked(where: str, args: Mapping[str, Any], bounds: type[Section], declared: type) -> dict[str, Any]:
    """The arguments with their defaults, as plain values; an Output stays as it is, since it is known too late.

    where: the component's class and name, for messages.
    args: values by argument.
    bounds: the model whose fields are the arguments, with their bounds and defaults.
    declared: the TypedDict of the arguments. Those that are an `Input` there may be Outputs.

    Raises ArgumentError.
    """
    fields, inputs = bounds.model_fields, _inputs(declared)
    problems = [
        f"{where}: there is no argument {name}; the arguments are {', '.join(fields)}"
        for name in args
        if name not in fields
    ]
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if name not in inputs and (place := _output(args.get(name), name)):
            problems.append(
                f"{where}: the argument {place} is an Output, which a preview may not know. Give it a plain value"
            )
        elif isinstance(args.get(name), pulumi.Output):
            values[name] = args[name]
        elif name not in args and field.is_required():
            problems.append(f"{where}: the argument {name} is missing; give it a value")
        else:
            given = args[name] if name in args else field.get_default(call_default_factory=True)
            adapter = _adapter(bounds, name)
            try:
                # As JSON, like the settings of a stack: the two have one set of bounds.
                value = adapter.validate_json(json.dumps(_whole(given), default=str), strict=True)
                values[name] = adapter.dump_python(value, mode="json")
            except ValidationError as error:
                problems += [_sentence(where, name, field, problem) for problem in error.errors()]
    if problems:
        raise ArgumentError("\n".join(problems))
    return values


_IPV6 = frozenset(("ip_family", "pod_subnet_ipv6", "service_subnet_ipv6", "listen_address_ipv6"))


def as_before_ipv6(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values without those of IPv6 if `ip_family` is ipv4.

    Older versions had no such arguments, and the component stays as it was.
    """
    return {key: value for key, value in values.items() if values["ip_family"] != "ipv4" or key not in _IPV6}


@cache
def _inputs(declared: type) -> frozenset[str]:
    """The arguments that may be an Output or hold one."""
    # Evaluated, the annotations of Pulumi's SDK name what is not defined in this module.
    return frozenset(name for name, hint in declared.__annotations__.items() if "Output[" in str(hint))


def _output(value: Any, place: str) -> str:
    """Where an Output stands in a value, such as `routes[0]["path"]`; "" if none does."""
    if isinstance(value, pulumi.Output):
        return place
    items = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list | tuple) else ()
    return next((found for key, item in items if (found := _output(item, f"{place}[{json.dumps(key)}]"))), "")


@cache
def _adapter(bounds: type[Section], name: str) -> TypeAdapter[Any]:
    """The check of one argument. To make it takes a sixth of the time of a program with hundreds of components."""
    field = bounds.model_fields[name]
    return TypeAdapter(Annotated[field.annotation, None, *field.metadata])  # type: ignore[arg-type]


def _whole(value: Any) -> Any:
    """A program in another language sends every number as a float."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {key: _whole(item) for key, item in value.items()}
    return [_whole(item) for item in value] if isinstance(value, list | tuple) else value


def _sentence(where: str, name: str, field: FieldInfo, problem: ErrorDetails) -> str:
    place = name + "".join(f"[{json.dumps(part)}]" for part in problem["loc"] if part != "[key]")
    bound = in_words(problem, None if problem["loc"] else field) or problem["msg"].removeprefix("Value error, ")
    remedy = "Give it such a value"
    if not field.is_required():
        remedy += f", or leave it out: the default is {field.get_default(call_default_factory=True)}"
    return f"{where}: the argument {place} is {json.dumps(problem['input'])}: {bound}. {remedy}"
