"""Which findings explain others away, as the codes declare it."""

from collections.abc import Iterable, Mapping

from hops.model.finding import Finding
from hops.trace.checks.registry import CODES, RULES

YIELDS_TO: Mapping[str, tuple[str, ...]] = {
    **{code.code: code.yields_to for code in CODES.values()},
    **RULES,
}
"""By code, the codes that explain it away."""


def unexplained(findings: Iterable[Finding]) -> list[Finding]:
    """The findings that no other one explains away, in their order.

    A finding goes where another one has a code that its own yields to, and both are about the same object. A finding
    that goes still explains others: what explains it explains them too.
    """
    given = list(findings)
    return [one for one in given if not any(_explains(other, one) for other in given)]


def _explains(one: Finding, other: Finding) -> bool:
    about = {other.resource, *other.about}
    return one.code in YIELDS_TO.get(other.code, ()) and not about.isdisjoint((one.resource, *one.about))
