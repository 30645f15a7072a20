"""The certificate that a client is shown, and what it is for."""

from collections.abc import Iterator
from datetime import datetime

from hops.kubernetes.routing.proxies import proxy_tls
from hops.kubernetes.routing.route import Route, RouteTLS
from hops.kubernetes.values import at, text
from hops.model.finding import Identity
from hops.trace.facts.declared_routes import Claims
from hops.trace.facts.path_facts import THROUGH_ENVOY, PathFacts, identity
from hops.trace.observed.observation import Certificate, Handshake

_ROOT_CODES = (18, 19)
_ISSUER_CODES = (2, 20, 21)
"""X509_V_ERR_… of OpenSSL: self-signed certificates, and issuers that the client does not know."""


def handshake(view: PathFacts) -> Handshake | None:
    """The handshake that shows most: the first, from the client on, with certificates; None without TLS."""
    handshake_lines = [request.tls for place in THROUGH_ENVOY if (request := view.request(place)) and request.tls]
    return next((one for one in handshake_lines if one.chain), next(iter(handshake_lines), None))


def speaks_plain(handshake_lines: Handshake | None) -> bool:
    """Whether plain HTTP came back instead of a handshake."""
    return (
        handshake_lines is not None and not handshake_lines.protocol and "wrong version number" in handshake_lines.error
    )


def chain(view: PathFacts) -> tuple[Certificate, ...]:
    """The certificates that the server shows, its own first; empty if none were seen."""
    found = handshake(view)
    return found.chain if found else ()


def out_of_date(view: PathFacts) -> Certificate | None:
    """The first certificate of the chain that is expired or not yet valid."""
    now = datetime.fromisoformat(view.observation.taken)
    return next((one for one in chain(view) if not _begun(one) <= now <= _ended(one)), None)


def _begun(one: Certificate) -> datetime:
    return datetime.fromisoformat(one.begins)


def _ended(one: Certificate) -> datetime:
    return datetime.fromisoformat(one.ends)


def is_for(one: Certificate, host: str) -> bool:
    """Whether a certificate is for a host (RFC 6125, section 6.4): a wildcard stands for one label."""
    name = host.lower().rstrip(".")
    wildcard = f"*.{name.partition('.')[2]}"
    return any(given.lower() in (name, wildcard) for given in one.hosts)


def distrusted(view: PathFacts) -> str:
    """Why the client does not know who issued the certificate: "self-signed", "issuer", "incomplete"; "" if it does."""
    client = view.request("client")
    tls = client.tls if client else None
    if tls is None or tls.verified is not False or tls.code not in (*_ROOT_CODES, *_ISSUER_CODES):
        return ""
    if tls.code in _ROOT_CODES or not tls.chain or tls.chain[-1].subject == tls.chain[-1].issuer:
        return "self-signed" if len(tls.chain) < 2 and tls.code in _ROOT_CODES else "issuer"
    last = tls.chain[-1]
    # A certificate whose issuer can be fetched, or is of the organization that the client trusts, is no root's own.
    same = any(
        subject != last.issuer and _organization(subject) == _organization(last.issuer) for subject in tls.trusted
    )
    return "incomplete" if last.issued_at or (same and _organization(last.issuer)) else "issuer"


def _organization(name: str) -> str:
    return next((part for part in name.split(",") if part.startswith("O=")), "")


def secured(claimed: Claims) -> dict[tuple[str | None, str], list[Route]]:
    """The routes of the host that Contour reads, by the namespace and name of their certificate's Secret."""
    found: dict[tuple[str | None, str], list[Route]] = {}
    for route in claimed.all:
        if not route.owner and isinstance(route.tls, RouteTLS) and route.tls.secret:
            found.setdefault((route.tls.namespace, route.tls.secret), []).append(route)
    return found


def served_secret(view: PathFacts, claimed: Claims) -> Identity | None:
    """The Secret whose certificate the server shows, by its fingerprint, or else the one that the route names."""
    shown = next(iter(chain(view)), None)
    of_host = secured(claimed)
    cluster = view.observation.cluster
    for namespace, name in of_host:
        prints = cluster.fingerprints if cluster else {}
        if shown and prints.get(f"{namespace}/{name}") == shown.sha256:
            return secret(namespace, name)
    first = claimed.first
    if first and isinstance(first.tls, RouteTLS) and first.tls.secret:
        return secret(first.tls.namespace, first.tls.secret)
    return next((secret(*key) for key in of_host), None)


def secret(namespace: str | None, name: str) -> Identity:
    """A Secret as the subject of a finding."""
    return Identity("v1", "Secret", namespace, name)


def secret_problem(view: PathFacts, who: Identity) -> str:
    """Why a Secret cannot serve as a certificate, as a clause; "" if it can or was not seen."""
    if not view.sees("Secret"):
        return ""
    item = view.get("Secret", who.namespace, who.name)
    if item is None:
        return "it does not exist"
    kind = text(at(item, "type")) or "Opaque"
    if kind not in ("kubernetes.io/tls", "Opaque"):
        return f"it has the type {kind}, and kubernetes.io/tls is needed"
    cluster = view.observation.cluster
    return cluster.unusable.get(f"{who.namespace}/{who.name}", "") if cluster else ""


def validation(view: PathFacts) -> Iterator[tuple[Identity, str]]:
    """The HTTPProxies of the host that want a client's certificate, and the Secret of the authority that they name."""
    for proxy in view.of("HTTPProxy"):
        tls = proxy_tls(proxy)
        if tls and tls.host == view.asked.host and tls.client_authority is not None:
            yield identity(proxy), tls.client_authority or "an authority"
