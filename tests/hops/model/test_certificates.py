"""The certificates of this machine's own authority."""

import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from hops.model.certificates import (
    LEAF_DAYS,
    KeyPair,
    make_authority,
    make_leaf,
    needs_renewal,
    signed_by,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def read(pair: KeyPair) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pair.certificate.encode())


def test_the_authority_signs_hosts_and_no_other_authority() -> None:
    one = read(make_authority("machine", NOW))
    basic = one.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (basic.critical, basic.value.ca, basic.value.path_length) == (True, True, 0)
    assert one.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign


def test_a_leaf_is_for_its_host_alone() -> None:
    one = read(make_leaf(make_authority("machine", NOW), "shop.localhost", NOW))
    names = one.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["shop.localhost"]
    assert not one.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert not one.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    key = one.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert isinstance(key.curve, ec.SECP256R1)
    assert one.not_valid_after_utc == NOW + timedelta(days=LEAF_DAYS)


def test_a_leaf_does_not_outlive_its_authority() -> None:
    authority = make_authority("machine", NOW)
    late = read(authority).not_valid_after_utc - timedelta(days=1)
    assert read(make_leaf(authority, "a.localhost", late)).not_valid_after_utc == late + timedelta(days=1)


def test_a_host_name_longer_than_a_common_name() -> None:
    host = ".".join(["a" * 60, "b" * 60, "localhost"])
    one = read(make_leaf(make_authority("machine", NOW), host, NOW))
    names = one.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [host]


@pytest.mark.parametrize(("days", "due"), [(0, False), (59, False), (61, True), (91, True)])
def test_a_leaf_is_renewed_at_a_third_of_its_life_left(days: int, due: bool) -> None:  # noqa: FBT001
    leaf = make_leaf(make_authority("machine", NOW), "a.localhost", NOW)
    assert needs_renewal(leaf, NOW + timedelta(days=days)) is due


def test_who_signed_a_leaf() -> None:
    authority, other = make_authority("machine", NOW), make_authority("machine", NOW)
    leaf = make_leaf(authority, "a.localhost", NOW)
    assert signed_by(leaf, authority)
    assert not signed_by(leaf, other)
    assert not signed_by(KeyPair(leaf.certificate, make_leaf(authority, "a.localhost", NOW).key), authority)


def test_the_representation_holds_no_key() -> None:
    leaf = make_leaf(make_authority("machine", NOW), "a.localhost", NOW)
    assert leaf.key.splitlines()[1] not in f"{leaf} {leaf!r}"


@pytest.mark.parametrize(("host", "trusted"), [("shop.localhost", True), ("other.localhost", False)])
def test_openssl_accepts_the_chain_for_the_host(host: str, trusted: bool, tmp_path: Path) -> None:  # noqa: FBT001
    now = datetime.now(UTC)
    authority = make_authority("machine", now)
    leaf = make_leaf(authority, "shop.localhost", now)
    (tmp_path / "leaf.pem").write_text(leaf.certificate + leaf.key)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "leaf.pem")
    client = ssl.create_default_context(cadata=authority.certificate)
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    ours, theirs = socket.socketpair()

    def serve() -> None:
        try:
            server.wrap_socket(theirs, server_side=True).close()
        except OSError:
            theirs.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with client.wrap_socket(ours, server_hostname=host):
            assert trusted
    except ssl.SSLCertVerificationError:
        assert not trusted
    finally:
        ours.close()
        thread.join(10)
