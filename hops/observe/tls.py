"""TLS handshakes, and the public facts of certificates."""

import re
import socket
import ssl
from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import ip_address

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID

from hops.trace.observed.observation import Certificate, FollowedRequest, Handshake

_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")
_MOST = 10
_TRUSTED = 20


def context(asked: FollowedRequest, *, checked: bool, protocols: Sequence[str]) -> ssl.SSLContext:
    """The settings of a TLS client.

    asked: the followed request, with its authorities and newest version.
    checked: whether the server's certificate is verified.
    protocols: the application protocols to offer, the preferred first.

    Raises OSError if the file of the authorities cannot be read or holds no certificate.
    """
    found = ssl.create_default_context(cafile=asked.ca_file if checked else None)
    if not checked:
        found.check_hostname = False
        found.verify_mode = ssl.CERT_NONE
    if asked.tls_max:
        found.maximum_version = _VERSIONS[asked.tls_max]
    found.set_alpn_protocols(list(protocols))
    return found


def server_name(host: str) -> str | None:
    """The name that a client sends for a host; None for an IP address (RFC 6066, section 3)."""
    try:
        ip_address(host)
    except ValueError:
        return host
    return None


def entered(
    connection: socket.socket, asked: FollowedRequest, settings: ssl.SSLContext
) -> tuple[ssl.SSLSocket | None, Handshake, OSError | None]:
    """Shakes hands. Returns the encrypted connection, the handshake, and the error that ended it.

    connection: an open connection; it belongs to the encrypted one afterwards.
    asked: the followed request.
    settings: of `context`.
    """
    found = Handshake(name=server_name(asked.host), trusted=_trusted(asked))
    try:
        secure = settings.wrap_socket(connection, server_hostname=asked.host)
    except ssl.SSLCertVerificationError as error:
        why = {"verified": False, "distrust": error.verify_message, "code": error.verify_code}
        return None, found.model_copy(update=why), error
    except OSError as error:
        return None, found.model_copy(update={"error": reason(error), **_asks_for_certificate(error)}), error
    cipher = secure.cipher()
    verified = True if settings.verify_mode is ssl.CERT_REQUIRED else None
    update = {
        "protocol": secure.version(),
        "cipher": cipher[0] if cipher else None,
        "alpn": secure.selected_alpn_protocol(),
        "chain": _sent(secure),
        "verified": verified,
    }
    return secure, found.model_copy(update=update), None


def _asks_for_certificate(error: OSError) -> Mapping[str, bool]:
    said = getattr(error, "reason", None) or ""
    return {"wants_client": True} if "CERTIFICATE_REQUIRED" in said else {}


def with_error(handshake: Handshake, error: OSError) -> Handshake:
    """The handshake, with an error that the server sent after it: TLS 1.3 refuses a missing certificate then."""
    return handshake.model_copy(update={"error": reason(error), **_asks_for_certificate(error)})


def reason(error: OSError) -> str:
    """Why a handshake failed, in OpenSSL's words."""
    said = getattr(error, "reason", None)
    if isinstance(said, str):
        return said.replace("_", " ").lower()
    return error.strerror or str(error) or "no answer in time"


def certificates(pem: str) -> tuple[Certificate, ...]:
    """The certificates in a text, in their order. Those that cannot be read are left out."""
    return tuple(found for text in _PEM.findall(pem)[:_MOST] if (found := _certificate(text.encode())))


def _sent(secure: ssl.SSLSocket) -> tuple[Certificate, ...]:
    """The certificates that the server sent."""
    # Python 3.13 has the method on the socket; until then only the object below has it.
    below = secure if hasattr(secure, "get_unverified_chain") else secure._sslobj  # type: ignore[attr-defined] # noqa: SLF001
    chain: Iterable[object] = below.get_unverified_chain() or ()
    ders = [one if isinstance(one, bytes) else ssl.PEM_cert_to_DER_cert(one.public_bytes()) for one in chain]  # type: ignore[attr-defined]
    return certificates("".join(ssl.DER_cert_to_PEM_cert(der) for der in ders))


def _trusted(asked: FollowedRequest) -> tuple[str, ...]:
    if not asked.ca_file:
        return ()
    try:
        with open(asked.ca_file, encoding="ascii", errors="replace") as file:  # noqa: PTH123 - read where ssl reads it
            return tuple(one.subject for one in certificates(file.read())[:_TRUSTED])
    except OSError:
        return ()


def _certificate(pem: bytes) -> Certificate | None:
    try:
        one = x509.load_pem_x509_certificate(pem)
        return Certificate(
            subject=one.subject.rfc4514_string(),
            issuer=one.issuer.rfc4514_string(),
            begins=one.not_valid_before_utc.isoformat(),
            ends=one.not_valid_after_utc.isoformat(),
            hosts=tuple(_hosts(one)),
            key=_key(one),
            sha256=one.fingerprint(hashes.SHA256()).hex(),
            issued_at=_issued_at(one),
        )
    except (ValueError, UnsupportedAlgorithm):
        return None


def _hosts(one: x509.Certificate) -> Iterator[str]:
    try:
        names = one.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return
    yield from names.get_values_for_type(x509.DNSName)
    yield from map(str, names.get_values_for_type(x509.IPAddress))


def _key(one: x509.Certificate) -> str:
    key = one.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}"
    return f"EC {key.curve.name}" if isinstance(key, ec.EllipticCurvePublicKey) else type(key).__name__.strip("_")


def _issued_at(one: x509.Certificate) -> str | None:
    try:
        places = one.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except x509.ExtensionNotFound:
        return None
    return next(
        (
            str(place.access_location.value)
            for place in places
            if place.access_method == AuthorityInformationAccessOID.CA_ISSUERS
        ),
        None,
    )


def unusable(data: Mapping[str, bytes]) -> str:
    """Why the data of a Secret cannot serve as a certificate, as a clause; "" if it can. No value is repeated.

    data: the Secret's entries, decoded.
    """
    if missing := [key for key in ("tls.crt", "tls.key") if not data.get(key)]:
        return f"it has no {' and no '.join(missing)}"
    chain = _PEM.findall(data["tls.crt"].decode("ascii", "replace"))
    try:
        first = x509.load_pem_x509_certificate(chain[0].encode()) if chain else None
    except ValueError:
        first = None
    if first is None:
        return "its tls.crt holds no certificate in PEM"
    try:
        key = serialization.load_pem_private_key(data["tls.key"], None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return "its tls.key holds no private key in PEM without a passphrase"
    form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    fits = key.public_key().public_bytes(*form) == first.public_key().public_bytes(*form)
    return "" if fits else "its tls.key is not the key of the certificate in tls.crt"
