"""Applies JSON patches to objects."""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any


def patched(body: Mapping[str, Any], operations: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """A deep copy of an object with RFC 6902 operations applied.

    body: the object.
    operations: the operations in order; only add, replace and remove are supported.

    Raises KeyError or IndexError if a path does not exist in the object.
    """
    result = deepcopy(dict(body))
    for operation in operations:
        *parents, last = [
            part.replace("~1", "/").replace("~0", "~") for part in operation["path"].removeprefix("/").split("/")
        ]
        target: Any = result
        for part in parents:
            target = target[int(part)] if isinstance(target, list) else target[part]
        match operation["op"], target:
            case "add", list():
                target.insert(len(target) if last == "-" else int(last), deepcopy(operation["value"]))
            case "remove", list():
                del target[int(last)]
            case "replace", list():
                target[int(last)] = deepcopy(operation["value"])
            case "remove", _:
                del target[last]
            case _:
                target[last] = deepcopy(operation["value"])
    return result
