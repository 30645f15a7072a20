"""What the arguments of an HTTPProxy and of an HTTPRoute share."""

from collections.abc import Mapping, Sequence
from typing import NotRequired, TypedDict


class RouteRedirect(TypedDict):
    """Where a route sends the client instead of a pod. What is left out stays as the client asked it."""

    scheme: NotRequired[str | None]
    """The new scheme. Default: None."""
    host: NotRequired[str | None]
    """The new host name. Default: None."""
    port: NotRequired[int | None]
    """The new port, 1 to 65535. Default: None."""
    path: NotRequired[str | None]
    """The new path, as a whole; not together with prefix. Default: None."""
    prefix: NotRequired[str | None]
    """What replaces the matched beginning of the path. Default: None."""
    status: NotRequired[int]
    """The status of the answer, 301 or 302. Default: 302."""


class RouteHeaders(TypedDict):
    """What Envoy changes in the headers of a request or an answer. At least one entry."""

    set: NotRequired[Mapping[str, str]]
    """Values by header name. A header that is there already is replaced. Default: none."""
    remove: NotRequired[Sequence[str]]
    """The names of headers. Default: none."""
