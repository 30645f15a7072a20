"""Requests over TLS, from this machine by Python and from a node by its curl, to real servers."""

import os
import shutil
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from hops.observe.local.host import Resolved
from hops.observe.requests import from_client, from_node
from hops.observe.tls import unusable
from hops.trace.facts.probes import Probe
from hops.trace.observed.observation import FollowedRequest, Handshake, ObservedNode, SentRequest
from tests.certificates import Issued, intermediate, issued, root, root_file
from tests.hops.observe.conftest import Behaviour, Serve, StandIn, answering, request_of

HOST = "web.localhost"
OK = b"HTTP/1.1 200 OK\r\nServer: envoy\r\nX-Envoy-Upstream-Service-Time: 3\r\nContent-Length: 5\r\n\r\nhello"


@pytest.fixture(autouse=True)
def node(stand_in: StandIn) -> None:
    """This machine stands in for a node."""
    stand_in.program("iptables-save", "#!/bin/sh\necho '*nat'\n")


def context(folder: Path, one: Issued, *chain: Issued) -> ssl.SSLContext:
    """The settings of a server that shows these certificates and prefers HTTP/1.1."""
    files = folder / "shown.pem", folder / "key.pem"
    files[0].write_text("".join(each.pem for each in (one, *chain)))
    files[1].write_text(one.key_pem)
    found = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    found.load_cert_chain(*files)
    found.set_alpn_protocols(["http/1.1"])
    return found


def secure(settings: ssl.SSLContext, behaviour: Behaviour) -> Behaviour:
    def behave(connection: socket.socket) -> None:
        with settings.wrap_socket(connection, server_side=True) as inside:
            behaviour(inside)

    return behave


def by_client(port: int, **more: object) -> SentRequest:
    asked = FollowedRequest.model_validate({"scheme": "https", "host": HOST, "port": port, **more})
    return from_client(asked, Resolved(("127.0.0.1",), 0.0), ())[0]


def by_node(port: int, **more: object) -> SentRequest:
    if not shutil.which("curl"):
        pytest.skip("curl is not on PATH")
    asked = FollowedRequest.model_validate({"scheme": "https", "host": HOST, "port": port, **more})
    probe = Probe("envoy", "127.0.0.1", port, "GET", "node", scheme="https")
    answers, _ = from_node(ObservedNode(name="node"), asked, [probe], None, {})
    return answers[0]


Send = Callable[..., SentRequest]


def shaken(answer: SentRequest) -> Handshake:
    assert answer.tls
    return answer.tls


@pytest.mark.parametrize("send", [by_client, by_node])
def test_a_handshake(serve: Serve, tmp_path: Path, send: Send) -> None:
    leaf = issued(HOST, intermediate(), HOST, "other.localhost")
    port = serve(secure(context(tmp_path, leaf, intermediate()), answering(OK)))
    answer = send(port, ca_file=root_file())
    assert (answer.failure, answer.status, answer.by_pod) == (None, 200, True)
    tls = shaken(answer)
    assert (tls.name, tls.protocol, tls.alpn, tls.error) == (HOST, "TLSv1.3", "http/1.1", "")
    assert tls.cipher
    assert tls.cipher.startswith("TLS_")
    assert [one.subject for one in tls.chain] == ["CN=web.localhost,O=Faults", "CN=Faults Issuing CA,O=Faults"]
    first = tls.chain[0]
    assert (first.hosts, first.key, first.issuer) == ((HOST, "other.localhost"), "EC secp256r1", tls.chain[1].subject)
    assert first.begins < first.ends
    assert len(first.sha256) == 64
    assert tls.verified is (True if send is by_client else None)
    assert "PRIVATE" not in answer.model_dump_json()


@pytest.mark.parametrize(
    ("made", "code"),
    [
        ({"ended": True}, 10),
        ({"name": "other.localhost"}, 62),
    ],
)
def test_a_certificate_that_the_client_refuses_is_shown_all_the_same(
    serve: Serve, tmp_path: Path, made: dict[str, str], code: int
) -> None:
    leaf = issued(HOST, root(), made.get("name", HOST), ended="ended" in made)
    port = serve(secure(context(tmp_path, leaf), answering(OK)))
    answer = by_client(port, ca_file=root_file())
    assert (answer.failure, answer.status) == ("tls", None)
    tls = shaken(answer)
    assert (tls.verified, tls.code, len(tls.chain)) == (False, code, 1)
    assert tls.distrust == answer.error
    assert by_client(port, ca_file=root_file(), insecure=True).status == 200


def test_an_unknown_issuer_with_the_authorities_that_are_trusted(serve: Serve, tmp_path: Path) -> None:
    port = serve(secure(context(tmp_path, issued(HOST, intermediate(), HOST)), answering(OK)))
    tls = shaken(by_client(port, ca_file=root_file()))
    assert (tls.verified, tls.code, tls.trusted) == (False, 20, ("CN=Faults Root CA,O=Faults",))
    assert shaken(by_client(port)).trusted == ()


@pytest.mark.parametrize("send", [by_client, by_node])
def test_a_version_that_the_client_does_not_speak(serve: Serve, tmp_path: Path, send: Send) -> None:
    settings = context(tmp_path, issued(HOST, root(), HOST))
    settings.minimum_version = ssl.TLSVersion.TLSv1_3
    answer = send(serve(secure(settings, answering(OK))), ca_file=root_file(), tls_max="1.2")
    assert (answer.failure, shaken(answer).protocol) == ("tls", None)
    assert "protocol version" in shaken(answer).error


@pytest.mark.parametrize("send", [by_client, by_node])
def test_a_certificate_that_the_server_wants(serve: Serve, tmp_path: Path, send: Send) -> None:
    settings = context(tmp_path, issued(HOST, root(), HOST))
    settings.verify_mode = ssl.CERT_REQUIRED
    settings.load_verify_locations(root_file())
    answer = send(serve(secure(settings, answering(OK))), ca_file=root_file())
    assert answer.status is None
    assert shaken(answer).wants_client is True


@pytest.mark.parametrize("send", [by_client, by_node])
def test_a_server_that_speaks_no_tls(serve: Serve, send: Send) -> None:
    answer = send(serve(answering(b"HTTP/1.1 400 Bad Request\r\n\r\n")))
    assert (answer.status, shaken(answer).protocol) == (None, None)
    assert shaken(answer).error


def test_a_server_that_closes_without_an_answer(serve: Serve, tmp_path: Path) -> None:
    def closing(connection: socket.socket) -> None:
        request_of(connection)

    port = serve(secure(context(tmp_path, issued(HOST, root(), HOST)), closing))
    answer = by_client(port, ca_file=root_file())
    assert answer.failure in ("empty", "tls")
    assert shaken(answer).protocol == "TLSv1.3"


def test_why_a_secret_cannot_serve() -> None:
    one, other = issued(HOST, root(), HOST), issued(HOST, root(), HOST)
    good = {"tls.crt": (one.pem + root().pem).encode(), "tls.key": one.key_pem.encode()}
    assert unusable(good) == ""
    assert unusable({}) == "it has no tls.crt and no tls.key"
    assert unusable(good | {"tls.key": b""}) == "it has no tls.key"
    assert unusable(good | {"tls.crt": b"certificate"}) == "its tls.crt holds no certificate in PEM"
    assert unusable(good | {"tls.key": os.urandom(8)}) == "its tls.key holds no private key in PEM without a passphrase"
    assert unusable(good | {"tls.key": other.key_pem.encode()}).startswith("its tls.key is not the key of")
