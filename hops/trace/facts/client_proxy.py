"""The HTTP proxy that a client on this machine uses, as its environment says.

Source: https://curl.se/docs/manpage.html, ENVIRONMENT, and curl's lib/noproxy.c.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from hops.trace.observed.observation import FollowedRequest

PROXY_VARIABLES = ("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY")
"""The variables that curl reads. It does not read HTTP_PROXY, which a web server may set for a CGI program."""
_USUAL = 1080
"""curl's port of a proxy without one."""
_URL = re.compile(
    r"(?:(?P<scheme>[a-z][a-z0-9+.-]*)://)?(?:[^/@]*@)?(?P<host>\[[0-9a-f:.]+\]|[^/:@\[\]]+)(?::(?P<port>\d{1,5}))?/?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class ClientProxy:
    """A proxy of the client.

    variable: the variable that names it.
    scheme: of its URL.
    host, port: its address.
    """

    variable: str
    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"


def client_proxy(environment: Mapping[str, str], asked: FollowedRequest) -> ClientProxy | None:
    """The proxy that curl sends a request to; None if it sends the request itself.

    environment: the variables of PROXY_VARIABLES that are set.
    """
    names = {"http": ("http_proxy",), "https": ("https_proxy", "HTTPS_PROXY")}[asked.scheme]
    name = next((n for n in (*names, "all_proxy", "ALL_PROXY") if environment.get(n)), None)
    if name is None or spared(environment, asked.host):
        return None
    found = _URL.fullmatch(environment[name])
    if found is None:
        return None
    return ClientProxy(name, (found["scheme"] or "http").lower(), found["host"], int(found["port"] or _USUAL))


def spared(environment: Mapping[str, str], host: str) -> bool:
    """Whether no_proxy keeps requests for a host from the proxy."""
    given = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    if given.strip() == "*":
        return True
    return any(_covers(entry.strip().lower(), host.lower()) for entry in given.replace(",", " ").split())


def _covers(entry: str, host: str) -> bool:
    try:
        return ip_address(host) in ip_network(entry, strict=False)
    except ValueError:
        name = entry.strip(".")
        return bool(name) and (host == name or host.endswith(f".{name}"))
