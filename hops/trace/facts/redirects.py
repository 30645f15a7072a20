"""Where a redirect leads."""

import re

from hops.model.path import USUAL_PORTS
from hops.trace.facts.declared_routes import every, takes_host
from hops.trace.facts.path_facts import PathFacts
from hops.trace.facts.probes import SAFE
from hops.trace.observed.observation import FollowedRequest, Observation, SentRequest

_MOVED = (301, 302, 303, 307, 308)
MOST_REDIRECTS = 5
"""How many redirects of one request are followed."""
_ABSOLUTE = re.compile(
    r"(?:(?P<scheme>https?):)?//(?P<host>[0-9a-z._-]+)(?::(?P<port>\d{1,5}))?(?P<rest>(?:[/?][^#]*)?)(?:#.*)?",
    re.IGNORECASE,
)
"""A location with a host name; one with a user or an IPv6 address is not followed."""


def target(asked: FollowedRequest, answer: SentRequest | None) -> FollowedRequest | None:
    """The request that a client sends after a redirect (RFC 9110, section 15.4); None without one.

    asked: the request that was answered.
    answer: its answer.
    """
    location = answer.headers.get("location") if answer and answer.status in _MOVED else None
    if location is None:
        return None
    whole = _ABSOLUTE.fullmatch(location)
    if whole is None:
        # A path alone: from the root, or from the folder of the asked path.
        path = location.partition("#")[0]
        if ":" in path.partition("/")[0]:
            return None
        folder = asked.path.partition("?")[0].rpartition("/")[0]
        return asked.model_copy(update={"path": path if path.startswith("/") else f"{folder}/{path}"})
    scheme = (whole["scheme"] or asked.scheme).lower()
    port = int(whole["port"] or USUAL_PORTS[scheme])
    rest = whole["rest"] or "/"
    path = rest if rest.startswith("/") else f"/{rest}"
    return asked.model_copy(update={"scheme": scheme, "host": whole["host"].lower(), "port": port, "path": path})


def next_request(seen: Observation) -> FollowedRequest | None:
    """The request to follow after a redirect; None if there is none, or if it leaves the cluster's hosts.

    Only a method that changes nothing is repeated.
    """
    view = PathFacts(seen)
    found = target(seen.asked, view.request("client"))
    if found is None or not seen.asked.follow or seen.asked.method not in SAFE:
        return None
    known = found.host == seen.asked.host or any(
        route.host and takes_host(route.host, found.host) is not None for route in every(view)
    )
    return found if known else None
