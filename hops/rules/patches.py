"""JSON patches of objects (RFC 6902)."""

from collections.abc import Iterable, Mapping
from copy import copy, deepcopy
from typing import Any

from hops.rules.files.documents import parts

Operations = tuple[Mapping[str, Any], ...]


def put(path: str, value: Any) -> Mapping[str, Any]:
    """The operation that sets a key of a mapping, whether it exists or not."""
    return {"op": "add", "path": path, "value": value}


def patched(body: Mapping[str, Any], operations: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """A copy of an object with RFC 6902 operations applied. It shares with the object what they leave alone.

    body: the object, which stays as it is.
    operations: the operations in order; only add, replace, remove and the move of a key within its mapping are
        supported.

    Raises KeyError or IndexError if a path does not exist in the object.
    """
    result = dict(body)
    for operation in operations:
        *above, last = parts(operation["path"])
        target: Any = result
        for part in above:
            key = int(part) if isinstance(target, list) else part
            target[key] = copy(target[key])
            target = target[key]
        match operation["op"], target:
            case "add", list():
                target.insert(len(target) if last == "-" else int(last), deepcopy(operation["value"]))
            case "remove", list():
                del target[int(last)]
            case "replace", list():
                target[int(last)] = deepcopy(operation["value"])
            case "remove", _:
                del target[last]
            case "move", _:
                target[last] = target.pop(parts(operation["from"])[-1])
            case _:
                target[last] = deepcopy(operation["value"])
    return result
