"""What the checks of values share: a refusal, networks, requirements on labels and names of ports."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from hops.kubernetes.schemas.refusals import Fault, Refusal, dotted
from hops.kubernetes.values import JSON, Undecidable, entries, mapping, network, sequence, steps, text

Check = Callable[[Mapping[str, Any], str], Iterator[Refusal]]
"""A check of a mapping and the JSON pointer of that mapping inside the object."""


def decided(check: Check, body: Mapping[str, Any], base: str) -> Iterator[Refusal]:
    """What a check refuses in a mapping, as far as its values are known."""
    with suppress(Undecidable):
        yield from check(body, base)


def refused(path: str, reason: str, remedy: str) -> Refusal:
    """A refusal whose message is the place of the value and the reason."""
    return Refusal(Fault.VALUE, path, f"{dotted(steps(path))} {reason}.", remedy)


def present(body: JSON, *keys: str) -> list[str]:
    """The keys of a mapping whose value is not null."""
    return [key for key in keys if mapping(body).get(key) is not None]


def refused_network(value: JSON, path: str, *, or_address: bool = False) -> Iterator[Refusal]:
    """Refuses a text that is no network in CIDR form.

    value: the text; a value of another type is accepted.
    path: its JSON pointer.
    or_address: whether an address without a prefix is accepted. Default: False.
    """
    given = text(value)
    if given is None:
        return
    given = given.strip()
    _, slash, prefix = given.partition("/")
    prefixed = prefix.isdecimal() if slash else or_address
    if not prefixed or network(given) is None:
        yield refused(
            path, f"is {given[:60]!r}, which is no network", "Write an address and a prefix, such as 10.0.0.0/8."
        )


def refused_requirement(demand: Mapping[str, Any], path: str) -> Iterator[Refusal]:
    """Refuses a requirement on labels (matchExpressions) whose operator and values do not fit."""
    operator, values = text(demand.get("operator")), sequence(demand.get("values"))
    if operator in ("In", "NotIn") and not values:
        yield refused(f"{path}/values", f"is missing, and the operator is {operator}", "Set values.")
    elif operator in ("Exists", "DoesNotExist") and values:
        yield refused(f"{path}/values", f"is set, and the operator is {operator}", "Remove values.")
    elif operator in ("Gt", "Lt") and len(values) != 1:
        yield refused(f"{path}/values", f"has not one entry, and the operator is {operator}", "Write one number.")


def refused_port_names(body: Mapping[str, Any], base: str) -> Iterator[Refusal]:
    """Refuses two ports of a container, or of a Service's spec, with one name."""
    seen: set[str] = set()
    for index, port in entries(sequence(body.get("ports"))):
        name = text(mapping(port).get("name"))
        if name and name in seen:
            yield refused(f"{base}/ports/{index}/name", f"is {name[:60]}, as that of another port", "Change one name.")
        seen.add(name or "")
