"""Whether the followed request meets a route's conditions on method, headers and query."""

from collections.abc import Iterable

from hops.model.hop import RouteCondition
from hops.model.regular_expressions import matches_whole
from hops.trace.observed.observation import FollowedRequest
from hops.trace.observed.redact import GONE


def met(conditions: Iterable[RouteCondition], asked: FollowedRequest) -> bool:
    """Whether a request meets conditions."""
    return all(_meets(condition, asked) is not condition.negated for condition in conditions)


def _meets(condition: RouteCondition, asked: FollowedRequest) -> bool:
    given: dict[str, str] = {"": asked.method}
    if condition.part == "header":
        given = {name.lower(): value for name, value in asked.headers.items()}
    elif condition.part == "query":
        # Envoy compares with the first of several values, as they are encoded.
        pairs = [pair.partition("=")[::2] for pair in asked.path.partition("?")[2].split("&")]
        given = dict(reversed(pairs))
    value = given.get(condition.name)
    if value is None:
        return False
    if value == GONE:
        # A secret is compared by Envoy alone; the request is taken to be meant for the route.
        return not condition.negated
    if condition.how == "regex":
        return matches_whole(condition.value, value) is not False
    return {
        "contains": condition.value in value,
        "prefix": value.startswith(condition.value),
        "suffix": value.endswith(condition.value),
        "exact": value == condition.value,
    }.get(condition.how, True)
