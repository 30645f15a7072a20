"""The fields of a single HTTPProxy for which Contour marks it as invalid.

From Contour 1.33: internal/dag/httpproxy_processor.go, policy.go, conditions.go. What the CRD's schema refuses is not
repeated here. Each function yields problems as (JSON pointer, sentence without a full stop).
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from hops.kubernetes.values import JSON, at, flag, mapping, network, sequence, text, texts
from hops.model.regular_expressions import matches_whole

Problem = tuple[str, str]

_HEADER = re.compile(r"[-A-Za-z0-9!#$%&'*+.^_`|~]+")
_URL = re.compile(
    r"(https?)://(?:[^\s/?#@]*@)?(?:\[[0-9A-Fa-f:.]+\]|[^\s/?#:\[\]]*)(?::[0-9]*)?(?:[/?#]\S*)?", re.IGNORECASE
)
"""A URL with the scheme http or https: user, host, port and the rest, as Go's url.Parse accepts them."""
_BARE = re.compile(r"[0-9.]+|[0-9A-Fa-f:.]+")


def host_problems(host: Mapping[str, JSON]) -> Iterator[Problem]:
    """The invalid fields of `spec.virtualhost`.

    host: the section virtualhost. Raises Undecidable if a value is unknown.
    """
    base = "/spec/virtualhost"
    tls = mapping(host.get("tls"))
    if sequence(host.get("jwtProviders")) and not text(tls.get("secretName")):
        yield f"{base}/jwtProviders", "jwtProviders require virtualhost.tls with secretName"
    if text(at(host, "authorization", "extensionRef", "name")) and not isinstance(host.get("tls"), dict):
        yield f"{base}/authorization", "authorization requires virtualhost.tls"
    yield from _addresses(host, base)
    yield from _limited(host, base)
    yield from _tls(host, tls, f"{base}/tls")
    yield from _tokens(host, f"{base}/jwtProviders")
    for index, origin in enumerate(texts(at(host, "corsPolicy", "allowOrigin"))):
        if not re.fullmatch(r"\*|\w+://[^/]+", origin) and _broken(origin):
            yield f"{base}/corsPolicy/allowOrigin/{index}", f"{origin} is neither an origin nor a regular expression"


def _tls(host: Mapping[str, JSON], tls: Mapping[str, JSON], base: str) -> Iterator[Problem]:
    passthrough, fallback = flag(tls.get("passthrough")), flag(tls.get("enableFallbackCertificate"))
    validation = at(tls, "clientValidation")
    validated = isinstance(validation, dict)
    lowest = text(tls.get("minimumProtocolVersion")) or "1.2"
    highest = text(tls.get("maximumProtocolVersion")) or "1.3"
    if not passthrough and (lowest, highest) == ("1.3", "1.2"):
        yield f"{base}/minimumProtocolVersion", "minimumProtocolVersion is higher than maximumProtocolVersion"
    if passthrough:
        if fallback:
            yield f"{base}/enableFallbackCertificate", "passthrough excludes enableFallbackCertificate"
        if validated:
            yield f"{base}/clientValidation", "passthrough excludes clientValidation"
        return
    if fallback:
        for name, used in (
            ("clientValidation", validated),
            ("authorization", isinstance(at(host, "authorization"), dict)),
            ("jwtProviders", bool(sequence(host.get("jwtProviders")))),
        ):
            if used:
                yield f"{base}/enableFallbackCertificate", f"enableFallbackCertificate excludes {name}"
    if validated and not text(at(validation, "caSecret")) and not flag(at(validation, "skipClientCertValidation")):
        yield f"{base}/clientValidation", "clientValidation requires caSecret or skipClientCertValidation"


def _tokens(host: Mapping[str, JSON], base: str) -> Iterator[Problem]:
    """The invalid providers of JSON Web Tokens."""
    names: set[str] = set()
    default = ""
    for index, provider in enumerate(sequence(host.get("jwtProviders"))):
        name = text(at(provider, "name")) or ""
        if name in names:
            yield f"{base}/{index}/name", f"two jwtProviders have the name {name}"
        names.add(name)
        if flag(at(provider, "default")):
            if default:
                yield f"{base}/{index}/default", f"{default} and {name} are both the default of jwtProviders"
            default = default or name
        address = text(at(provider, "remoteJWKS", "uri")) or ""
        url = _URL.fullmatch(address)
        if not url:
            yield f"{base}/{index}/remoteJWKS/uri", f"{address} is not a URL with the scheme http or https"
        elif url[1].lower() == "http" and isinstance(at(provider, "remoteJWKS", "validation"), dict):
            yield f"{base}/{index}/remoteJWKS/validation", "validation requires a URI with the scheme https"


def route_problems(route: JSON, base: str) -> Iterator[Problem]:
    """The invalid fields of an entry of `spec.routes`.

    route: the entry.
    base: its JSON pointer.

    Raises Undecidable if a value is unknown.
    """
    yield from _addresses(mapping(route), base)
    yield from _limited(mapping(route), base)
    yield from _rewritten(route, base, of_service=False)
    redirect = at(route, "requestRedirectPolicy")
    if text(at(redirect, "path")) is not None and text(at(redirect, "prefix")) is not None:
        yield f"{base}/requestRedirectPolicy", "requestRedirectPolicy sets both path and prefix"
    kinds = {key for c in sequence(at(route, "conditions")) for key in ("exact", "regex") if text(at(c, key))}
    if kinds and sequence(at(route, "pathRewritePolicy", "replacePrefix")):
        yield (
            f"{base}/pathRewritePolicy/replacePrefix",
            f"replacePrefix requires a prefix condition, and the route has {' and '.join(sorted(kinds))}",
        )
    tokens = at(route, "jwtVerificationPolicy")
    if text(at(tokens, "require")) and flag(at(tokens, "disabled")):
        yield f"{base}/jwtVerificationPolicy", "jwtVerificationPolicy sets both require and disabled"
    strategy = text(at(route, "loadBalancerPolicy", "strategy")) or "RoundRobin"
    for index, service in enumerate(sequence(at(route, "services"))):
        where = f"{base}/services/{index}"
        yield from _rewritten(service, where, of_service=True)
        subjects = texts(at(service, "validation", "subjectNames"))
        if subjects and subjects[0] != text(at(service, "validation", "subjectName")):
            yield f"{where}/validation/subjectNames", "the first entry of subjectNames is not subjectName"
        if strategy in ("Random", "Cookie", "RequestHash") and isinstance(at(service, "slowStartPolicy"), dict):
            message = f"slowStartPolicy requires the strategy RoundRobin or WeightedLeastRequest, not {strategy}"
            yield f"{where}/slowStartPolicy", message


def condition_problem(conditions: Sequence[JSON]) -> str:
    """Why Contour refuses single conditions of a route or include; "" if it accepts them."""
    for condition in conditions:
        query = mapping(at(condition, "queryParameter"))
        if query:
            given = [key for key in ("exact", "prefix", "suffix", "regex", "contains") if text(query.get(key))]
            given += ["present"] * bool(flag(query.get("present")))
            name = text(query.get("name"))
            if len(given) != 1:
                what = " and ".join(given) or "no condition"
                return f"queryParameter {name} requires exactly one condition and has {what}"
        for expression in (
            text(at(condition, "regex")),
            text(query.get("regex")),
            text(at(condition, "header", "regex")),
        ):
            if expression and _broken(expression):
                return f"{expression} is not a regular expression of RE2"
    return ""


def _broken(expression: str) -> bool:
    return matches_whole(expression, "") is None


def _addresses(owner: Mapping[str, JSON], base: str) -> Iterator[Problem]:
    """The invalid IP filters of a virtual host or route."""
    listed = {key: sequence(owner.get(key)) for key in ("ipAllowPolicy", "ipDenyPolicy")}
    if all(listed.values()):
        yield f"{base}/ipDenyPolicy", "ipAllowPolicy and ipDenyPolicy exclude each other"
    for key, policies in listed.items():
        for index, policy in enumerate(policies):
            cidr = text(at(policy, "cidr")) or ""
            bare, slash, bits = cidr.partition("/")
            if not (_BARE.fullmatch(bare) and network(cidr) and (not slash or bits.isdecimal())):
                yield f"{base}/{key}/{index}/cidr", f"{cidr} is not an IP address or network"


def _limited(owner: Mapping[str, JSON], base: str) -> Iterator[Problem]:
    """The invalid rate limits of a virtual host or route."""
    local = at(owner, "rateLimitPolicy", "local")
    yield from _headers(
        [text(at(header, "name")) or "" for header in sequence(at(local, "responseHeadersToAdd"))],
        f"{base}/rateLimitPolicy/local/responseHeadersToAdd",
    )
    shared = at(owner, "rateLimitPolicy", "global")
    if flag(at(shared, "disabled")):
        return
    for i, descriptor in enumerate(sequence(at(shared, "descriptors"))):
        for j, entry in enumerate(sequence(at(descriptor, "entries"))):
            kinds = [key for key in _ENTRIES if isinstance(at(entry, key), dict)]
            if len(kinds) != 1:
                where = f"{base}/rateLimitPolicy/global/descriptors/{i}/entries/{j}"
                what = " and ".join(kinds) or "none of them"
                yield where, f"an entry requires exactly one of {', '.join(_ENTRIES)} and has {what}"


_ENTRIES = ("genericKey", "requestHeader", "requestHeaderValueMatch", "remoteAddress")


def _rewritten(owner: JSON, base: str, *, of_service: bool) -> Iterator[Problem]:
    """The invalid header and cookie policies of a route or of one of its services."""
    for key in ("requestHeadersPolicy", "responseHeadersPolicy"):
        names = [text(at(header, "name")) or "" for header in sequence(at(owner, key, "set"))]
        yield from _headers(names, f"{base}/{key}/set")
        yield from _headers(texts(at(owner, key, "remove")), f"{base}/{key}/remove")
        if key == "responseHeadersPolicy" and "host" in {name.lower() for name in names}:
            yield f"{base}/{key}/set", "responseHeadersPolicy cannot set Host"
    policies = sequence(at(owner, "cookieRewritePolicies"))
    names = [text(at(policy, "name")) or "" for policy in policies]
    for name, count in Counter(names).items():
        if count > 1:
            yield f"{base}/cookieRewritePolicies", f"cookieRewritePolicies has {count} entries for cookie {name}"
    for index, policy in enumerate(policies):
        if not any(at(policy, key) is not None for key in ("pathRewrite", "domainRewrite", "secure", "sameSite")):
            owner_ = "service" if of_service else "route"
            yield (
                f"{base}/cookieRewritePolicies/{index}",
                f"an entry of the {owner_} rewrites no attribute of its cookie",
            )


def _headers(names: Sequence[str], base: str) -> Iterator[Problem]:
    """Header names that occur twice, in any case, or that HTTP does not allow."""
    seen: set[str] = set()
    for index, name in enumerate(names):
        if not _HEADER.fullmatch(name):
            yield f"{base}/{index}", f"{name!r} is not the name of a header"
        elif name.lower() in seen:
            yield f"{base}/{index}", f"header {name} occurs twice"
        seen.add(name.lower())
