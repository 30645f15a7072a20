"""Certificates that tests make: an authority, its intermediate one, and what they issue."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path as File
from tempfile import mkdtemp

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Issued:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        form = serialization.PrivateFormat.PKCS8
        return self.key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def issued(
    name: str,
    by: Issued | None = None,
    *hosts: str,
    authority: bool = False,
    ended: bool = False,
    organization: str = "Faults",
) -> Issued:
    """A certificate.

    name: its common name.
    by: its issuer; None for a self-signed one.
    hosts: its alternative names.
    authority: whether it can issue others.
    ended: whether it is expired.
    organization: its organization.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization), x509.NameAttribute(NameOID.COMMON_NAME, name)]
    subject = x509.Name(parts)
    begins = datetime.now(UTC) - 30 * _DAY
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(datetime.now(UTC) - _DAY if ended else begins + 300 * _DAY)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if authority:
        usage = dict.fromkeys(
            ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False
        ) | {"digital_signature": True, "key_cert_sign": True, "crl_sign": True}
        made = made.add_extension(x509.KeyUsage(**usage, encipher_only=False, decipher_only=False), critical=True)
    if hosts:
        made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), critical=False)
    return Issued(made.sign(by.key if by else key, hashes.SHA256()), key)


@cache
def root() -> Issued:
    """The authority that the tests' clients trust."""
    return issued("Faults Root CA", authority=True)


@cache
def intermediate() -> Issued:
    """An authority that the root has issued."""
    return issued("Faults Issuing CA", root(), authority=True)


@cache
def root_file() -> str:
    """The file with the root's certificate."""
    file = File(mkdtemp(prefix="hops-faults-")) / "authority.pem"
    file.write_text(root().pem)
    return str(file)
