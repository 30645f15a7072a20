"""Issuers of cert-manager (pkg/apis/acme/v1, ACMEChallengeSolverHTTP01Ingress)."""

from collections.abc import Mapping

from hops.kubernetes.values import JSON, at, sequence, text


def solver_classes(issuer: Mapping[str, JSON]) -> list[str]:
    """The ingress classes of an issuer's HTTP-01 solvers; none if a challenge can be solved without an Ingress."""
    found: list[str] = []
    for solver in sequence(at(dict(issuer), "spec", "acme", "solvers")):
        entry = at(solver, "http01", "ingress")
        given = text(at(entry, "ingressClassName")) or text(at(entry, "class"))
        if not given:
            return []
        found.append(given)
    return found
