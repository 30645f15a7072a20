"""Faults of TLS and of redirects at hop 4."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

from tests.certificates import Issued, intermediate, issued, root, root_file
from tests.live.faults.fault import ROUTE, Broken, fault
from tests.live.faults.kubernetes import Object, bare
from tests.live.faults.path import HOST, Path
from tests.live.faults.routes import rule, way

SECRET = "web-tls"  # noqa: S105 - a name
HTTPS = ("--scheme", "https", "--cacert")
_MINIMUM = "projectcontour.io/tls-minimum-protocol-version"
_UNTRUSTED, _NO_HANDSHAKE = 60, 35


def options() -> tuple[str, ...]:
    return (*HTTPS, root_file())


def secret(path: Path, chain: str, key: str, name: str = SECRET) -> Object:
    data = {"tls.crt": chain, "tls.key": key}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": path.namespace},
        "type": "kubernetes.io/tls",
        "data": {entry: base64.b64encode(text.encode()).decode() for entry, text in data.items()},
    }


def good() -> Issued:
    return issued(HOST, root(), HOST)


def secured(ingress: Object, name: str = SECRET) -> None:
    ingress["spec"]["tls"] = [{"hosts": [HOST], "secretName": name}]


@contextmanager
def serving(path: Path, one: Issued, *chain: Issued) -> Iterator[None]:
    """The Ingress with a certificate and what is shown behind it."""
    shown = "".join(each.pem for each in (one, *chain))
    with (
        path.created(secret(path, shown, one.key_pem)),
        path.changed("ingress", path.backend.ingress, path.namespace, secured),
    ):
        yield


def untrusted(path: Path) -> bool:
    return path.ask_secure(root_file()).curl == _UNTRUSTED


def refused(path: Path) -> bool:
    return path.ask_secure(root_file()).curl == _NO_HANDSHAKE


@fault(51, "the certificate is expired", "curl 60", (ROUTE, "T53"), touches="ingress")
def expired(path: Path, _: Random) -> Iterator[Broken]:
    with serving(path, issued(HOST, root(), HOST, ended=True)):
        yield Broken(lambda: untrusted(path), options())


@fault(52, "the certificate is of another host", "curl 60", (ROUTE, "T54"), touches="ingress")
def another_host(path: Path, chance: Random) -> Iterator[Broken]:
    with serving(path, issued(HOST, root(), chance.choice([f"other.{HOST}", f"*.{HOST}"]))):
        yield Broken(lambda: untrusted(path), options())


@fault(53, "the certificate is self-signed, or of an unknown authority", "curl 60", (ROUTE, "T55"), touches="ingress")
def unknown_issuer(path: Path, chance: Random) -> Iterator[Broken]:
    with serving(path, issued(HOST, None, HOST) if chance.random() < 0.5 else by_another()):
        yield Broken(lambda: untrusted(path), options())


def by_another() -> Issued:
    """A certificate of an authority that the client does not know, of another organization."""
    other = issued("Another CA", authority=True, organization="Another")
    return issued(HOST, other, HOST)


@fault(54, "the Secret holds no intermediate certificate", "curl 60", (ROUTE, "T56"), touches="ingress")
def incomplete(path: Path, _: Random) -> Iterator[Broken]:
    with serving(path, issued(HOST, intermediate(), HOST)):
        yield Broken(lambda: untrusted(path), options())


@fault(55, "the Ingress names a Secret that is missing or has no key", "curl 35", (ROUTE, "T57"), touches="ingress")
def bad_secret(path: Path, chance: Random) -> Iterator[Broken]:
    empty = secret(path, "", "", "empty-tls") | {"type": "Opaque", "data": {"password": "aGlkZGVu"}}
    name = chance.choice(["web-tsl", "empty-tls"])
    with (
        path.created(empty),
        path.changed("ingress", path.backend.ingress, path.namespace, lambda i: secured(i, name)),
    ):
        yield Broken(lambda: refused(path), options())


@fault(56, "https is published, and no route has a certificate", "curl 35", (ROUTE, "T58"), touches="ingress")
def no_certificate(path: Path, _: Random) -> Iterator[Broken]:
    yield Broken(lambda: refused(path), options())


@fault(57, "the redirect to https keeps the port of plain HTTP", "curl 35", (ROUTE, "T59"), touches="ingress")
def into_nothing(path: Path, _: Random) -> Iterator[Broken]:
    one = good()

    def change(ingress: Object) -> None:
        secured(ingress)
        ingress["metadata"]["annotations"]["ingress.kubernetes.io/force-ssl-redirect"] = "true"

    with (
        path.created(secret(path, one.pem, one.key_pem)),
        path.changed("ingress", path.backend.ingress, path.namespace, change),
    ):
        yield Broken(lambda: path.ask().status == 301, ("--cacert", root_file()))


def proxy(path: Path, route: Object, **virtual_host: object) -> Object:
    spec = {"virtualhost": {"fqdn": HOST, **virtual_host}, "routes": [route]}
    metadata = {"name": "web", "namespace": path.namespace}
    return {"apiVersion": "projectcontour.io/v1", "kind": "HTTPProxy", "metadata": metadata, "spec": spec}


def alone(path: Path, port: int) -> tuple[str, ...]:
    """The options of a trace that knows the cluster by its kubeconfig alone."""
    where = ("--host", HOST, "--port", str(port), "--path", path.backend.request_path)
    return "--kubeconfig", str(path.kubeconfig()), *where


@fault(58, "the redirect leads back to the same request", "curl 47", (ROUTE, "T60"), touches="ingress")
def circle(path: Path, _: Random) -> Iterator[Broken]:
    policy = {"scheme": "http", "hostname": HOST, "port": path.port, "statusCode": 302}
    round_and_round = proxy(path, {"requestRedirectPolicy": policy})
    with path.deleted("ingress", path.backend.ingress, path.namespace), path.created(round_and_round):
        yield Broken(lambda: path.ask().status == 302, alone(path, path.port), stack=False)


@fault(59, "the minimum TLS version is above the client's", "curl 35", (ROUTE, "T61"), touches="ingress")
def minimum_version(path: Path, _: Random) -> Iterator[Broken]:
    one = good()

    def change(ingress: Object) -> None:
        secured(ingress)
        ingress["metadata"]["annotations"][_MINIMUM] = "1.3"

    with (
        path.created(secret(path, one.pem, one.key_pem)),
        path.changed("ingress", path.backend.ingress, path.namespace, change),
    ):
        yield Broken(
            lambda: (
                path.ask_secure(root_file()).well
                and path.ask_secure(root_file(), "--tls-max", "1.2").curl == _NO_HANDSHAKE
            ),
            (*options(), "--tls-max", "1.2"),
        )


@fault(60, "the HTTPProxy wants a certificate of the client", "curl 56", (ROUTE, "T62"), touches="ingress")
def client_certificate(path: Path, _: Random) -> Iterator[Broken]:
    one = good()
    clients = secret(path, "", "", "clients") | {"type": "Opaque"}
    clients["data"] = {"ca.crt": base64.b64encode(root().pem.encode()).decode()}
    services = [{"name": path.backend.service, "port": path.backend.port}]
    wanting = proxy(
        path, {"services": services}, tls={"secretName": SECRET, "clientValidation": {"caSecret": "clients"}}
    )
    with (
        path.deleted("ingress", path.backend.ingress, path.namespace),
        path.created(secret(path, one.pem, one.key_pem), clients, wanting),
    ):
        # 56: TLS 1.3 refuses the client after the handshake.
        yield Broken(
            lambda: path.ask_secure(root_file()).curl == 56, (*alone(path, path.secure_port), *options()), stack=False
        )


@fault(
    61,
    "two Ingresses name two certificates for one host",
    "200 with either",
    (ROUTE, "T63"),
    touches="ingress",
    stops=False,
)
def two_certificates(path: Path, _: Random) -> Iterator[Broken]:
    one, other = good(), good()
    second = bare(path.get("ingress", path.backend.ingress, path.namespace))
    second["metadata"]["name"] = "another"
    way(second)["path"] = "/another"
    secured(second, "other-tls")
    assert rule(second)["host"] == HOST
    with (
        path.created(secret(path, one.pem, one.key_pem), secret(path, other.pem, other.key_pem, "other-tls"), second),
        path.changed("ingress", path.backend.ingress, path.namespace, secured),
    ):
        yield Broken(lambda: path.ask_secure(root_file()).well, options())
