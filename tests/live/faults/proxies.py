"""Faults of hop 4 that are Envoy's own or Contour's: nobody takes the request, or what is taken is out of date."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from random import Random

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from hops.model.path import CONTOUR_NAMESPACE
from tests.live.faults.fault import ROUTE, Broken, fault
from tests.live.faults.host_ports import envoy_container
from tests.live.faults.kubernetes import MISSING_IMAGE, Object, nowhere, until, waiting
from tests.live.faults.path import Path, hosts
from tests.live.faults.routes import other_ingress

CERTIFICATE = "envoycert"


def bad_image(daemon_set: Object) -> None:
    envoy_container(daemon_set)["image"] = MISSING_IMAGE


def bad_arguments(daemon_set: Object) -> None:
    envoy_container(daemon_set)["args"][:2] = ["-c", "/config/missing.json"]


@fault(16, "Envoy's image is missing, no node is selected, or Envoy crashes", "curl 52 or 56", (ROUTE, "T16"),
       touches="envoy", slow=True)  # fmt: skip
def no_envoy(path: Path, chance: Random) -> Iterator[Broken]:
    change = chance.choice([bad_image, nowhere, bad_arguments])
    with path.another_envoy(change):
        yield Broken(
            lambda: (
                not path.envoys()
                if change is nowhere
                else bool(waiting(path.envoys()) & {"ErrImagePull", "ImagePullBackOff", "CrashLoopBackOff"})
            )
        )


@contextmanager
def no_contour(path: Path) -> Iterator[None]:
    def scaled(deployment: Object) -> None:
        deployment["spec"]["replicas"] = 0

    with path.changed("deployment", "contour", CONTOUR_NAMESPACE, scaled):
        for pod in contours(path):
            path.delete("pod", pod["metadata"]["name"], CONTOUR_NAMESPACE)
        until("Contour is away", lambda: not contours(path))
        yield


def contours(path: Path) -> list[Object]:
    return path.list("pods", CONTOUR_NAMESPACE, "app=contour")


@fault(
    20,
    "Contour is scaled to 0, then an Ingress is added",
    "Envoy's 404, as before the change",
    (ROUTE, "T20"),
    touches="contour ingress",
    slow=True,
)
def stale(path: Path, _: Random) -> Iterator[Broken]:
    host = f"another.{path.backend.host}"
    with no_contour(path), path.created(other_ingress(path, host)):
        yield Broken(lambda: path.ask(host).status == 404, ("--host", host), files=hosts(f"127.0.0.1 {host}"))


def certificates(days: int) -> dict[str, bytes]:
    """What Contour's certgen makes for Envoy, PEM, of an authority of its own; it ends so many days from now."""
    authority, own = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    end = datetime.now(UTC) + timedelta(days=days)

    def signed(name: str, key: ec.EllipticCurvePrivateKey, *, is_authority: bool) -> bytes:
        public = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Project Contour")]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(end - timedelta(days=365))
            .not_valid_after(end)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .sign(authority, hashes.SHA256())
        )
        return public.public_bytes(serialization.Encoding.PEM)

    form = serialization.PrivateFormat.PKCS8
    return {
        "ca.crt": signed("Project Contour", authority, is_authority=True),
        "tls.crt": signed("envoy", own, is_authority=False),
        "tls.key": own.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()),
    }


@contextmanager
def other_certificates(path: Path, days: int) -> Iterator[None]:
    """Envoy's certificates are another authority's, with an end so many days from now."""
    made = {name: base64.b64encode(content).decode() for name, content in certificates(days).items()}
    with path.changed("secret", CERTIFICATE, CONTOUR_NAMESPACE, lambda secret: secret.update(data=made)):
        yield


@fault(21, "Envoy's xDS certificate is expired, deleted or another authority's", "curl 52 or 56", (ROUTE, "T21"),
       touches="envoy", slow=True)  # fmt: skip
def no_certificate(path: Path, chance: Random) -> Iterator[Broken]:
    how = chance.choice(["expired", "deleted", "foreign"])
    with (
        path.deleted("secret", CERTIFICATE, CONTOUR_NAMESPACE)
        if how == "deleted"
        else other_certificates(path, -1 if how == "expired" else 30)
    ):
        path.new_envoy()
        yield Broken(lambda: names_certificate(path, how))
    path.new_envoy()


def names_certificate(path: Path, how: str) -> bool:
    """The kubelet tells of a missing Secret; an Envoy that runs and has no configuration waits for its start."""
    if how == "deleted":
        events = json.dumps(path.list("events", CONTOUR_NAMESPACE))
        return f'secret \\"{CERTIFICATE}\\" not found' in events and bool(path.envoys())
    statuses = [s for pod in path.envoys() for s in pod["status"].get("containerStatuses", []) if s["name"] == "envoy"]
    return any("running" in s["state"] and not s["ready"] for s in statuses)
