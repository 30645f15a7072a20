"""What all checks find in a changed sight, so that no fault is told by two of them."""

from hops.model.finding import Finding
from hops.trace.checks.registry import CHECKS
from hops.trace.precedence import unexplained
from tests.hops.trace.names import JSON
from tests.hops.trace.observations import view


def found(sight: JSON) -> list[Finding]:
    """The findings in the order of the checks."""
    seen = view(sight)
    return unexplained(finding for check in CHECKS for finding in check(seen))


def codes(sight: JSON) -> list[str]:
    """The codes of the findings."""
    return [finding.code for finding in found(sight)]
