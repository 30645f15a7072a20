"""The annotations that Contour reads, and what replaces those of other controllers.

From Contour 1.33.6: internal/annotation/annotations.go, internal/dag/policy.go (which reads per-try-timeout and
request-timeout too), internal/timeout, site/content/docs/1.33/config/annotations.md.
"""

import re
from collections.abc import Mapping

RESPONSE_TIMEOUT = "projectcontour.io/response-timeout"
"""The annotation of an Ingress with the time that its pods have for an answer."""
WEBSOCKETS = "projectcontour.io/websocket-routes"
"""The annotation of an Ingress with the paths that may become WebSockets."""
PROTOCOL = "projectcontour.io/upstream-protocol."
PROTOCOLS = tuple(f"{PROTOCOL}{name}" for name in ("h2c", "h2", "tls"))
"""The annotations of a Service that say what Envoy speaks to its pods, with the ports that they are for."""
LIMITS = tuple(
    f"projectcontour.io/{name}"
    for name in ("max-connections", "max-pending-requests", "max-requests", "max-retries", "per-host-max-connections")
)
"""The annotations of a Service that bound what Envoy sends to its pods at once."""

READ: Mapping[str, frozenset[str]] = {
    "Ingress": frozenset(
        {
            *("ingress.kubernetes.io/force-ssl-redirect", "kubernetes.io/ingress.allow-http"),
            *("kubernetes.io/ingress.class", "projectcontour.io/ingress.class"),
            *("projectcontour.io/num-retries", "projectcontour.io/per-try-timeout", "projectcontour.io/retry-on"),
            *("projectcontour.io/request-timeout", RESPONSE_TIMEOUT, WEBSOCKETS),
            *("projectcontour.io/tls-cert-namespace", "projectcontour.io/tls-maximum-protocol-version"),
            "projectcontour.io/tls-minimum-protocol-version",
        }
    ),
    "Service": frozenset({*LIMITS, *PROTOCOLS}),
    "HTTPProxy": frozenset({"kubernetes.io/ingress.class", "projectcontour.io/ingress.class"}),
}
"""The annotations that Contour reads, by kind."""
_RETIRED = "contour.heptio.com/"
_CONTOUR = (_RETIRED, "projectcontour.io/")
_OTHERS = (
    *("alb.ingress.kubernetes.io/", "appgw.ingress.kubernetes.io/", "haproxy-ingress.github.io/", "haproxy.org/"),
    *("ingress.kubernetes.io/", "konghq.com/", "nginx.ingress.kubernetes.io/", "nginx.org/"),
    "traefik.ingress.kubernetes.io/",
)
_REDIRECT = 'Set the annotation ingress.kubernetes.io/force-ssl-redirect to "true".'
_TIMEOUT = "Set the annotation projectcontour.io/response-timeout, with a unit, such as 60s."
_PROXY = "Replace the Ingress by an HTTPProxy with "
_INSTEAD: tuple[tuple[str, str], ...] = (
    ("rewrite-target", _PROXY + "pathRewritePolicy.replacePrefix in the route."),
    ("(force-)?ssl-redirect", _REDIRECT),
    (
        "backend-protocol|secure-backends",
        "Set the annotation projectcontour.io/upstream-protocol.h2c (gRPC) or .tls (HTTPS) of the Service to the port.",
    ),
    ("(proxy-(read|send)|request)-timeout", _TIMEOUT),
    ("proxy-connect-timeout", "Set timeouts.connect-timeout in Contour's configuration file."),
    ("proxy-body-size", "Remove the annotation; Contour does not limit the size of a request."),
    ("(enable-cors|cors-.*)", _PROXY + "virtualhost.corsPolicy."),
    ("canary.*", _PROXY + "weights of its services, or a header condition for a route."),
    ("(whitelist|allowlist)-source-range", _PROXY + "ipAllowPolicy."),
    ("denylist-source-range", _PROXY + "ipDenyPolicy."),
    ("auth-.*", _PROXY + "virtualhost.authorization."),
    ("(affinity.*|session-cookie-.*)", _PROXY + "loadBalancerPolicy.strategy Cookie in the route."),
    ("limit-.*", _PROXY + "rateLimitPolicy."),
    ("use-regex", _PROXY + "a regex condition for the route."),
    ("websocket-services", "Set the annotation projectcontour.io/websocket-routes to the paths."),
    ("(app-root|permanent-redirect.*|temporal-redirect)", _PROXY + "requestRedirectPolicy in the route."),
    ("upstream-vhost", _PROXY + "requestHeadersPolicy in the route, which sets Host."),
    ("proxy-ssl-.*", _PROXY + "validation of its services."),
    ("tls-min(imum)?-version", "Set the annotation projectcontour.io/tls-minimum-protocol-version."),
)


def unread(kind: str, key: str) -> str:
    """What to write instead of an annotation that Contour does not read, as a sentence; "" for another annotation.

    kind: Ingress, Service or HTTPProxy.
    key: key of the annotation.
    """
    read = READ[kind]
    if key in read or not key.startswith(_CONTOUR + _OTHERS):
        return ""
    name = key.partition("/")[2]
    if key.startswith(_RETIRED) and f"projectcontour.io/{name}" in read:
        return f"Rename the annotation to projectcontour.io/{name}."
    elsewhere = next((other for other, keys in READ.items() if key in keys), None)
    if elsewhere:
        return f"Move the annotation to the {elsewhere}; Contour reads it only there."
    for pattern, instead in _INSTEAD:
        if re.fullmatch(pattern, name):
            return instead
    return "Remove the annotation, or replace the Ingress by an HTTPProxy with the field that has this effect."


_INT32, _UINT32 = 2**31 - 1, 2**32 - 1
_DURATION = re.compile(r"[-+]?((\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h))+|[-+]?0|infinit(y|e)")
_VALUES: Mapping[str, tuple[re.Pattern[str], str]] = {
    **dict.fromkeys(
        ("per-try-timeout", "request-timeout", "response-timeout"),
        (_DURATION, "a duration with a unit, such as 60s, or infinity"),
    ),
    "num-retries": (re.compile(r"-1|\+?\d+"), f"-1 or a whole number of at most {_INT32}"),
    "tls-minimum-protocol-version": (re.compile(r"1\.[23]"), '"1.2" or "1.3"'),
    "tls-maximum-protocol-version": (re.compile(r"1\.[23]"), '"1.2" or "1.3"'),
    "force-ssl-redirect": (re.compile("true|false"), '"true" or "false"'),
    "ingress.allow-http": (re.compile("true|false"), '"true" or "false"'),
    **dict.fromkeys(
        (limit.partition("/")[2] for limit in LIMITS),
        (re.compile(r"\d+"), f"a whole number of at most {_UINT32}"),
    ),
}


def expected(kind: str, key: str, value: str) -> str:
    """The form that Contour expects of an annotation's value, as a noun; "" if the value has it.

    kind: of the object.
    key: of the annotation.
    value: of the annotation.
    """
    name = key.partition("/")[2]
    pattern, form = _VALUES.get(name, (None, ""))
    if key not in READ[kind] or not pattern or not value:
        return ""
    most = _INT32 if name == "num-retries" else _UINT32
    digits = value.lstrip("+0")
    too_large = digits.isdecimal() and (len(digits) > len(str(most)) or int(digits) > most)
    return form if too_large or not pattern.fullmatch(value) else ""
