"""`hops ca`: shows, exports, trusts and removes this machine's own certificate authority."""

import shlex
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from hops.cli.authority.trust_stores import Store, Trust, as_root, run, stores
from hops.cli.output import Format, FormatOption, Status, echo, print_json, stop
from hops.model.certificates import CertificateFacts, facts
from hops.observe.local.authority import (
    AuthorityError,
    authority_file,
    authority_folder,
    host_files,
    key_file,
    remove_files,
)
from hops.observe.local.files import write

app = typer.Typer(
    help="The certificate authority of this machine, which signs the certificates of routes with tls: true.",
    rich_markup_mode=None,
    no_args_is_help=True,
)
ROOT = Path("/")
"""The root folder of the system's stores."""


@app.command()
def show(*, form: FormatOption = Format.TEXT) -> None:
    """Shows the authority, the certificates that it signed, and which stores of this machine trust it.

    Exit status: 0 shown, 2 there is no authority, or its files cannot be read.
    """
    authority = _authority()
    hosts = _hosts()
    found = _stores(authority)
    file = authority_file(authority_folder())
    if form is Format.JSON:
        print_json(
            {
                "file": str(file),
                "authority": _as_json(authority),
                "hosts": {host: _as_json(each) for host, each in hosts.items()},
                "stores": [{"name": store.name, "trusted": store.trusted} for store in found],
            }
        )
        return
    echo(authority.name)
    echo(f"  file:     {file}")
    echo(f"  SHA-256:  {authority.fingerprint}")
    echo(f"  valid to: {authority.ends:%Y-%m-%d}")
    for host, each in hosts.items():
        echo(f"  host:     {host}, valid to {each.ends:%Y-%m-%d}")
    if not found:
        echo("  store:    none of the known stores is on this machine")
    for store in found:
        echo(f"  store:    {store.name}: {store.trusted}{f'; {store.obstacle}' if store.obstacle else ''}")


@app.command()
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the certificate is written, in PEM.")],
) -> None:
    """Writes the authority's certificate, without its key, for another machine or program.

    Exit status: 0 written, 2 not written, and why.
    """
    _authority()
    try:
        write(file, authority_file(authority_folder()).read_text())
    except OSError as error:
        stop(f"{file} cannot be written: {error.strerror}")
    echo(f"{file} holds the certificate of the authority, and no key")


@app.command()
def trust() -> None:
    """Adds the authority to the stores of this machine: the system's, Firefox's and Chromium's.

    Exit status: 0 all stores trust it, 1 a store does not, 2 there is no authority.
    """
    raise typer.Exit(_change(_stores(_authority()), target=Trust.YES))


@app.command()
def untrust() -> None:
    """Removes the authority from the stores of this machine. Its files stay.

    Exit status: 0 no store trusts it, 1 a store still does, 2 there is no authority.
    """
    raise typer.Exit(_change(_stores(_authority()), target=Trust.NO))


@app.command()
def remove() -> None:
    """Removes the authority from the stores, and then its files. The next up makes a new authority.

    Exit status: 0 removed, 1 a store still trusts it and the files stay, 2 there is no authority.
    """
    ended = _change(_stores(_authority()), target=Trust.NO)
    if ended is not Status.ALL_WELL:
        echo("the files of the authority stay: without them, hops cannot remove it from that store", err=True)
        raise typer.Exit(ended)
    folder = authority_folder()
    try:
        removed = remove_files(folder)
    except AuthorityError as error:
        stop(error)
    echo(f"{folder}: {removed} files are removed; the next up of a stack with tls: true makes a new authority")


def _authority() -> CertificateFacts:
    folder = authority_folder()
    file = authority_file(folder)
    try:
        return facts(file.read_text(encoding="ascii", errors="replace"))
    except FileNotFoundError:
        stop(f"there is no authority: {file} does not exist; an up of a stack with tls: true makes one")
    except OSError as error:
        stop(f"{file} cannot be read: {error.strerror}")
    except ValueError:
        stop(f"{file} holds no certificate in PEM; remove it and {key_file(folder)}")


def _hosts() -> dict[str, CertificateFacts]:
    found: dict[str, CertificateFacts] = {}
    try:
        for file in host_files(authority_folder()):
            found[file.stem] = facts(file.read_text(encoding="ascii", errors="replace"))
    except OSError as error:
        stop(f"{error.filename} cannot be read: {error.strerror}")
    except ValueError:
        stop(f"{file} holds no certificate in PEM; remove it, and the next up makes it again")
    return found


def _as_json(of: CertificateFacts) -> dict[str, str]:
    return {key: str(value) for key, value in asdict(of).items()}


def _stores(authority: CertificateFacts) -> Sequence[Store]:
    # A short part of the digest is enough to tell the authorities of one machine apart.
    label = f"ingress-hops-{authority.fingerprint.replace(':', '')[:16].lower()}"
    return stores(authority_file(authority_folder()), label, root=ROOT)


def _change(found: Sequence[Store], *, target: Trust) -> Status:
    """Makes each store trust the authority or not. Prints each command before it runs, and how it ended."""
    ended = Status.ALL_WELL
    if not found:
        echo("none of the known stores is on this machine: nothing was changed")
        return Status.FINDINGS if target is Trust.YES else ended
    for store in found:
        commands = store.trust if target is Trust.YES else store.untrust
        if store.obstacle:
            problem = store.obstacle
        elif store.trusted is target:
            echo(f"{store.name}: {target} already")
            continue
        elif not store.rights:
            problem = f"this user may not change it; run: {as_root(commands)}"
        else:
            for command in commands:
                echo(f"{store.name}: {shlex.join(command)}")
            problem = run(commands)
        if problem:
            ended = Status.FINDINGS
            echo(f"{store.name}: not changed: {problem}", err=True)
        else:
            echo(f"{store.name}: {target}")
    return ended
