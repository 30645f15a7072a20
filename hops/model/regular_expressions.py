"""Regular expressions as Envoy evaluates them: by RE2, in time that grows with the text only."""

import re2

_QUIET = re2.Options()
_QUIET.log_errors = False


def matches_whole(expression: str, path: str) -> bool | None:
    """Whether an expression matches a whole path; None if Envoy refuses the expression.

    Source: https://www.envoyproxy.io/docs/envoy/latest/api-v3/type/matcher/v3/regex.proto.
    """
    try:
        return re2.compile(expression, _QUIET).fullmatch(path) is not None
    except (re2.error, UnicodeError):
        return None
