"""What can break: where a redirect leads."""

from collections.abc import Callable, Iterator

from hops.kubernetes.routing.ingress_routes import FORCE_SSL
from hops.model.finding import Finding, Identity, Level, Severity
from hops.model.hop import HopName, PortMapping
from hops.trace.checks.host.name import LOOPBACK, client_address
from hops.trace.code import Code
from hops.trace.facts.declared_routes import claims
from hops.trace.facts.envoy_drift import taken
from hops.trace.facts.evidence import request_line
from hops.trace.facts.live_rules import patched
from hops.trace.facts.path_facts import PathFacts, identity
from hops.trace.facts.redirects import MOST_REDIRECTS, target
from hops.trace.facts.remedies import command, kubectl, mend, over_https
from hops.trace.facts.served_certificate import speaks_plain
from hops.trace.observed.observation import Observation, SentRequest
from hops.trace.readers import envoy

_REDIRECTION = "https://projectcontour.io/docs/1.33/config/request-routing/#redirecting-requests"

redirected = Code(
    code="T51",
    hop=HopName.ROUTE,
    title="Envoy redirects the client",
    symptom="301 or 302 with a `location` header from Envoy itself. The request reaches no pod.",
    cause="An HTTPProxy with TLS, or an Ingress with `ingress.kubernetes.io/force-ssl-redirect`, redirects HTTP "
    "requests to https. This is intended. The trace follows the redirect and reports both requests; `--no-follow` "
    "ends it at the first. It does not follow a redirect to a host that the cluster does not serve.",
    confirmed_by="The answer has a location and no `x-envoy-upstream-service-time`; a pod's own redirect has both.",
    remedy="Request the location itself: `curl --insecure https://…`.",
    level=Level.ADVISORY,
    severity=Severity.LOW,
    yields_to=("T59", "T60"),
    references=("https://projectcontour.io/docs/1.33/config/tls-termination/",),
)
into_nothing = Code(
    code="T59",
    hop=HopName.ROUTE,
    title="Nothing answers at the location of the redirect",
    symptom="`curl --location` ends with 7 or 35 after a 301: connection refused, or wrong version number.",
    cause="Nothing answers at the port or host of the location. For https, Envoy redirects a request from port 80 "
    "to port 443 and keeps any other port: if HTTP is published on 8080, the location is https on 8080, where Envoy "
    "serves HTTP. Or https is not published on 443.",
    confirmed_by="The first request is answered with a location, and the request to that location cannot connect, or "
    "gets an answer in plain HTTP.",
    remedy="Publish https on the port of the location, or serve plain HTTP without the redirect.",
    ends_redirects=True,
    references=(_REDIRECTION,),
)
circle = Code(
    code="T60",
    hop=HopName.ROUTE,
    title="The redirects form a loop",
    symptom="`curl --location` ends with 47: maximum redirects followed.",
    cause="A location leads back to a request that was already redirected: two rules redirect to each other, or the "
    "pod redirects to https because it does not know that the client already uses it.",
    confirmed_by="The trace follows the locations and reaches the same request again, or stops after five redirects.",
    remedy="Remove the redirect of the route, or give the pod the scheme of the client (`x-forwarded-proto`).",
    ends_redirects=True,
    references=(_REDIRECTION,),
)


def _chain(seen: Observation) -> list[Observation]:
    """The observations of a request and of those that its redirects led to."""
    found = [seen]
    while then := found[-1].then:
        found.append(then)
    return found


def _elsewhere(view: PathFacts) -> Iterator[Finding]:
    answer = view.request("client")
    if answer is None or not answer.redirected:
        return
    has, location = taken(view), answer.headers["location"]
    followed = "the trace follows it" if view.observation.then else "no pod is asked"
    message = f"Envoy answers {answer.status} and sends the client to {location}; {followed}."
    evidence = [request_line(answer), *([f"Envoy's route: {envoy.shown(has)}"] if has else [])]
    yield redirected.finding(_subject(view, answer), message, "", evidence, look=_followed(view, location))


def _into_nothing(view: PathFacts) -> Iterator[Finding]:
    then, answer = view.observation.then, view.request("client")
    if then is None or answer is None or then.then:
        return
    beyond = PathFacts(then)
    sent = beyond.request("client")
    if sent is None or sent.status is not None:
        return
    plain = speaks_plain(sent.tls)
    if "connect" in sent.seconds and not plain:
        return
    # Where the node publishes the port, the path behind it is broken, and the second trace tells how.
    if not plain and beyond.published and then.asked.host == view.asked.host:
        return
    url = then.asked.url
    why = "a port that serves plain HTTP" if plain else f"where nothing answers: {sent.error or sent.failure}"
    message = f"It redirects to {url}, {why}."
    who = _subject(view, answer)
    by_https = over_https(view) if answer.redirected and who.kind == "HTTPProxy" else ""
    if by_https:
        message = f"{message[:-1]}: Contour always redirects an HTTPProxy with tls, and Envoy keeps any port but 80."
    remedy = by_https or (_plain(view, who) if answer.redirected else "")
    evidence = [request_line(answer), request_line(sent)]
    evidence += [f"https is published on port {m.host}" for m in _secure(view)]
    look = _followed(view, f"https://{then.asked.host}{then.asked.path}")
    hop = HopName.ROUTE if answer.redirected else HopName.POD
    yield into_nothing.finding(who, message, remedy, evidence, hop=hop, look=look)


def _circle(view: PathFacts) -> Iterator[Finding]:
    seen, answer = _chain(view.observation), view.request("client")
    if len(seen) < 2 or answer is None:
        return
    urls = [one.asked.url for one in seen]
    end = target(seen[-1].asked, PathFacts(seen[-1]).request("client"))
    endless = end is not None and (end.url in urls or len(seen) > MOST_REDIRECTS)
    if len(set(urls)) == len(urls) and not endless:
        return
    who = _subject(view, answer)
    evidence = [f"{one.asked.url}: {request_line(sent)}" for one in seen if (sent := PathFacts(one).request("client"))]
    way = " -> ".join([*dict.fromkeys(urls), end.url if end else urls[-1]])
    message = f"The redirects do not end: {way}."
    remedy = _plain(view, who) if answer.redirected else ""
    hop = HopName.ROUTE if answer.redirected else HopName.POD
    yield circle.finding(who, message, remedy, evidence, hop=hop, look=command("curl", "--head", view.asked.url))


def _subject(view: PathFacts, answer: SentRequest) -> Identity:
    """The object that redirects: the route if Envoy did, or else the pod."""
    first = claims(view).first
    if not answer.redirected and view.pods:
        return identity(view.pods[0])
    return first.resource.identity if first else Identity("networking.k8s.io/v1", "Ingress", None, view.asked.host)


def _plain(view: PathFacts, who: Identity) -> str:
    """The command that takes the redirect out of a route."""
    route = claims(view).first
    if who.kind == "Ingress":
        return mend(view, who, kubectl(view, "annotate", "ingress", who.name, f"{FORCE_SSL}-", namespace=who.namespace))
    if who.kind == "HTTPProxy" and route and not route.redirect:
        return patched(view, who, {"op": "add", "path": f"{route.pointer}/permitInsecure", "value": True})
    if who.kind == "HTTPProxy" and route:
        # Where the request should go instead is not known: a route without its redirect needs Services.
        return kubectl(view, "edit", "httpproxy", who.name, namespace=who.namespace)
    return ""


def _secure(view: PathFacts) -> list[PortMapping]:
    return [m for m in view.entrypoint.mappings if m.scheme == "https"] if view.entrypoint else []


def _followed(view: PathFacts, location: str) -> str:
    """The command that asks for a location, by the port that is published for https, if one is."""
    secure = next(iter(_secure(view)), None)
    enter = ("--connect-to", f"::{client_address(view) or LOOPBACK}:{secure.host}") if secure else ()
    return command("curl", "--insecure", *enter, location)


CHECKS: tuple[Callable[[PathFacts], Iterator[Finding]], ...] = (_elsewhere, _into_nothing, _circle)
