"""Certificates of this machine's own authority. The time is an argument, and nothing is read or written here."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_DAYS = 3650
LEAF_DAYS = 90
# Clients whose clock is a little behind must not refuse a new certificate.
_SKEW = timedelta(hours=1)
# RFC 5280 bounds a common name to 64 characters; the host stands in the subject alternative name anyway.
_COMMON_NAME = 64


@dataclass(frozen=True)
class KeyPair:
    """A certificate with its private key, both in PEM. The key is left out of the representation.

    certificate: the certificate. key: its private key, PKCS #8 without a password.
    """

    certificate: str
    key: str

    def __repr__(self) -> str:
        return "KeyPair(certificate=…, key=…)"


@dataclass(frozen=True)
class CertificateFacts:
    """What people compare of a certificate.

    name: its common name. fingerprint: SHA-256 of the certificate, as pairs of hexadecimal digits joined by colons.
    begins, ends: when it begins and ends to be valid, aware times.
    """

    name: str
    fingerprint: str
    begins: datetime
    ends: datetime


def facts(certificate: str) -> CertificateFacts:
    """The facts of a certificate in PEM. Raises ValueError if it cannot be read."""
    one = x509.load_pem_x509_certificate(certificate.encode())
    names = one.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    digest = one.fingerprint(hashes.SHA256()).hex(":").upper()
    name = str(names[0].value) if names else ""
    return CertificateFacts(name, digest, one.not_valid_before_utc, one.not_valid_after_utc)


def make_authority(name: str, now: datetime) -> KeyPair:
    """Makes an authority that signs certificates of hosts, and no other authority's.

    name: its common name, as stores of browsers show it; at most 64 characters.
    now: an aware time.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(name)
    public = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = (
        _begun(subject, subject, key, now, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(public, critical=False)
    )
    return _pair(builder.sign(key, hashes.SHA256()), key)


def make_leaf(authority: KeyPair, host: str, now: datetime) -> KeyPair:
    """Makes the certificate of a host.

    authority: the authority that signs it.
    host: the host name, which becomes its only subject alternative name.
    now: an aware time.

    Raises ValueError if the authority's PEM cannot be read.
    """
    issuer = x509.load_pem_x509_certificate(authority.certificate.encode())
    signing = _private(authority)
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        _begun(_name(host[:_COMMON_NAME]), issuer.subject, key, now, LEAF_DAYS, latest=issuer.not_valid_after_utc)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()),
            critical=False,
        )
    )
    return _pair(builder.sign(signing, hashes.SHA256()), key)


def needs_renewal(pair: KeyPair, now: datetime) -> bool:
    """Whether at most a third of the certificate's life is left.

    Raises ValueError if its PEM cannot be read.
    """
    one = x509.load_pem_x509_certificate(pair.certificate.encode())
    life = one.not_valid_after_utc - one.not_valid_before_utc
    return one.not_valid_after_utc - now <= life / 3


def signed_by(leaf: KeyPair, authority: KeyPair) -> bool:
    """Whether the authority signed the leaf, and the leaf's key is its certificate's.

    Raises ValueError if a PEM cannot be read.
    """
    one = x509.load_pem_x509_certificate(leaf.certificate.encode())
    try:
        one.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.certificate.encode()))
    except Exception:  # noqa: BLE001 - InvalidSignature, ValueError and TypeError all mean that it did not
        return False
    return _private(leaf).public_key() == one.public_key()


def _begun(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    now: datetime,
    days: int,
    *,
    latest: datetime | None = None,
) -> x509.CertificateBuilder:
    ends = now + timedelta(days=days)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(min(ends, latest) if latest else ends)
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _private(pair: KeyPair) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(pair.key.encode(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("the private key is no elliptic curve key")  # noqa: TRY004 - the content is wrong, not a type
    return key


def _pair(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> KeyPair:
    return KeyPair(
        certificate.public_bytes(serialization.Encoding.PEM).decode(),
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode(),
    )
