"""The stores of trusted authorities on this machine: the system's, and those of Firefox and Chromium."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

_SECONDS = 120.0
_SYSTEMS = (
    (
        "system (Debian, Ubuntu)",
        "usr/local/share/ca-certificates",
        "update-ca-certificates",
        "etc/ssl/certs/ca-certificates.crt",
        # Without it, links to the removed file stay in /etc/ssl/certs.
        ("--fresh",),
    ),
    (
        "system (Fedora)",
        "etc/pki/ca-trust/source/anchors",
        "update-ca-trust",
        "etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
        (),
    ),
)
"""Name, folder of added authorities, the program that reads it, the bundle that it writes, its options at a removal."""
_MACOS = "Library/Keychains/System.keychain"
_NSS = (
    (".pki/nssdb", "Chromium"),
    ("snap/chromium/current/.pki/nssdb", "Chromium"),
    (".mozilla/firefox/*", "Firefox"),
    ("snap/firefox/common/.mozilla/firefox/*", "Firefox"),
    (".var/app/org.mozilla.firefox/.mozilla/firefox/*", "Firefox"),
    (".config/mozilla/firefox/*", "Firefox"),
    ("Library/Application Support/Firefox/Profiles/*", "Firefox"),
)
"""Where browsers keep their NSS databases, below the home folder."""
_CERTUTIL = "certutil is not on PATH: install libnss3-tools (Debian, Ubuntu), nss-tools (Fedora) or nss (Homebrew)"


ROOTS_FOLDERS = ("/usr/sbin", "/sbin")
"""Where programs of root are, which the PATH of a user may lack."""


class Trust(StrEnum):
    """Whether a store trusts the authority."""

    YES = "trusted"
    NO = "not trusted"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Store:
    """A store of trusted authorities.

    name: what people call it.
    trusted: whether it trusts the authority.
    trust: the commands that add the authority.
    untrust: the commands that remove it.
    rights: whether this user may run them.
    obstacle: why it cannot be read or changed at all; "" if it can.
    """

    name: str
    trusted: Trust
    trust: Sequence[Sequence[str]] = ()
    untrust: Sequence[Sequence[str]] = ()
    rights: bool = True
    obstacle: str = ""


def stores(certificate: Path, label: str, *, root: Path = Path("/"), home: Path | None = None) -> Sequence[Store]:
    """The stores that are found here.

    certificate: the file of the authority's certificate.
    label: the name of the authority in the stores, which no other authority has.
    root: the root folder. Default: /.
    home: the home folder. Default: the user's.
    """
    return [*_system(certificate, label, root), *_browsers(certificate, label, home or Path.home())]


def run(commands: Sequence[Sequence[str]]) -> str:
    """Runs commands until one fails. Returns why it failed; "" if none did."""
    for command in commands:
        status, output = _run(*command)
        if status != 0:
            lines = output.strip().splitlines()
            return f"{shlex.join(command)}: {lines[-1] if lines else f'it ended with {status}'}"
    return ""


def as_root(commands: Sequence[Sequence[str]]) -> str:
    """The command line that runs commands with the rights of root."""
    return " && ".join(shlex.join(["sudo", *command]) for command in commands)


def _system(certificate: Path, label: str, root: Path) -> Iterator[Store]:
    for name, below, program, bundle, removal in _SYSTEMS:
        folder = root / below
        if folder.is_dir() and (refresh := _program(program)):
            anchor = folder / f"{label}.crt"
            # A program that failed leaves one of the two.
            holds = {_holds(anchor, certificate), _holds(root / bundle, certificate)}
            yield Store(
                name,
                Trust.UNKNOWN if len(holds) > 1 else Trust.YES if True in holds else Trust.NO,
                trust=(("install", "-m", "0644", str(certificate), str(anchor)), (refresh,)),
                untrust=(("rm", "-f", str(anchor)), (refresh, *removal)),
                # The program writes below /etc too, which only root may.
                rights=os.access(folder, os.W_OK),
            )
    keychain, security = root / _MACOS, _program("security")
    if keychain.exists() and security:
        status, _ = _run(security, "verify-cert", "-c", str(certificate))
        yield Store(
            "system (macOS)",
            Trust.NO if status else Trust.YES,
            trust=((security, "add-trusted-cert", "-d", "-r", "trustRoot", "-k", str(keychain), str(certificate)),),
            untrust=((security, "remove-trusted-cert", "-d", str(certificate)),),
            rights=os.access(keychain, os.W_OK),
        )


def _browsers(certificate: Path, label: str, home: Path) -> Iterator[Store]:
    certutil = _program("certutil")
    for pattern, browser in _NSS:
        for database in sorted(home.glob(f"{pattern}/cert9.db")):
            name, where = f"{browser} ({database.parent})", f"sql:{database.parent}"
            if not certutil:
                yield Store(name, Trust.UNKNOWN, obstacle=_CERTUTIL)
                continue
            status, _ = _run(certutil, "-L", "-d", where, "-n", label)
            yield Store(
                name,
                Trust.NO if status else Trust.YES,
                trust=((certutil, "-A", "-d", where, "-t", "C,,", "-n", label, "-i", str(certificate)),),
                untrust=((certutil, "-D", "-d", where, "-n", label),),
                rights=os.access(database, os.W_OK),
            )


def _program(name: str) -> str | None:
    """The path of a program."""
    return shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", os.defpath), *ROOTS_FOLDERS)))


def _run(*command: str) -> tuple[int, str]:
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return 1, f"it took longer than {_SECONDS:.0f} s"
    except OSError as error:
        return 1, str(error.strerror)
    return done.returncode, done.stderr or done.stdout


def _holds(bundle: Path, certificate: Path) -> bool:
    try:
        # Programs break the lines of PEM in their own way.
        return "".join(certificate.read_text().split()) in "".join(bundle.read_text(errors="replace").split())
    except OSError:
        return False
