"""Reads JSON values that may be missing, of the wrong type, or not known yet.

A wrong type reads as missing: the API server refuses it, and no rule may fail on it. UNKNOWN passes through every
function here and raises Undecidable as soon as anything is asked of it.
"""

import re
from collections.abc import Mapping, Sequence
from fnmatch import translate
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, NoReturn

JSON = Any
"""A JSON value: dict, list, str, int, float, bool, None; or UNKNOWN in the place of any of them."""


class Undecidable(Exception):  # noqa: N818 - it isn't an error but the third verdict
    """A rule needs a value that isn't known yet."""


class Unknown:
    """A value that only exists after the change was made; see UNKNOWN."""

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
"""Stands in a body for what a preview doesn't know. `is None` and `is True` don't see it: compare with `==` or `if`."""


def at(value: JSON, *keys: str | int) -> JSON:
    """What lies under the keys, None where nothing does."""
    for key in keys:
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and isinstance(key, int) and key < len(value):
            value = value[key]
        else:
            return UNKNOWN if value is UNKNOWN else None
    return value


def mapping(value: JSON) -> Mapping[str, JSON]:
    return value if isinstance(value, dict) or value is UNKNOWN else {}


def sequence(value: JSON) -> Sequence[JSON]:
    return value if isinstance(value, list) or value is UNKNOWN else ()


def text(value: JSON) -> str | None:
    return value if isinstance(value, str) or value is UNKNOWN else None


def flag(value: JSON) -> bool | None:
    return value if isinstance(value, bool) or value is UNKNOWN else None


def number(value: JSON) -> int | None:
    """An integer; the Pulumi engine sends 80 as 80.0."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if (isinstance(value, int) and not isinstance(value, bool)) or value is UNKNOWN else None


def texts(value: JSON) -> tuple[str, ...]:
    """The strings of a list."""
    if value is UNKNOWN:
        return UNKNOWN  # type: ignore[no-any-return]
    return tuple(item for item in sequence(value) if isinstance(item, str) or item is UNKNOWN)


def pairs(value: JSON) -> Mapping[str, str]:
    """Labels, annotations or a selector: the entries that are strings."""
    if value is UNKNOWN:
        return UNKNOWN  # type: ignore[no-any-return]
    return {k: v for k, v in mapping(value).items() if isinstance(k, str) and (isinstance(v, str) or v is UNKNOWN)}


def address(value: JSON) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text(value) or "")
    except ValueError:
        return None


def network(value: JSON) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(text(value) or "", strict=False)
    except ValueError:
        return None


def pointer(base: str, *parts: str | int) -> str:
    """A JSON pointer (RFC 6901)."""
    return base + "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def matches(pattern: str, name: str) -> bool:
    """Whether a name such as `DaemonSet/projectcontour/envoy` is one that a pattern with * means."""
    return _pattern(pattern).match(name) is not None


@lru_cache(maxsize=1024)
def _pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(translate(pattern))


def plain(value: Any) -> JSON:
    """A copy of dicts and lists for what only behaves like them, such as the policy SDK's proxies."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [plain(item) for item in value]
    return value


def unknown_paths(value: JSON, base: str = "") -> list[str]:
    """Where in a body UNKNOWN stands, as JSON pointers."""
    if value is UNKNOWN:
        return [base]
    if isinstance(value, dict):
        return [path for key, item in value.items() for path in unknown_paths(item, pointer(base, str(key)))]
    if isinstance(value, list):
        return [path for index, item in enumerate(value) for path in unknown_paths(item, pointer(base, index))]
    return []
