"""What can break: TLS at hop 4, where Envoy ends it."""

import json
from collections.abc import Callable, Iterator

from hops.kubernetes.routing.route import Route, RouteTLS
from hops.model.finding import Finding, Identity, Level, Severity
from hops.model.hop import HopName
from hops.trace.code import Code
from hops.trace.facts.declared_routes import Claims, claims, sees_routes
from hops.trace.facts.envoy_drift import contour_runs, suffers
from hops.trace.facts.evidence import handshake_lines, request_line
from hops.trace.facts.live_rules import patched
from hops.trace.facts.path_facts import THROUGH_ENVOY, PathFacts, container
from hops.trace.facts.remedies import command, kubectl, mend, owns, route_setting
from hops.trace.facts.served_certificate import (
    chain,
    distrusted,
    handshake,
    is_for,
    out_of_date,
    secret,
    secret_problem,
    secured,
    served_secret,
    speaks_plain,
    validation,
)
from hops.trace.readers import envoy

_TLS_PAGE = "https://projectcontour.io/docs/1.33/config/tls-termination/"
_VERSION = "projectcontour.io/tls-minimum-protocol-version"

out_of_dates = Code(
    code="T53",
    hop=HopName.ROUTE,
    title="The certificate is expired, or not yet valid",
    symptom="`curl` ends with 60: certificate has expired.",
    cause="The certificate in the Secret was not renewed, or a clock is wrong.",
    confirmed_by="The handshake shows the chain, and the time of the trace is outside the validity of one of its "
    "certificates. T21 covers the certificates between Envoy and Contour.",
    remedy="Put a new certificate into the Secret. Contour sends it to Envoy at once.",
    references=(_TLS_PAGE,),
)
other_host = Code(
    code="T54",
    hop=HopName.ROUTE,
    title="The certificate is for another host",
    symptom="`curl` ends with 60: no alternative certificate subject name matches the host name.",
    cause="The Secret of the route holds a certificate that does not name the host. Clients read the subject "
    "alternative names only, not the common name.",
    confirmed_by="The handshake shows a certificate, and none of its names, wildcards included, matches the requested "
    "host.",
    remedy="Put a certificate for the host into the Secret, or name the Secret that has one.",
    references=(_TLS_PAGE, "https://www.rfc-editor.org/rfc/rfc6125#section-6.4"),
)
unknown_issuer = Code(
    code="T55",
    hop=HopName.ROUTE,
    title="The client does not know the issuer of the certificate",
    symptom="`curl` ends with 60: self-signed certificate, or unable to get local issuer certificate.",
    cause="The certificate is self-signed, or its authority is a private one that this machine does not trust.",
    confirmed_by="The client's handshake ends with the OpenSSL error 18, 19, 20 or 21, and the chain is complete as "
    "far as is known. `--cacert` names the authorities to trust, `--insecure` accepts any.",
    remedy="Give the authority's certificate to the client: `curl --cacert FILE`.",
    references=(_TLS_PAGE,),
)
incomplete = Code(
    code="T56",
    hop=HopName.ROUTE,
    title="The chain lacks the certificate of an intermediate authority",
    symptom="`curl` ends with 60: unable to get local issuer certificate. Some browsers fetch the missing one.",
    cause="tls.crt in the Secret holds the server's certificate only, and not the intermediate ones behind it.",
    confirmed_by="The last certificate that is shown is not self-signed, the client does not know its issuer, and that "
    "issuer is no root: the certificate says where to fetch it, or it is of the organization that the client trusts.",
    remedy="Put the server's certificate and all intermediate ones, in this order, into tls.crt.",
    references=(_TLS_PAGE, "https://www.rfc-editor.org/rfc/rfc8446#section-4.4.2"),
)
bad_secret = Code(
    code="T57",
    hop=HopName.ROUTE,
    title="The Secret of the certificate is missing or unusable",
    symptom="The TLS handshake is refused: `curl` ends with 35. An HTTPProxy is not served at all: 404.",
    cause="The route, or the listener of its Gateway, names a Secret that does not exist, is not of type "
    "kubernetes.io/tls, or has no usable tls.crt and tls.key. Contour then opens no TLS for the host.",
    confirmed_by="The route that matches the request names the Secret, and the API's list of Secrets, its type or its "
    "entries show the fault. Private keys are compared and never saved.",
    remedy="Create the Secret anew: `kubectl create secret tls`.",
    references=("https://kubernetes.io/docs/concepts/configuration/secret/#tls-secrets", _TLS_PAGE),
)
no_tls = Code(
    code="T58",
    hop=HopName.ROUTE,
    title="No TLS is served for the host, though its port is open",
    symptom="`curl https://…` ends with 35: the connection is closed during the handshake.",
    cause="No route of the host has TLS. Without any route with TLS, Envoy has no HTTPS listener. With TLS routes "
    "of other hosts only, Envoy closes a connection whose server name (SNI) it does not know. Or the port leads to "
    "Envoy's HTTP listener.",
    confirmed_by="The handshake fails, routes claim the host, and none of them names a certificate; or plain HTTP "
    "comes back: OpenSSL's wrong version number.",
    remedy="Add `tls` with the host and a Secret to the Ingress, `virtualhost.tls` to the HTTPProxy, or a listener of "
    "protocol HTTPS to the Gateway. In a stack's file, set `tls` of the route.",
    references=(_TLS_PAGE,),
)
version_too_high = Code(
    code="T61",
    hop=HopName.ROUTE,
    title="The server requires a newer TLS version than the client supports",
    symptom="`curl` ends with 35: tlsv1 alert protocol version.",
    cause="The minimum TLS version of the route, or of Contour's configuration, is above the newest one of the client.",
    confirmed_by="The handshake ends with the alert protocol_version. `--tls-max` limits the trace's own client, as "
    "curl's option does.",
    remedy="Lower the minimum version of the route to 1.2, or use a newer client.",
    references=("https://projectcontour.io/docs/1.33/config/annotations/",),
)
client_certificate = Code(
    code="T62",
    hop=HopName.ROUTE,
    title="The server requires a client certificate",
    symptom="`curl` ends with 56 or 35: tlsv13 alert certificate required, or handshake failure.",
    cause="The HTTPProxy has `clientValidation`: only clients with a certificate of its authority are served.",
    confirmed_by="The server asks for a certificate during the handshake and sends no answer without one.",
    remedy="Send a certificate of that authority: `curl --cert FILE --key FILE`.",
    references=("https://projectcontour.io/docs/1.33/config/tls-termination/#client-certificate-validation",),
)
two_certificates = Code(
    code="T63",
    hop=HopName.ROUTE,
    title="Two certificates are declared for one host",
    symptom="Clients get one of the two certificates, and possibly the other after a change of either object.",
    cause="Two objects of one host name different Secrets. Envoy serves one certificate for a server name: Contour "
    "keeps that of the object that it reads last.",
    confirmed_by="The routes of the host name more than one Secret. The fingerprint shows which of them is served.",
    remedy="Name one Secret in all objects of the host.",
    level=Level.ADVISORY,
    severity=Severity.MEDIUM,
    references=(_TLS_PAGE,),
)


def _seen(view: PathFacts) -> list[str]:
    """The handshakes as evidence, the client's first."""
    sent = [request for place in THROUGH_ENVOY if (request := view.request(place)) and request.tls]
    return [line for request in sent[:1] for line in (request_line(request), *handshake_lines(request))]


def _subject(view: PathFacts, claimed: Claims) -> Identity:
    return served_secret(view, claimed) or Identity("networking.k8s.io/v1", "Ingress", None, view.asked.host)


def _about(claimed: Claims) -> list[Identity]:
    return [claimed.first.resource.identity] if claimed.first else []


def _replaced(view: PathFacts, who: Identity) -> str:
    """The command that puts the certificate of a file and its key into a Secret."""
    if who.kind != "Secret":
        return ""
    files = ("--cert", "tls.crt", "--key", "tls.key", "--dry-run=client", "--output", "yaml")
    make = kubectl(view, "create", "secret", "tls", who.name, *files, namespace=who.namespace)
    return mend(view, who, f"{make} | {kubectl(view, 'apply', '--filename', '-', namespace=who.namespace)}")


def _new_secret(view: PathFacts, who: Identity) -> str:
    """The same for a Secret that has another type, which cannot be changed."""
    gone = kubectl(view, "delete", "secret", who.name, "--ignore-not-found", namespace=who.namespace)
    return f"{gone} && {_replaced(view, who)}"


def _with_files(view: PathFacts, who: Identity, message: str) -> str:
    """A message, with the files that the command of `_replaced` reads; the stack makes its own certificates."""
    files = "Put the new certificate with its chain into tls.crt and its key into tls.key first."
    return message if owns(view, who) else f"{message} {files}"


def _dates(view: PathFacts) -> Iterator[Finding]:
    one = out_of_date(view)
    if one is None:
        return
    claimed = claims(view)
    who, late = _subject(view, claimed), one.ends < view.observation.taken
    message = f"The certificate {one.subject} {'expired on ' + one.ends if late else 'is valid from ' + one.begins}."
    stops = not view.asked.insecure and view.well is not True
    remedy, look = _replaced(view, who), _chain_look(view)
    yield out_of_dates.finding(
        who,
        _with_files(view, who, message),
        remedy,
        _seen(view),
        stops=stops,
        look="" if remedy else look,
        about=_about(claimed),
    )


def _names(view: PathFacts) -> Iterator[Finding]:
    leaf = next(iter(chain(view)), None)
    if leaf is None or is_for(leaf, view.asked.host):
        return
    claimed = claims(view)
    who = _subject(view, claimed)
    hosts = ", ".join(leaf.hosts) or "no host"
    message = f"The certificate is for {hosts}, and not for {view.asked.host}."
    stops = not view.asked.insecure and view.well is not True
    remedy = _replaced(view, who)
    look = "" if remedy else _chain_look(view)
    yield other_host.finding(
        who, _with_files(view, who, message), remedy, _seen(view), stops=stops, look=look, about=_about(claimed)
    )


def _chain_look(view: PathFacts) -> str:
    client = view.request("client")
    where = f"{client.address if client else view.asked.host}:{view.asked.port}"
    return command("openssl", "s_client", "-showcerts", "-connect", where, "-servername", view.asked.host)


def _issuers(view: PathFacts) -> Iterator[Finding]:
    why = distrusted(view)
    if not why:
        return
    claimed, last = claims(view), chain(view)[-1:]
    who = _subject(view, claimed)
    if why == "incomplete":
        message = f"The chain ends with {last[0].subject}; its issuer {last[0].issuer} is missing."
        said = _with_files(view, who, message)
        yield incomplete.finding(who, said, _replaced(view, who), _seen(view), about=_about(claimed))
        return
    issuer = last[0].issuer if last else "an unknown authority"
    said = (
        f"It is self-signed: {issuer}" if why == "self-signed" else f"This machine does not trust its issuer {issuer}"
    )
    known = view.observation.cluster.authorities if view.observation.cluster else {}
    entry = "tls.crt" if f"{who.namespace}/{who.name}" not in known else "ca.crt"
    path = f"jsonpath={{.data.{entry.replace('.', chr(92) + '.')}}}"
    remedy = ""
    if who.kind == "Secret":
        words = ("get", "secret", who.name, "--output", path)
        port, host = view.asked.port, view.asked.host
        client = view.request("client")
        enter = ("--connect-to", f"::{client.address}:{port}") if client and client.address else ()
        asked = command("curl", "--cacert", "ca.crt", *enter, f"https://{host}:{port}{view.asked.path}")
        remedy = f"{kubectl(view, *words, namespace=who.namespace)} | base64 --decode > ca.crt && {asked}"
    look = "" if remedy else _chain_look(view)
    yield unknown_issuer.finding(who, f"{said}.", remedy, _seen(view), look=look, about=_about(claimed))


def _first(view: PathFacts) -> Route | None:
    """The route that should take the request, where the request suffers and the routes are known."""
    return claims(view).first if sees_routes(view) and suffers(view) else None


def _secrets(view: PathFacts) -> Iterator[Finding]:
    route = _first(view)
    if route is None or not isinstance(route.tls, RouteTLS) or not route.tls.secret or contour_runs(view) is False:
        return
    if view.asked.scheme != "https" and route.accepted is not False:
        return
    who = secret(route.tls.namespace, route.tls.secret)
    if problem := secret_problem(view, who):
        evidence = [f"{route.tls.resource} names Secret {who.namespace}/{who.name}", *route.said, *_seen(view)]
        message = _with_files(view, who, f"The certificate cannot be used: {problem}.")
        yield bad_secret.finding(who, message, _new_secret(view, who), evidence, about=[route.resource.identity])


def _unserved(view: PathFacts) -> Iterator[Finding]:
    route, shown = _first(view), handshake(view)
    if route is None or view.asked.scheme != "https" or (shown and shown.protocol):
        return
    if speaks_plain(shown):
        yield _plain(view)
        return
    if secured(claims(view)) or not any(request.tls for request in view.observation.requests):
        return
    who, host = route.resource.identity, view.asked.host
    listener = envoy.listens(view.envoy, "https") if view.envoy and view.envoy.listeners else None
    evidence = [f"{route.resource} claims {route} of {host}, without a certificate", *_seen(view)]
    evidence += [f"Envoy's listener {envoy.listener(view.envoy, 'https')}: {listener or 'none'}"] if view.envoy else []
    declare = route_setting(view, "tls", lambda route: not route.tls)
    if who.kind == "HTTPRoute":
        message = f"{who} is reached by plain listeners only. Give its Gateway a listener of protocol HTTPS for {host}."
        remedy, look = mend(view, who, ""), kubectl(view, "get", "gateways", "--all-namespaces", "--output", "yaml")
        yield no_tls.finding(who, message, remedy, evidence, setting=declare, look="" if remedy else look)
        return
    name = f"{host.replace('.', '-')}-tls"
    make = _replaced(view, secret(who.namespace, name))
    if who.kind == "Ingress":
        change = {"op": "add", "path": "/spec/tls", "value": [{"hosts": [host], "secretName": name}]}
        patch = json.dumps([change], separators=(",", ":"))
        words = ("patch", "ingress", who.name, "--type", "json", "--patch", patch)
    else:
        patch = json.dumps({"spec": {"virtualhost": {"tls": {"secretName": name}}}}, separators=(",", ":"))
        words = ("patch", who.kind.lower(), who.name, "--type", "merge", "--patch", patch)
    remedy = mend(view, who, f"{make} && {kubectl(view, *words, namespace=who.namespace)}")
    message = f"No route of {host} has a certificate."
    yield no_tls.finding(who, _with_files(view, who, message), remedy, evidence, setting=declare)


def _plain(view: PathFacts) -> Finding:
    """The port leads to Envoy's plain listener."""
    secure = next((m.host for m in view.entrypoint.mappings if m.scheme == "https"), None) if view.entrypoint else None
    who = container(view.publishing) if view.publishing else _subject(view, claims(view))
    other = f"; https is published on port {secure}" if secure and secure != view.asked.port else ""
    message = f"Port {view.asked.port} leads to Envoy's HTTP listener, which does not use TLS{other}."
    url = f"https://{view.asked.host}:{secure}{view.asked.path}" if secure else view.asked.url
    return no_tls.finding(who, message, "", _seen(view), look=command("curl", "--insecure", url))


def _version(view: PathFacts) -> Iterator[Finding]:
    shown, client = handshake(view), view.request("client")
    if shown is None or shown.protocol or "protocol version" not in f"{shown.error} {client.error if client else ''}":
        return
    first = claims(view).first
    declared = first.tls if first and isinstance(first.tls, RouteTLS) else None
    who = declared.resource.identity if declared else _subject(view, claims(view))
    least = declared.minimum_version if declared else None
    needed = least or "of a newer version"
    message = f"The server requires TLS {needed}, and the client supports at most {view.asked.tls_max}."
    if who.kind == "Ingress" and least:
        words = ("annotate", "ingress", who.name, f"{_VERSION}=1.2", "--overwrite")
        remedy = mend(view, who, kubectl(view, *words, namespace=who.namespace))
    elif who.kind == "HTTPProxy" and least:
        change = {"op": "replace", "path": "/spec/virtualhost/tls/minimumProtocolVersion", "value": "1.2"}
        remedy = patched(view, who, change)
    else:
        remedy = ""
    look = (
        "" if remedy else kubectl(view, "get", "configmap", "contour", "--output", "yaml", namespace="projectcontour")
    )
    yield version_too_high.finding(who, message, remedy, _seen(view), look=look)


def _client(view: PathFacts) -> Iterator[Finding]:
    asked = [r for place in THROUGH_ENVOY if (r := view.request(place)) and r.tls and r.tls.wants_client]
    if not asked or any(request.status is not None for request in asked):
        return
    who, authority = next(validation(view), (_subject(view, claims(view)), "an authority"))
    url = view.asked.url
    remedy = command("curl", "--cert", "client.crt", "--key", "client.key", url)
    message = f"{view.asked.host} serves only clients with a certificate of {authority}."
    evidence = [line for request in asked[:1] for line in (request_line(request), *handshake_lines(request))]
    yield client_certificate.finding(who, message, remedy, evidence)


def _twice(view: PathFacts) -> Iterator[Finding]:
    claimed = claims(view)
    of_host = secured(claimed)
    if len(of_host) < 2:
        return
    served = served_secret(view, claimed)
    for (namespace, name), routes in of_host.items():
        if served and (namespace, name) != (served.namespace, served.name):
            tls = routes[0].tls
            who = tls.resource.identity if isinstance(tls, RouteTLS) else routes[0].resource.identity
            names = " and ".join(f"{space}/{one}" for space, one in of_host)
            evidence = [f"{r[0].resource} names Secret {space}/{one}" for (space, one), r in of_host.items()]
            evidence += [f"Envoy shows that of {served.namespace}/{served.name}"] if chain(view) else []
            look = kubectl(view, "get", who.kind.lower(), who.name, "--output", "yaml", namespace=who.namespace)
            remedy = ""
            # The reference of a Gateway is an object of its own.
            if who.namespace == served.namespace and isinstance(tls, RouteTLS) and who.kind != "Gateway":
                pointer = f"{tls.pointer}/secretName"
                remedy = patched(view, who, {"op": "replace", "path": pointer, "value": served.name})
            message = f"The objects of {view.asked.host} name two certificates: {names}."
            yield two_certificates.finding(who, message, remedy, evidence, look="" if remedy else look)
            return


CHECKS: tuple[Callable[[PathFacts], Iterator[Finding]], ...] = (
    *(_secrets, _unserved, _version, _client),
    *(_dates, _names, _issuers, _twice),
)
