"""What happens to a running stack without Pulumi: a preview shows it, the trace names it, `make up` mends it."""

import json
import re
import shutil
import subprocess
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.project import Project, answer, run

pytestmark = pytest.mark.long

STACK = "drift"
CLUSTER = f"ingress-hops-{STACK}"
NODES = (f"{CLUSTER}-control-plane", f"{CLUSTER}-worker")
HOST = f"my-service.{STACK}.localhost"


def _kubeconfig(project: Project) -> Path:
    return Path(project.outputs(STACK)["cluster"]["kubeconfig"])


def _stop_all(_: Project) -> None:
    run("docker", "stop", "--time", "2", *NODES)


def _addresses() -> dict[str, str]:
    form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    return dict(zip(NODES, run("docker", "inspect", "--format", form, *NODES).split(), strict=True))


def _swap(_: Project) -> None:
    """The nodes start in the order in which each gets the address of the other, as after a restart of Docker."""
    if not subprocess.run(["docker", "exec", NODES[0], "test", "-e", "/kind/old-ipv4"], check=False).returncode:
        pytest.skip("this node image configures its nodes anew when their addresses change")
    before = _addresses()
    run("docker", "stop", "--time", "2", *NODES)
    for node in NODES:
        # Without the address that an earlier `up` may have fixed.
        run("docker", "network", "disconnect", "kind", node)
        run("docker", "network", "connect", "kind", node)
    for node in sorted(NODES, key=lambda node: int(before[node].rpartition(".")[2]), reverse=True):
        run("docker", "start", node)
    assert _addresses() == {NODES[0]: before[NODES[1]], NODES[1]: before[NODES[0]]}


def _lose_kubeconfig(project: Project) -> None:
    _kubeconfig(project).unlink()


def _overwrite_kubeconfig(project: Project) -> None:
    _kubeconfig(project).write_text("nothing of use\n")


def _expired_client() -> tuple[str, str]:
    """A client certificate that the cluster's authority signed and that expired yesterday, and its key; in base64."""
    pki = "/etc/kubernetes/pki"
    authority = x509.load_pem_x509_certificate(run("docker", "exec", NODES[0], "cat", f"{pki}/ca.crt").encode())
    pem = run("docker", "exec", NODES[0], "cat", f"{pki}/ca.key").encode()
    signing = serialization.load_pem_private_key(pem, None)
    assert isinstance(signing, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    names = ((NameOID.ORGANIZATION_NAME, "system:masters"), (NameOID.COMMON_NAME, "kubernetes-admin"))
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(*name) for name in names]))
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=366))
        .not_valid_after(now - timedelta(days=1))
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(signing, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return b64encode(made.public_bytes(serialization.Encoding.PEM)).decode(), b64encode(private).decode()


def _expire_client(project: Project) -> None:
    """A year after the cluster was made: the kubeconfig file and the node's own have the same certificate."""
    certificate, key = _expired_client()

    def old(text: str) -> str:
        text = re.sub("(client-certificate-data: ).*", rf"\g<1>{certificate}", text)
        return re.sub("(client-key-data: ).*", rf"\g<1>{key}", text)

    own, file = "/etc/kubernetes/admin.conf", _kubeconfig(project)
    text = old(run("docker", "exec", NODES[0], "cat", own))
    words = ["docker", "exec", "--interactive", NODES[0], "tee", own]
    subprocess.run(words, input=text, text=True, check=True, capture_output=True)
    file.write_text(old(file.read_text()))


def _lose_state(project: Project) -> None:
    for file in (project.folder / ".ingress-hops/state/.pulumi/stacks/ingress-hops").glob(f"{STACK}.json*"):
        file.unlink()


def _lose_image(project: Project) -> None:
    """The image is gone from the node, and the pod with it."""
    project.kubectl(STACK, "delete", "--namespace", "apps", "pod/example-pod")
    image = "docker.io/library/python:3.13-slim"
    run("docker", "exec", NODES[1], "crictl", "rmi", image)


def _collide(project: Project) -> None:
    """Somebody applies another Ingress of the same name, host and path."""
    ingress = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "my-service-ingress", "namespace": "apps"},
        "spec": {"defaultBackend": {"service": {"name": "other", "port": {"number": 80}}}},
    }
    file = project.folder / "collides.json"
    file.write_text(json.dumps(ingress))
    run("docker", "cp", str(file), f"{NODES[0]}:/collides.json")
    file.unlink()
    project.kubectl(STACK, "apply", "--filename", "/collides.json")


@dataclass(frozen=True)
class Case:
    """What happens. preview: what a preview says of it. trace: what a trace says, if anything. stops: the request."""

    happens: Callable[[Project], None]
    preview: str
    trace: str | None = None
    stops: bool = True


CASES = {
    "the worker is stopped": Case(lambda _: _docker("stop", NODES[1]), "started again by an up", "port-mapping"),
    "the worker is paused": Case(lambda _: _docker("pause", NODES[1]), "started again by an up", "paused"),
    "the control plane is stopped": Case(lambda _: _docker("stop", NODES[0]), "started again by an up"),
    "every node is stopped": Case(_stop_all, "started again by an up", "port-mapping"),
    "the nodes swapped their addresses": Case(_swap, "and its cluster was made with 172.", "T46"),
    "the kubeconfig is lost": Case(_lose_kubeconfig, "is lost or damaged (an up writes it again)"),
    "the kubeconfig is overwritten": Case(_overwrite_kubeconfig, "is lost or damaged (an up writes it again)"),
    "the client certificate has expired": Case(
        _expire_client, "has a client certificate that expired on", "T47", stops=False
    ),
    "an Ingress is applied over the stack's": Case(_collide, "Ingress apps/my-service-ingress"),
    "the state is lost": Case(_lose_state, "this state knows nothing of it: an up takes it over"),
}


def _docker(verb: str, node: str) -> None:
    run("docker", verb, node)


@pytest.fixture(scope="module")
def running(project: Project) -> Iterator[Project]:
    with project.running(STACK):
        yield project


@pytest.mark.parametrize("name", CASES)
def test_what_happened_is_shown_and_mended(running: Project, name: str) -> None:
    case = CASES[name]
    created = run("docker", "inspect", "--format", "{{.Created}}", *NODES)
    case.happens(running)
    trace = subprocess.run(
        [".venv/bin/hops", "trace", STACK],
        cwd=running.folder,
        env=running.environment,
        check=False,
        capture_output=True,
        text=True,
    )
    assert "Traceback" not in trace.stderr
    if case.trace:
        assert trace.returncode == (1 if case.stops else 0), trace.stdout + trace.stderr
        assert case.trace in trace.stdout, trace.stdout
    assert case.preview in running.preview(STACK)
    said = running.up(STACK)
    assert answer(running.outputs(STACK)["curl"])[0] == 200, said
    words = [".venv/bin/hops", "kubectl", STACK, "get", "pods", "--namespace", "apps"]
    pods = subprocess.run(
        words, cwd=running.folder, env=running.environment, check=True, capture_output=True, text=True
    )
    assert "example-pod" in pods.stdout
    assert _kubeconfig(running).stat().st_mode & 0o077 == 0
    assert run("docker", "inspect", "--format", "{{.Created}}", *NODES) == created, "the cluster was made anew"


@pytest.mark.parametrize(("clock", "certificate"), [("-30d", "begins on"), ("+800d", "expired on")])
def test_a_clock_that_jumped_is_told(running: Project, clock: str, certificate: str) -> None:
    """`hops` has another clock than the nodes, so that renewed certificates do not help."""
    if not shutil.which("faketime"):
        pytest.skip("faketime is not installed")
    environment = running.environment | {"FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    said = {}
    for command, status in (("trace", 0), ("preview", None), ("up", 2)):
        done = subprocess.run(
            ["faketime", "-f", clock, ".venv/bin/hops", command, STACK],
            cwd=running.folder,
            env=environment,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        said[command] = done.stdout
        assert "Traceback" not in done.stdout
        assert status is None or done.returncode == status, done.stdout
    assert "T47" in said["trace"], said["trace"]
    assert f"has a client certificate that {certificate}" in said["preview"], said["preview"]
    assert "set the clock, or rebuild the cluster: make down" in said["up"], said["up"]
    assert "has a client certificate" not in running.preview(STACK)
    said["after"] = running.up(STACK)
    assert answer(running.outputs(STACK)["curl"])[0] == 200, said["after"]
