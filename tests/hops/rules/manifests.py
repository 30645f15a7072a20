"""The manifests that the tests of the rules on routes judge."""

WEB = "{service: {name: web, port: {number: 80}}}"
API = "{service: {name: api, port: {number: 80}}}"


def service(ports: str = "[{port: 80}]", name: str = "web", namespace: str = "apps", more: str = "") -> str:
    return f"""
---
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: {namespace}}}
spec: {{{more} selector: {{app: web}}, ports: {ports}}}
"""


def ingress(spec: str, name: str = "web", metadata: str = "", version: str = "networking.k8s.io/v1") -> str:
    return f"""
---
apiVersion: {version}
kind: Ingress
metadata: {{name: {name}, namespace: apps, {metadata}}}
spec: {spec}
"""


def path(value: str = "/", kind: str = "Prefix", backend: str = WEB) -> str:
    return f"{{path: '{value}', pathType: {kind}, backend: {backend}}}"


def paths(*entries: str, host: str = "web.localhost", name: str = "web", more: str = "") -> str:
    rule = f"{{host: '{host}', http: {{paths: [{', '.join(entries or (path(),))}]}}}}"
    return ingress(f"{{{more} rules: [{rule}]}}", name)


def proxy(spec: str, name: str = "web", namespace: str = "apps", metadata: str = "") -> str:
    return f"""
---
apiVersion: projectcontour.io/v1
kind: HTTPProxy
metadata: {{name: {name}, namespace: {namespace}, {metadata}}}
spec: {spec}
"""


def route(rules: str, kind: str = "HTTPRoute", more: str = "") -> str:
    return f"""
---
apiVersion: gateway.networking.k8s.io/v1
kind: {kind}
metadata: {{name: web, namespace: apps}}
spec: {{{more} rules: {rules}}}
"""


def policy(rules: str) -> str:
    return f"\n---\napiVersion: ingress-hops/v1\nkind: Policy\nrules: {rules}\n"


def contour(argument: str) -> str:
    return f"""
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: contour, namespace: projectcontour}}
spec: {{template: {{spec: {{containers: [{{name: contour, args: [serve, {argument}]}}]}}}}}}
"""


FIRST = "/spec/rules/0/http/paths/0"
BACKEND = f"{FIRST}/backend"
HOST = "/spec/rules/0/host"
SERVICES = "services: [{name: web, port: 80}]"
ROOT = "virtualhost: {fqdn: web.localhost}"


def delegation(namespaces: str, name: str = "web-tls") -> str:
    return f"""
---
apiVersion: projectcontour.io/v1
kind: TLSCertificateDelegation
metadata: {{name: d, namespace: certs}}
spec: {{delegations: [{{secretName: {name}, targetNamespaces: [{namespaces}]}}]}}
"""
