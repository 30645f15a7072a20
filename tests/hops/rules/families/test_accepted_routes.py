"""Edges of the rules on routes that Contour does not accept: HTTPProxies and routes of the Gateway API."""

import pytest

from hops.rules.catalogue import RULES
from tests.hops.rules.cases import Case, documents, of_rule, verdict
from tests.hops.rules.manifests import ROOT, SERVICES, delegation, policy, proxy, route, service

CONDITIONS = [
    *(
        Case(
            "IN17", about, service() + proxy(f"{{{ROOT}, routes: [{{conditions: [{conditions}], {SERVICES}}}]}}"), where
        )
        for about, conditions, where in (
            (
                "one header twice, in any case",
                "{header: {name: X-A, exact: '1'}}, {header: {name: x-a, exact: '2'}}",
                ("/spec/routes/0/conditions",),
            ),
            (
                "one query parameter twice",
                "{queryParameter: {name: a, exact: '1'}}, {queryParameter: {name: a, exact: '2'}}",
                ("/spec/routes/0/conditions",),
            ),
            (
                "a header that contains a text and does not",
                "{header: {name: a, contains: b}}, {header: {name: a, notcontains: b}}",
                ("/spec/routes/0/conditions",),
            ),
            (
                "one query parameter twice, in any case",
                "{queryParameter: {name: a, exact: '1'}}, {queryParameter: {name: A, exact: '2'}}",
                ("/spec/routes/0/conditions",),
            ),
            (
                "a header that is present and is not",
                "{header: {name: a, present: true}}, {header: {name: A, notpresent: true}}",
                ("/spec/routes/0/conditions",),
            ),
            (
                "one header that is present and one that is not",
                "{header: {name: a, present: true}}, {header: {name: b, notpresent: true}}",
                (),
            ),
            (
                "conditions on two headers",
                "{header: {name: a, exact: '1'}}, {header: {name: b, exact: '1'}}, {header: {name: a, notcontains: z}}",
                (),
            ),
        )
    ),
    Case(
        "IN17",
        "two mirrors",
        service()
        + proxy(
            f"{{{ROOT}, routes: [{{services: [{{name: web, port: 80}}, {{name: web, port: 80, mirror: true}}, "
            "{name: web, port: 80, mirror: true}]}]}"
        ),
        ("/spec/routes/0/services",),
    ),
    Case(
        "IN17",
        "replacePrefix twice for one prefix",
        service()
        + proxy(
            f"{{{ROOT}, routes: [{{{SERVICES}, pathRewritePolicy: {{replacePrefix: [{{replacement: /a}}, "
            "{replacement: /b}]}}]}"
        ),
        ("/spec/routes/0/pathRewritePolicy/replacePrefix",),
    ),
]
CERTIFICATE = """
---
apiVersion: v1
kind: Secret
metadata: {name: web, namespace: certs}
data: {tls.crt: a, tls.key: a}
"""


def tree(*entries: str, routes: str = f"routes: [{{{SERVICES}}}]", host: str = ROOT) -> str:
    return service() + proxy(f"{{{host}, {routes}, includes: [{', '.join(entries)}]}}")


LEAF = f"{{routes: [{{{SERVICES}}}]}}"
PROXIES = [
    Case("IN17", "no fqdn", tree(host="virtualhost: {fqdn: ' '}"), ("/spec/virtualhost/fqdn",)),
    Case(
        "IN17",
        "the same fqdn in another namespace, hosts having no case",
        tree()
        + service(namespace="b")
        + proxy(f"{{virtualhost: {{fqdn: WEB.localhost}}, routes: [{{{SERVICES}}}]}}", namespace="b"),
        ("/spec/virtualhost/fqdn",),
    ),
    Case(
        "IN17",
        "the same fqdn for another controller",
        tree() + proxy(f"{{{ROOT}, ingressClassName: nginx, routes: [{{{SERVICES}}}]}}", "other"),
    ),
    Case("IN17", "nothing defined", proxy(f"{{{ROOT}}}"), ("/spec",)),
    Case("IN17", "an orphan", service() + proxy(LEAF, "leaf"), ("/spec/virtualhost",)),
    Case(
        "IN17",
        "only orphans include it",
        service() + proxy(LEAF, "leaf") + proxy("{includes: [{name: leaf}]}", "middle"),
        ("/spec/virtualhost", "/spec/virtualhost"),
    ),
    Case(
        "IN17",
        "included at the second level",
        tree("{name: middle}") + proxy("{includes: [{name: leaf}]}", "middle") + proxy(LEAF, "leaf"),
    ),
    Case(
        "IN17",
        "a root in between may be hidden by what isn't known yet",
        tree("{name: !unknown }") + proxy(LEAF, "leaf"),
        undecided=True,
    ),
    Case(
        "IN17",
        "an include of another namespace",
        tree("{name: leaf, namespace: b}") + service(namespace="b") + proxy(LEAF, "leaf", "b"),
    ),
    Case(
        "IN17",
        "an include of the wrong namespace",
        tree("{name: leaf}") + service(namespace="b") + proxy(LEAF, "leaf", "b"),
        ("/spec/includes/0", "/spec/virtualhost"),
    ),
    Case(
        "IN17",
        "a root includes a root",
        tree("{name: other}") + proxy(f"{{virtualhost: {{fqdn: b.localhost}}, routes: [{{{SERVICES}}}]}}", "other"),
        ("/spec/includes/0",),
    ),
    Case(
        "IN17",
        "a circle",
        tree("{name: a}") + proxy("{includes: [{name: b}]}", "a") + proxy("{includes: [{name: a}]}", "b"),
        ("/spec/includes/0",),
    ),
    Case(
        "IN17",
        "the same conditions twice",
        tree(*["{name: leaf, conditions: [{prefix: /a}]}"] * 2) + proxy(LEAF, "leaf"),
        ("/spec/includes/1/conditions",),
    ),
    Case("IN17", "no conditions twice are let through", tree(*["{name: leaf}"] * 2) + proxy(LEAF, "leaf")),
    Case(
        "IN17",
        "a regex in an include",
        tree("{name: leaf, conditions: [{regex: /a}]}") + proxy(LEAF, "leaf"),
        ("/spec/includes/0",),
    ),
    Case(
        "IN17",
        "two paths, and one without its slash",
        tree(
            routes=f"routes: [{{conditions: [{{prefix: /a}}, {{exact: /b}}], {SERVICES}}}, "
            f"{{conditions: [{{prefix: a}}], {SERVICES}}}]"
        ),
        ("/spec/routes/0/conditions", "/spec/routes/1/conditions"),
    ),
    Case("IN17", "a redirect needs no Service", tree(routes="routes: [{requestRedirectPolicy: {hostname: a}}]")),
    Case("IN17", "a route to nowhere", tree(routes="routes: [{}]"), ("/spec/routes/0",)),
    Case(
        "IN17",
        "no such Service, no such port, no port",
        tree(routes="routes: [{services: [{name: gone, port: 80}, {name: web, port: 81}, {name: web}]}]"),
        ("/spec/routes/0/services/0/name", "/spec/routes/0/services/1/port", "/spec/routes/0/services/2"),
    ),
    Case(
        "IN17",
        "a certificate that isn't there",
        tree(host="virtualhost: {fqdn: web.localhost, tls: {secretName: gone}}"),
        ("/spec/virtualhost/tls/secretName",),
    ),
    Case(
        "IN17",
        "a certificate that TL04 knows to exist",
        tree(host="virtualhost: {fqdn: web.localhost, tls: {secretName: gone}}")
        + policy("{TL04: {parameters: {given: [Secret/apps/gone]}}}"),
    ),
    Case(
        "IN17",
        "a certificate of another namespace",
        tree(host="virtualhost: {fqdn: web.localhost, tls: {secretName: certs/web}}") + CERTIFICATE,
        ("/spec/virtualhost/tls/secretName",),
    ),
    Case(
        "IN17",
        "a certificate of another namespace that delegates it",
        tree(host="virtualhost: {fqdn: web.localhost, tls: {secretName: certs/web}}")
        + CERTIFICATE
        + delegation("apps", "web"),
    ),
    Case(
        "IN17", "TLS with neither", tree(host="virtualhost: {fqdn: web.localhost, tls: {}}"), ("/spec/virtualhost/tls",)
    ),
    Case(
        "IN17",
        "a tcpproxy without TLS",
        service() + proxy(f"{{{ROOT}, tcpproxy: {{{SERVICES}}}}}"),
        ("/spec/tcpproxy",),
    ),
    Case(
        "IN17",
        "a tcpproxy with passthrough",
        service() + proxy(f"{{virtualhost: {{fqdn: a.b, tls: {{passthrough: true}}}}, tcpproxy: {{{SERVICES}}}}}"),
    ),
]
TLS = "tls: {secretName: certs/web"
SIGNED = """
---
apiVersion: v1
kind: Secret
metadata: {name: ca, namespace: apps}
data: {ca.crt: a}
"""
REVOKED = SIGNED.replace("name: ca", "name: crl").replace("ca.crt", "crl.pem")
EXTENSION = """
---
apiVersion: projectcontour.io/v1alpha1
kind: ExtensionService
metadata: {name: login, namespace: apps}
spec: {services: [{name: web, port: 80}]}
"""
JWKS = "remoteJWKS: {uri: 'https://issuer.localhost/keys'}"


def host_with(fields: str, route: str = SERVICES) -> str:
    """An HTTPProxy with these fields of virtualhost, the Secrets that it may use, and one route."""
    root = f"virtualhost: {{fqdn: web.localhost, {fields}}}"
    others = CERTIFICATE + delegation("apps", "web") + SIGNED + REVOKED + EXTENSION
    return service() + others + proxy(f"{{{root}, routes: [{{{route}}}]}}")


def contour_with(configuration: str | None = "debug: false") -> str:
    """A Contour with this configuration file; None for one that is not declared."""
    file = f"""
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: contour, namespace: projectcontour}}
data: {{contour.yaml: "{configuration}"}}
"""
    return (
        ("" if configuration is None else file)
        + """
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: contour, namespace: projectcontour}
spec:
  selector: {matchLabels: {app: contour}}
  template:
    metadata: {labels: {app: contour}}
    spec:
      containers:
      - name: contour
        image: ghcr.io/projectcontour/contour:v1.33.6
        command: [contour]
        args: [serve, --incluster, --config-path=/config/contour.yaml]
"""
    )


def fields_case(about: str, text: str, *paths_: str) -> Case:
    return Case("IN17", about, text, paths_)


VIRTUAL_HOST = "/spec/virtualhost"
ROUTE = "/spec/routes/0"
FALLBACK = f"{VIRTUAL_HOST}/tls/enableFallbackCertificate"
FIELDS = [
    *(
        fields_case(about, host_with(fields), *(f"{VIRTUAL_HOST}/{path_}" for path_ in paths_))
        for about, fields, *paths_ in (
            ("tokens over TLS", f"{TLS}}}, jwtProviders: [{{name: a, {JWKS}}}]"),
            ("tokens without TLS", f"jwtProviders: [{{name: a, {JWKS}}}]", "jwtProviders"),
            ("two providers of tokens", f"{TLS}}}, jwtProviders: [{{name: a, {JWKS}}}, {{name: b, {JWKS}}}]"),
            (
                "two providers of one name",
                f"{TLS}}}, jwtProviders: [{{name: a, {JWKS}}}, {{name: a, {JWKS}}}]",
                "jwtProviders/1/name",
            ),
            ("one default", f"{TLS}}}, jwtProviders: [{{name: a, default: true, {JWKS}}}, {{name: b, {JWKS}}}]"),
            (
                "two defaults",
                f"{TLS}}}, jwtProviders: [{{name: a, default: true, {JWKS}}}, {{name: b, default: true, {JWKS}}}]",
                "jwtProviders/1/default",
            ),
            (
                "keys over FTP",
                f"{TLS}}}, jwtProviders: [{{name: a, {JWKS.replace('https', 'ftp')}}}]",
                "jwtProviders/0/remoteJWKS/uri",
            ),
            (
                "keys at a port that is none",
                f"{TLS}}}, jwtProviders: [{{name: a, {JWKS.replace('localhost', 'localhost:x')}}}]",
                "jwtProviders/0/remoteJWKS/uri",
            ),
            (
                "keys with a certificate",
                f"{TLS}}}, jwtProviders: [{{name: a, {JWKS[:-1]}, validation: {{caSecret: ca, subjectName: a}}}}}}]",
            ),
            (
                "keys with a certificate over http",
                (
                    f"{TLS}}}, jwtProviders: [{{name: a, "
                    f"{JWKS[:-1].replace('https', 'http')}, validation: {{caSecret: ca, subjectName: a}}}}}}]"
                ),
                "jwtProviders/0/remoteJWKS/validation",
            ),
            (
                "keys with a certificate that is not there",
                f"{TLS}}}, jwtProviders: [{{name: a, {JWKS[:-1]}, validation: {{caSecret: gone, subjectName: a}}}}}}]",
                "jwtProviders/0/remoteJWKS/validation/caSecret",
            ),
            ("authorization over TLS", f"{TLS}}}, authorization: {{extensionRef: {{name: login}}}}"),
            ("authorization without TLS", "authorization: {extensionRef: {name: login}}", "authorization"),
            (
                "authorization by nobody",
                f"{TLS}}}, authorization: {{extensionRef: {{name: logn}}}}",
                "authorization/extensionRef/name",
            ),
            ("TLS 1.3 only", f"{TLS}, minimumProtocolVersion: '1.3', maximumProtocolVersion: '1.3'}}"),
            (
                "a minimum above the maximum",
                f"{TLS}, minimumProtocolVersion: '1.3', maximumProtocolVersion: '1.2'}}",
                "tls/minimumProtocolVersion",
            ),
            ("a fallback certificate", f"{TLS}, enableFallbackCertificate: true}}"),
            (
                "a fallback certificate and clients' certificates",
                f"{TLS}, enableFallbackCertificate: true, clientValidation: {{caSecret: ca}}}}",
                "tls/enableFallbackCertificate",
            ),
            (
                "a fallback certificate and authorization",
                f"{TLS}, enableFallbackCertificate: true}}, authorization: {{extensionRef: {{name: login}}}}",
                "tls/enableFallbackCertificate",
            ),
            (
                "a fallback certificate and tokens",
                f"{TLS}, enableFallbackCertificate: true}}, jwtProviders: [{{name: a, {JWKS}}}]",
                "tls/enableFallbackCertificate",
            ),
            (
                "passthrough and a fallback certificate",
                "tls: {passthrough: true, enableFallbackCertificate: true}",
                "tls/enableFallbackCertificate",
            ),
            (
                "passthrough and clients' certificates",
                "tls: {passthrough: true, clientValidation: {skipClientCertValidation: true}}",
                "tls/clientValidation",
            ),
            ("clients' certificates", f"{TLS}, clientValidation: {{caSecret: ca, crlSecret: crl}}}}"),
            ("clients' certificates unchecked", f"{TLS}, clientValidation: {{skipClientCertValidation: true}}}}"),
            ("clients' certificates of nobody", f"{TLS}, clientValidation: {{}}}}", "tls/clientValidation"),
            (
                "an authority without its certificate",
                f"{TLS}, clientValidation: {{caSecret: crl}}}}",
                "tls/clientValidation/caSecret",
            ),
            (
                "a revocation list that is not there",
                f"{TLS}, clientValidation: {{caSecret: ca, crlSecret: gone}}}}",
                "tls/clientValidation/crlSecret",
            ),
            ("filters", "ipAllowPolicy: [{cidr: 10.0.0.0/8, source: Peer}, {cidr: '::1', source: Peer}]"),
            (
                "both filters",
                "ipAllowPolicy: [{cidr: 10.0.0.0/8, source: Peer}], ipDenyPolicy: [{cidr: 10.0.0.1, source: Peer}]",
                "ipDenyPolicy",
            ),
            ("a filter of no network", "ipDenyPolicy: [{cidr: 10.0.0.0/33, source: Peer}]", "ipDenyPolicy/0/cidr"),
            (
                "a filter with a netmask",
                "ipDenyPolicy: [{cidr: 10.0.0.0/255.0.0.0, source: Peer}]",
                "ipDenyPolicy/0/cidr",
            ),
            (
                "origins",
                "corsPolicy: {allowMethods: [GET], allowOrigin: ['*', 'https://a.b:8', 'https://.*[.]b', '.*[.]c']}",
            ),
            (
                "an origin that is no expression",
                "corsPolicy: {allowMethods: [GET], allowOrigin: ['*.b']}",
                "corsPolicy/allowOrigin/0",
            ),
            (
                "a rate limit",
                "rateLimitPolicy: {global: {descriptors: [{entries: [{remoteAddress: {}}]}]}}",
            ),
            (
                "a rate limit of nothing",
                "rateLimitPolicy: {global: {descriptors: [{entries: [{}]}]}}",
                "rateLimitPolicy/global/descriptors/0/entries/0",
            ),
            (
                "a rate limit of two things",
                "rateLimitPolicy: {global: {descriptors: [{entries: [{remoteAddress: {}, genericKey: {value: a}}]}]}}",
                "rateLimitPolicy/global/descriptors/0/entries/0",
            ),
            ("no rate limit", "rateLimitPolicy: {global: {disabled: true, descriptors: [{entries: [{}]}]}}"),
            (
                "a header of a rate limit twice",
                (
                    "rateLimitPolicy: {local: {requests: 1, unit: second, "
                    "responseHeadersToAdd: [{name: x-a, value: b}, {name: X-A, value: c}]}}"
                ),
                "rateLimitPolicy/local/responseHeadersToAdd/1",
            ),
        )
    ),
    *(
        fields_case(
            about,
            host_with(f"{TLS}}}, jwtProviders: [{{name: a, {JWKS}}}]", f"{SERVICES}, {fields}"),
            *(f"{ROUTE}/{path_}" for path_ in paths_),
        )
        for about, fields, *paths_ in (
            ("a token", "jwtVerificationPolicy: {require: a}"),
            ("a token of nobody", "jwtVerificationPolicy: {require: b}", "jwtVerificationPolicy/require"),
            (
                "a token that is not required",
                "jwtVerificationPolicy: {require: a, disabled: true}",
                "jwtVerificationPolicy",
            ),
            ("headers", "requestHeadersPolicy: {set: [{name: Host, value: a}], remove: [X-B]}"),
            (
                "a header set twice",
                "requestHeadersPolicy: {set: [{name: X-A, value: a}, {name: x-a, value: b}]}",
                "requestHeadersPolicy/set/1",
            ),
            ("a header removed twice", "requestHeadersPolicy: {remove: [X-A, x-a]}", "requestHeadersPolicy/remove/1"),
            (
                "a header with a space",
                "requestHeadersPolicy: {set: [{name: X A, value: a}]}",
                "requestHeadersPolicy/set/0",
            ),
            (
                "the host in an answer",
                "responseHeadersPolicy: {set: [{name: host, value: a}]}",
                "responseHeadersPolicy/set",
            ),
            ("cookies", "cookieRewritePolicies: [{name: a, secure: false}, {name: b, sameSite: Lax}]"),
            (
                "a cookie twice",
                "cookieRewritePolicies: [{name: a, secure: true}, {name: a, sameSite: Lax}]",
                "cookieRewritePolicies",
            ),
            ("a cookie without a change", "cookieRewritePolicies: [{name: a}]", "cookieRewritePolicies/0"),
            ("a filter of a route", "ipAllowPolicy: [{cidr: 10.0.0.1, source: Remote}]"),
            (
                "a filter of a route with a name",
                "ipAllowPolicy: [{cidr: localhost, source: Remote}]",
                "ipAllowPolicy/0/cidr",
            ),
            (
                "a rate limit of a route",
                "rateLimitPolicy: {global: {descriptors: [{entries: [{}]}]}}",
                "rateLimitPolicy/global/descriptors/0/entries/0",
            ),
            (
                "a prefix replaced under a prefix",
                "conditions: [{prefix: /a}], pathRewritePolicy: {replacePrefix: [{replacement: /}]}",
            ),
            (
                "a prefix replaced under an exact path",
                "conditions: [{exact: /a}], pathRewritePolicy: {replacePrefix: [{replacement: /}]}",
                "pathRewritePolicy/replacePrefix",
            ),
            ("an expression", "conditions: [{regex: '/a.*'}, {header: {name: a, regex: '[a-z]+'}}]"),
            ("a path that is no expression", "conditions: [{regex: '/a(?=b)'}]", "conditions"),
            ("a header that is no expression", "conditions: [{header: {name: a, regex: '*'}}]", "conditions"),
            ("a parameter", "conditions: [{queryParameter: {name: a, present: true}}]"),
            ("a parameter without a condition", "conditions: [{queryParameter: {name: a}}]", "conditions"),
            (
                "a parameter with two conditions",
                "conditions: [{queryParameter: {name: a, prefix: b, suffix: c}}]",
                "conditions",
            ),
        )
    ),
    *(
        fields_case(about, host_with("", route_), *(f"{ROUTE}/{path_}" for path_ in paths_))
        for about, route_, *paths_ in (
            ("a redirect to a path", "requestRedirectPolicy: {path: /a}"),
            (
                "a redirect to a path and a prefix",
                "requestRedirectPolicy: {path: /a, prefix: /b}",
                "requestRedirectPolicy",
            ),
            (
                "a slow start",
                (
                    "services: [{name: web, port: 80, slowStartPolicy: {window: 5s}}], "
                    "loadBalancerPolicy: {strategy: WeightedLeastRequest}"
                ),
            ),
            (
                "a slow start of sessions",
                (
                    "services: [{name: web, port: 80, slowStartPolicy: {window: 5s}}], "
                    "loadBalancerPolicy: {strategy: Cookie}"
                ),
                "services/0/slowStartPolicy",
            ),
            (
                "a header of a service twice",
                "services: [{name: web, port: 80, requestHeadersPolicy: {remove: [a, A]}}]",
                "services/0/requestHeadersPolicy/remove/1",
            ),
            (
                "a cookie of a service without a change",
                "services: [{name: web, port: 80, cookieRewritePolicies: [{name: a}]}]",
                "services/0/cookieRewritePolicies/0",
            ),
            (
                "a checked service",
                "services: [{name: web, port: 80, protocol: tls, validation: {caSecret: ca, subjectName: a}}]",
            ),
            (
                "a service checked by nobody",
                "services: [{name: web, port: 80, protocol: tls, validation: {caSecret: gone, subjectName: a}}]",
                "services/0/validation/caSecret",
            ),
            (
                "a service that is not checked over http",
                "services: [{name: web, port: 80, validation: {caSecret: gone, subjectName: a}}]",
            ),
            (
                "a service of another first subject",
                "services: [{name: web, port: 80, validation: {caSecret: ca, subjectName: a, subjectNames: [b, a]}}]",
                "services/0/validation/subjectNames",
            ),
            ("tokens without TLS are not compared", f"{SERVICES}, jwtVerificationPolicy: {{require: b}}"),
        )
    ),
    fields_case(
        "a tcpproxy with services and an include",
        host_with("tls: {passthrough: true}").replace(
            "routes: [", f"tcpproxy: {{{SERVICES}, include: {{name: leaf}}}}, routes: ["
        )
        + proxy(f"{{tcpproxy: {{{SERVICES}}}}}", "leaf"),
        "/spec/tcpproxy",
    ),
    fields_case(
        "a tcpproxy with nothing",
        host_with("tls: {passthrough: true}").replace("routes: [", "tcpproxy: {}, routes: ["),
        "/spec/tcpproxy",
    ),
    fields_case(
        "a tcpproxy with an include",
        host_with("tls: {passthrough: true}").replace("routes: [", "tcpproxy: {include: {name: leaf}}, routes: [")
        + proxy(f"{{tcpproxy: {{{SERVICES}}}}}", "leaf"),
    ),
    fields_case(
        "an include with conditions that exclude each other",
        tree("{name: leaf, conditions: [{header: {name: a, present: true}}, {header: {name: A, notpresent: true}}]}")
        + proxy(LEAF, "leaf"),
        "/spec/includes/0",
    ),
    *(
        fields_case(about, tree(include) + proxy(leaf, "leaf") + more, *paths_)
        for about, include, leaf, more, *paths_ in (
            (
                "a route that contradicts its include",
                "{name: leaf, conditions: [{header: {name: a, exact: b}}]}",
                f"{{routes: [{{conditions: [{{header: {{name: A, exact: c}}}}], {SERVICES}}}]}}",
                "",
                f"{ROUTE}/conditions",
            ),
            (
                "a route that agrees with its include",
                "{name: leaf, conditions: [{header: {name: a, exact: b}}]}",
                f"{{routes: [{{conditions: [{{header: {{name: c, exact: c}}}}], {SERVICES}}}]}}",
                "",
            ),
            (
                "includes that contradict each other",
                "{name: leaf, conditions: [{queryParameter: {name: a, exact: b}}]}",
                "{includes: [{name: end, conditions: [{queryParameter: {name: a, exact: c}}]}]}",
                proxy(f"{{routes: [{{{SERVICES}}}]}}", "end"),
                ROUTE,
            ),
            (
                "an include that contradicts itself is reported once",
                "{name: leaf, conditions: [{header: {name: a, present: true}}, {header: {name: a, notpresent: true}}]}",
                f"{{routes: [{{conditions: [{{header: {{name: b, exact: c}}}}], {SERVICES}}}]}}",
                "",
                "/spec/includes/0",
            ),
        )
    ),
    *(
        fields_case(
            about,
            host_with(f"{TLS}}}, jwtProviders: [{{name: a, {JWKS}}}]").replace(
                "routes:", "includes: [{name: leaf}], routes:"
            )
            + proxy(f"{{routes: [{{{SERVICES}, jwtVerificationPolicy: {{require: {required}}}}}]}}", "leaf"),
            *paths_,
        )
        for about, required, *paths_ in (
            ("an included route with a token of the root", "a"),
            ("an included route with a token of nobody", "b", f"{ROUTE}/jwtVerificationPolicy/require"),
        )
    ),
    *(
        fields_case(about, host_with(f"{TLS}, enableFallbackCertificate: true}}") + contour, *paths_)
        for about, contour, *paths_ in (
            ("a fallback certificate of a Contour without one", contour_with(), FALLBACK),
            (
                "a fallback certificate that Contour has",
                contour_with("tls: {fallback-certificate: {name: web, namespace: certs}}"),
            ),
            (
                "a fallback certificate that is not there",
                contour_with("tls: {fallback-certificate: {name: gone, namespace: certs}}"),
                FALLBACK,
            ),
            ("a fallback certificate of a Contour whose configuration is not declared", contour_with(None)),
        )
    ),
    fields_case(
        "an include with conditions",
        tree("{name: leaf, conditions: [{header: {name: a, present: true}}, {header: {name: B, notpresent: true}}]}")
        + proxy(LEAF, "leaf"),
    ),
]


def gateway(listeners: str = "{name: http, protocol: HTTP, port: 80}", namespace: str = "apps") -> str:
    return f"""
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: public, namespace: {namespace}}}
spec: {{gatewayClassName: contour, listeners: [{listeners}]}}
"""


def listener(more: str, name: str = "http") -> str:
    return f"{{name: {name}, protocol: HTTP, port: 80, {more}}}"


def attached(parent: str = "{name: public}", hosts: str = "[web.localhost]", kind: str = "HTTPRoute") -> str:
    return route("[{backendRefs: [{name: web, port: 80}]}]", kind, f"parentRefs: [{parent}], hostnames: {hosts},")


ELSEWHERE_REF = "{name: public, namespace: infra}"
SHOP = "\n---\n{apiVersion: v1, kind: Namespace, metadata: {name: apps, labels: {team: shop}}}\n"
BY_TEAM = "allowedRoutes: {namespaces: {from: Selector, selector: {matchLabels: {team: shop}}}}"
PARENT = "/spec/parentRefs/0"
GATEWAYS = [
    Case("IN18", "the Gateway's own namespace", gateway() + attached()),
    Case("IN18", "no Gateway is declared", attached()),
    Case("IN18", "no such Gateway", gateway() + attached("{name: pubic}"), (f"{PARENT}/name",)),
    Case("IN18", "a Gateway of another namespace", gateway(namespace="infra") + attached(), (f"{PARENT}/name",)),
    Case("IN18", "no parentRefs", gateway() + route("[{}]"), ("/spec/parentRefs",)),
    Case(
        "IN05",
        "routes of a mesh for two Services",
        attached("{group: '', kind: Service, name: web}", "[]")
        + attached("{group: '', kind: Service, name: api}", "[]").replace(
            "name: web, namespace: apps", "name: api, namespace: apps"
        ),
    ),
    Case("IN18", "a parent that is no Gateway", gateway() + attached("{group: '', kind: Service, name: web}")),
    Case("IN18", "a namespace that is not allowed", gateway(namespace="infra") + attached(ELSEWHERE_REF), (PARENT,)),
    Case(
        "IN18",
        "all namespaces are allowed",
        gateway(listener("allowedRoutes: {namespaces: {from: All}}"), "infra") + attached(ELSEWHERE_REF),
    ),
    Case(
        "IN18",
        "no namespace is allowed",
        gateway(listener("allowedRoutes: {namespaces: {from: None}}")) + attached(),
        (PARENT,),
    ),
    Case("IN18", "a selected namespace", SHOP + gateway(listener(BY_TEAM), "infra") + attached(ELSEWHERE_REF)),
    Case(
        "IN18",
        "a namespace that is not selected",
        SHOP.replace("team: shop", "team: web") + gateway(listener(BY_TEAM), "infra") + attached(ELSEWHERE_REF),
        (PARENT,),
    ),
    Case(
        "IN18",
        "the labels of an undeclared namespace are unknown",
        gateway(listener(BY_TEAM), "infra") + attached(ELSEWHERE_REF),
    ),
    Case(
        "IN18",
        "the name of an undeclared namespace is known",
        gateway(listener(BY_TEAM.replace("team: shop", "kubernetes.io/metadata.name: shop")), "infra")
        + attached(ELSEWHERE_REF),
        (PARENT,),
    ),
    Case(
        "IN18",
        "the section",
        gateway(listener("", "a") + ", " + listener("", "b")) + attached("{name: public, sectionName: b}"),
    ),
    Case(
        "IN18",
        "no such section",
        gateway(listener("", "a") + ", " + listener("", "b")) + attached("{name: public, sectionName: c}"),
        (f"{PARENT}/sectionName",),
    ),
    Case("IN18", "no listener on that port", gateway() + attached("{name: public, port: 8080}"), (f"{PARENT}/port",)),
    Case("IN18", "a kind that the protocol does not carry", gateway() + attached(kind="TLSRoute"), (PARENT,)),
    Case(
        "IN18",
        "a kind that is not allowed",
        gateway(listener("allowedRoutes: {kinds: [{kind: GRPCRoute}]}")) + attached(),
        (PARENT,),
    ),
    Case(
        "IN18",
        "a kind that is allowed",
        gateway(listener("allowedRoutes: {kinds: [{kind: GRPCRoute}, {kind: HTTPRoute}]}")) + attached(),
    ),
    Case("IN18", "a host below the listener's", gateway(listener("hostname: '*.localhost'")) + attached()),
    Case(
        "IN18",
        "a wildcard around the listener's",
        gateway(listener("hostname: a.b.test")) + attached(hosts="['*.test']"),
    ),
    Case("IN18", "no host takes the listener's", gateway(listener("hostname: web.localhost")) + attached(hosts="[]")),
    Case(
        "IN18",
        "a host outside the listener's",
        gateway(listener("hostname: '*.example.com'")) + attached(),
        ("/spec/hostnames",),
    ),
    Case(
        "IN18",
        "the listener's domain is not below itself",
        gateway(listener("hostname: '*.localhost'")) + attached(hosts="[localhost]"),
        ("/spec/hostnames",),
    ),
    Case(
        "IN18",
        "one of two hosts is outside the listener's",
        gateway(listener("hostname: '*.localhost'")) + attached(hosts="[web.localhost, web.test]"),
        ("/spec/hostnames/1",),
    ),
    Case(
        "IN18",
        "each of two listeners takes one host",
        gateway(listener("hostname: a.test", "a") + ", " + listener("hostname: b.test", "b"))
        + attached(hosts="[a.test, b.test]"),
    ),
    Case(
        "IN18",
        "listeners that are not known yet",
        gateway("!unknown ").replace("[!unknown ]", "!unknown ") + attached(),
        undecided=True,
    ),
]

CASES = [*CONDITIONS, *PROXIES, *FIELDS, *GATEWAYS]


def test_includes_that_multiply_end() -> None:
    """Each proxy includes the next one twice: 2^40 routes."""
    chain = "".join(
        proxy(
            f"{{includes: [{', '.join(f'{{name: p{i + 1}, conditions: [{{prefix: /{c}}}]}}' for c in 'ab')}]}}", f"p{i}"
        )
        for i in range(40)
    )
    text = service() + proxy(f"{{{ROOT}, includes: [{{name: p0}}]}}") + chain + proxy(LEAF, "p40")
    assert of_rule(text, "IN05") == of_rule(text, "IN17") == []


def test_long_chains_of_includes_end() -> None:
    chain = "".join(proxy(f"{{includes: [{{name: p{i + 1}}}]}}", f"p{i}") for i in range(300))
    text = service() + proxy(f"{{{ROOT}, includes: [{{name: p0}}]}}") + chain + proxy(LEAF, "p300")
    assert of_rule(text, "IN17") == []


def test_two_roots_of_one_host_are_one_finding() -> None:
    one = proxy(f"{{{ROOT}, routes: [{{{SERVICES}}}]}}")
    found = verdict(documents(service() + one + one.replace("name: web, namespace", "name: two, namespace")))
    assert [f.code for f in found if f.code in ("IN05", "IN17")] == ["IN17"]


@pytest.mark.parametrize("case", [case for case in CASES if case.code == "IN17" and case.paths], ids=str)
def test_the_remedy_says_what_to_write(case: Case) -> None:
    for finding in of_rule(case.text, "IN17"):
        assert finding.remedy != RULES["IN17"].remedy, finding.message


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        (
            tree("{name: leaf}"),
            "Correct the name or namespace of the include, or create HTTPProxy leaf in namespace apps.",
        ),
        (
            tree(host="virtualhost: {fqdn: a.localhost, tls: {secretName: other/cert}}"),
            (
                "Declare a TLSCertificateDelegation in namespace other with secretName cert and targetNamespaces "
                "[apps], or use a Secret of namespace apps."
            ),
        ),
        (tree(routes="routes: [{conditions: [{prefix: api}], services: [{name: web, port: 80}]}]"), "Write /api."),
    ],
)
def test_the_remedy_names_the_objects(text: str, remedy: str) -> None:
    (finding,) = of_rule(text, "IN17")
    assert finding.remedy == remedy
