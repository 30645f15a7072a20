"""The files of this machine's own authority and of the certificates that it signed."""

import fcntl
import os
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from hops.model.certificates import KeyPair, make_authority, make_leaf, needs_renewal, signed_by
from hops.observe.local.files import write

FOLDER = "INGRESS_HOPS_CA"
"""The environment's variable that names another folder."""
_KEY = "-----BEGIN PRIVATE KEY-----"


class AuthorityError(OSError):
    """The folder of the authority cannot be used."""


def authority_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """The folder of the authority: absolute, and not necessarily there.

    environment: the variables INGRESS_HOPS_CA, XDG_DATA_HOME and HOME. Default: this process's.
    """
    if own := environment.get(FOLDER):
        return Path(own).expanduser().absolute()
    data = environment.get("XDG_DATA_HOME")
    # The XDG base directory specification tells programs to ignore a relative path.
    base = Path(data) if data and Path(data).is_absolute() else Path("~/.local/share").expanduser()
    return base / "ingress-hops"


def authority_file(folder: Path) -> Path:
    """The file of the authority's certificate, which holds no key."""
    return folder / "authority.pem"


def key_file(folder: Path) -> Path:
    """The file of the authority's key, which only its owner can read."""
    return folder / "authority-key.pem"


def host_files(folder: Path) -> Sequence[Path]:
    """The files of the hosts' certificates and keys, by host name.

    folder: the authority's folder.
    """
    return sorted((folder / "hosts").glob("*.pem"))


def remove_files(folder: Path) -> int:
    """Removes the authority and the certificates that it signed. Returns how many files were removed.

    folder: the authority's folder. Other files in it stay.

    Raises AuthorityError.
    """
    # The certificate goes first: if this is interrupted, a key alone lets the next up make a new authority.
    own = [authority_file(folder), key_file(folder), *host_files(folder)]
    there = [file for file in own if file.exists()]
    try:
        for file in there:
            file.unlink()
        for empty in (folder / "hosts", folder):
            if empty.is_dir() and not any(empty.iterdir()):
                empty.rmdir()
    except OSError as error:
        raise AuthorityError(f"{error.filename} cannot be removed: {error.strerror}; mend its rights") from None
    return len(there)


def certificates(
    folder: Path, hosts: Iterable[str], *, keep: bool, now: datetime | None = None
) -> Mapping[str, KeyPair]:
    """The certificate of each host. A kept one is used until a third of its life is left.

    folder: the authority's folder.
    hosts: the host names.
    keep: whether what is missing or due is written. A preview passes False: it makes what is missing in memory.
    now: an aware time. Default: the present.

    Raises AuthorityError if a file cannot be read or written.
    """
    names, at = sorted(set(hosts)), now or datetime.now(UTC)
    if not names:
        return {}
    try:
        if not keep:
            return _certificates(folder, names, at, keep=False)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        with _locked(folder):
            return _certificates(folder, names, at, keep=True)
    except AuthorityError:
        raise
    except OSError as error:
        raise AuthorityError(
            f"the folder of this machine's authority cannot be used: {error.filename or folder}: {error.strerror}; "
            f"mend its rights, or name another folder in {FOLDER}"
        ) from None


def _certificates(folder: Path, hosts: Iterable[str], now: datetime, *, keep: bool) -> dict[str, KeyPair]:
    authority = _authority(folder, now, keep=keep)
    return {host: _leaf(folder / "hosts" / f"{host}.pem", host, authority, now, keep=keep) for host in hosts}


def _authority(folder: Path, now: datetime, *, keep: bool) -> KeyPair:
    file, key = authority_file(folder), key_file(folder)
    # The key is written first: a certificate without its key was not left by an interrupted up.
    if file.exists():
        private = key.read_text(encoding="ascii", errors="replace") if key.exists() else ""
        kept = KeyPair(file.read_text(encoding="ascii", errors="replace"), private)
        try:
            # An authority signs itself, so this compares its key with its certificate.
            usable = signed_by(kept, kept)
        except ValueError:
            usable = False
        if not usable:
            # It may be trusted in many places, so it is never replaced silently.
            raise AuthorityError(
                f"{file} and {key} hold no certificate with its key; remove both, and the next up makes a new authority"
            )
        if not needs_renewal(kept, now):
            return kept
    made = make_authority(f"ingress-hops of {socket.gethostname()}"[:64], now)
    if keep:
        write(key, made.key, private=True)
        write(file, made.certificate)
    return made


def _leaf(file: Path, host: str, authority: KeyPair, now: datetime, *, keep: bool) -> KeyPair:
    if file.exists():
        certificate, begin, key = file.read_text(encoding="ascii", errors="replace").partition(_KEY)
        kept = KeyPair(certificate, begin + key)
        try:
            if signed_by(kept, authority) and not needs_renewal(kept, now):
                return kept
        except ValueError:
            pass
    made = make_leaf(authority, host, now)
    if keep:
        file.parent.mkdir(mode=0o700, exist_ok=True)
        write(file, made.certificate + made.key, private=True)
    return made


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Lets one process at a time make certificates."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
