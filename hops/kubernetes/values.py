"""Reads JSON values that may be missing, of the wrong type, or unknown in a preview.

A value of the wrong type reads as missing: the API server rejects it, and no rule may fail on it. UNKNOWN passes
through every function of this module and raises Undecidable when it is used.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import translate
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, NoReturn

JSON = Any
"""A JSON value: dict, list, str, int, float, bool or None, or UNKNOWN instead of any of them."""


class Undecidable(Exception):  # noqa: N818 - not an error, but a third verdict
    """A rule requires a value that is not known yet."""


class Unknown:
    """The type of UNKNOWN."""

    __slots__ = ()

    def _undecidable(self, *_: object) -> NoReturn:
        raise Undecidable

    __bool__ = __len__ = __iter__ = __contains__ = __getitem__ = __str__ = __format__ = __int__ = __float__ = (
        _undecidable
    )
    __lt__ = __le__ = __gt__ = __ge__ = __add__ = __radd__ = __sub__ = __rsub__ = __call__ = _undecidable
    __eq__ = __ne__ = __hash__ = _undecidable

    def __getattr__(self, name: str) -> NoReturn:
        # Python's own protocols ask whether a method is there at all.
        raise AttributeError(name) if name.startswith("__") else Undecidable

    def __copy__(self) -> "Unknown":
        return self

    def __deepcopy__(self, _: object) -> "Unknown":
        return self

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Any = Unknown()
"""Placeholder for a value that exists only after the update.

Every use raises Undecidable, except `is None` and `is True`, which are False: use `==` or `if` instead.
"""


def at(value: JSON, *keys: str | int) -> JSON:
    """The value under a sequence of keys and list indexes.

    Returns None if a step does not exist, and UNKNOWN if a step is unknown.
    """
    for key in keys:
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and isinstance(key, int) and key < len(value):
            value = value[key]
        else:
            return UNKNOWN if value is UNKNOWN else None
    return value


def mapping(value: JSON) -> Mapping[str, JSON]:
    """The value if it is a mapping, otherwise an empty one."""
    return value if isinstance(value, dict) or value is UNKNOWN else {}


def sequence(value: JSON) -> Sequence[JSON]:
    """The value if it is a list, otherwise an empty sequence."""
    return value if isinstance(value, list) or value is UNKNOWN else ()


def entries(value: Sequence[JSON]) -> Iterator[tuple[int, JSON]]:
    """The mappings and UNKNOWN items of a list, with their indexes."""
    return ((i, item) for i, item in enumerate(value) if isinstance(item, dict) or item is UNKNOWN)


def text(value: JSON) -> str | None:
    """The value if it is a string, otherwise None."""
    return value if isinstance(value, str) or value is UNKNOWN else None


def flag(value: JSON) -> bool | None:
    """The value if it is a boolean, otherwise None."""
    return value if isinstance(value, bool) or value is UNKNOWN else None


def number(value: JSON) -> int | None:
    """The value if it is a whole number, otherwise None. The Pulumi engine sends 80 as 80.0."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if (isinstance(value, int) and not isinstance(value, bool)) or value is UNKNOWN else None


def texts(value: JSON) -> tuple[str, ...]:
    """The strings in a list; other items are skipped."""
    if value is UNKNOWN:
        return UNKNOWN  # type: ignore[no-any-return]
    return tuple(item for item in sequence(value) if isinstance(item, str) or item is UNKNOWN)


def pairs(value: JSON) -> Mapping[str, str]:
    """The string entries of a mapping, such as labels, annotations or a selector."""
    if value is UNKNOWN:
        return UNKNOWN  # type: ignore[no-any-return]
    return {k: v for k, v in mapping(value).items() if isinstance(k, str) and (isinstance(v, str) or v is UNKNOWN)}


def protocol(value: JSON) -> str:
    """The protocol of a port; Kubernetes' default is TCP."""
    return value if (isinstance(value, str) and value) or value is UNKNOWN else "TCP"


def address(value: JSON) -> IPv4Address | IPv6Address | None:
    """The IP address in a string, otherwise None."""
    try:
        return ip_address(text(value) or "")
    except ValueError:
        return None


def network(value: JSON) -> IPv4Network | IPv6Network | None:
    """The IP network in a string, with host bits cleared, otherwise None."""
    try:
        return ip_network(text(value) or "", strict=False)
    except ValueError:
        return None


def pointer(base: str, *parts: str | int) -> str:
    """A JSON pointer (RFC 6901): the base extended by escaped parts."""
    return base + "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def steps(pointer: str) -> tuple[str | int, ...]:
    """The keys and indices that a JSON pointer leads along, as `at` takes them; a key of digits counts as an index."""
    found = (part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:])
    return tuple(int(part) if part.isdigit() else part for part in found)


def matches(pattern: str, name: str) -> bool:
    """Whether a pattern, in which * matches any text, matches a name such as `DaemonSet/projectcontour/envoy`."""
    return _pattern(pattern).match(name) is not None


@lru_cache(maxsize=1024)
def _pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(translate(pattern))


def plain(value: Any) -> JSON:
    """A copy in plain dicts and lists of a value that only behaves like them, such as the policy SDK's proxies."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [plain(item) for item in value]
    return value


def unknown_paths(value: JSON, base: str = "") -> list[str]:
    """The JSON pointers of all UNKNOWN values in a body."""
    if value is UNKNOWN:
        return [base]
    if isinstance(value, dict):
        return [path for key, item in value.items() for path in unknown_paths(item, pointer(base, str(key)))]
    if isinstance(value, list):
        return [path for index, item in enumerate(value) for path in unknown_paths(item, pointer(base, index))]
    return []
