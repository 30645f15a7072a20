"""`hops ca`: what it shows, and what it changes in the stores of a machine."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from hops.cli.app import app
from hops.cli.authority import ca as module
from hops.cli.authority import trust_stores
from hops.observe.local.authority import FOLDER, authority_file, certificates

# Each writes its command, and does what a test can see.
_UPDATE = """#!/bin/sh
echo "$0 $*" | /bin/sed 's/ $//' >> "$CALLS"
for folder in "$ROOT/usr/local/share/ca-certificates" "$ROOT/etc/pki/ca-trust/source/anchors"; do
  test -d "$folder" || continue
  case "$folder" in
    */anchors) bundle=etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem ;;
    *) bundle=etc/ssl/certs/ca-certificates.crt ;;
  esac
  /bin/mkdir -p "$ROOT/${bundle%/*}"
  /bin/cat "$folder"/*.crt /dev/null > "$ROOT/$bundle" 2>/dev/null || :
done
"""
_CERTUTIL = """#!/bin/sh
echo "certutil $*" >> "$CALLS"
database="${3#sql:}"
case "$1" in
  -L) test -e "$database/$5" ;;
  -A) /bin/cp "$9" "$database/$7" ;;
  -D) /bin/rm "$database/$5" ;;
esac
"""
_SECURITY = """#!/bin/sh
echo "security $*" >> "$CALLS"
case "$1" in
  verify-cert) test -e "$ROOT/trusted" ;;
  add-trusted-cert) : > "$ROOT/trusted" ;;
  remove-trusted-cert) /bin/rm "$ROOT/trusted" ;;
esac
"""


class Machine:
    """A machine of its own: a root folder, a home, and the programs that a test puts there."""

    def __init__(self, folder: Path) -> None:
        self.root, self.home, self.bin = folder / "root", folder / "home", folder / "bin"
        for each in (self.root, self.home, self.bin):
            each.mkdir()
        self.calls_file = folder / "calls"
        self.ca = folder / "ca"
        for name in ("install", "rm"):
            (self.bin / name).symlink_to(f"/usr/bin/{name}")

    def program(self, name: str, script: str = _UPDATE) -> None:
        (self.bin / name).write_text(script)
        (self.bin / name).chmod(0o755)

    def debian(self) -> Path:
        self.program("update-ca-certificates")
        folder = self.root / "usr/local/share/ca-certificates"
        folder.mkdir(parents=True)
        return folder

    def browser(self, below: str) -> Path:
        folder = self.home / below
        folder.mkdir(parents=True)
        (folder / "cert9.db").touch()
        return folder

    def authority(self) -> str:
        certificates(self.ca, ["web.localhost"], keep=True)
        return authority_file(self.ca).read_text()

    @property
    def calls(self) -> list[str]:
        return self.calls_file.read_text().splitlines() if self.calls_file.exists() else []


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    one = Machine(tmp_path)
    monkeypatch.setenv("PATH", str(one.bin))
    monkeypatch.setenv("HOME", str(one.home))
    monkeypatch.setenv("CALLS", str(one.calls_file))
    monkeypatch.setenv("ROOT", str(one.root))
    monkeypatch.setenv(FOLDER, str(one.ca))
    monkeypatch.setattr(module, "ROOT", one.root)
    monkeypatch.setattr(trust_stores, "ROOTS_FOLDERS", ())
    return one


def ca(*words: str) -> Result:
    return CliRunner().invoke(app, ["ca", *words])


@pytest.mark.parametrize("words", [("show",), ("export", "f.pem"), ("trust",), ("untrust",), ("remove",)])
def test_without_an_authority_each_command_says_how_to_make_one(machine: Machine, words: tuple[str, ...]) -> None:
    machine.debian()
    done = ca(*words)
    assert done.exit_code == 2
    assert done.stderr == (
        f"hops: there is no authority: {machine.ca}/authority.pem does not exist; an up of a stack with tls: true "
        "makes one\n"
    )
    assert machine.calls == []


def test_a_damaged_authority_is_named(machine: Machine) -> None:
    machine.authority()
    authority_file(machine.ca).write_text("nothing")
    done = ca("show")
    assert done.exit_code == 2
    assert "authority.pem holds no certificate in PEM; remove it and " in done.stderr


def test_the_authority_its_hosts_and_the_stores(machine: Machine) -> None:
    machine.authority()
    machine.debian()
    machine.browser(".mozilla/firefox/abc.default")
    text = ca("show").stdout
    shown = json.loads(ca("show", "--format", "json").stdout)
    openssl = subprocess.run(
        ["/usr/bin/openssl", "x509", "-in", authority_file(machine.ca), "-noout", "-fingerprint", "-sha256"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert shown["authority"]["fingerprint"] == openssl.strip().partition("=")[2]
    assert shown["authority"]["fingerprint"] in text
    assert list(shown["hosts"]) == ["web.localhost"]
    assert "host:     web.localhost, valid to 20" in text
    assert shown["stores"] == [
        {"name": "system (Debian, Ubuntu)", "trusted": "not trusted"},
        {"name": f"Firefox ({machine.home}/.mozilla/firefox/abc.default)", "trusted": "unknown"},
    ]
    assert "certutil is not on PATH: install libnss3-tools" in text
    assert "PRIVATE" not in text + json.dumps(shown)


def test_an_export_holds_no_key(machine: Machine, tmp_path: Path) -> None:
    certificate = machine.authority()
    assert ca("export", str(tmp_path / "copy.pem")).exit_code == 0
    assert (tmp_path / "copy.pem").read_text() == certificate
    assert "PRIVATE" not in certificate
    done = ca("export", str(tmp_path / "no" / "copy.pem"))
    assert done.exit_code == 2
    assert "no/copy.pem cannot be written: No such file or directory" in done.stderr


def test_trust_and_untrust_on_debian(machine: Machine) -> None:
    certificate = machine.authority()
    folder = machine.debian()
    (folder / "other.crt").write_text("other")
    done = ca("trust")
    assert done.exit_code == 0, done.output
    (anchor,) = folder.glob("ingress-hops-*.crt")
    assert anchor.read_text() == certificate
    assert stat.S_IMODE(anchor.stat().st_mode) == 0o644
    refresh = f"{machine.bin}/update-ca-certificates"
    assert machine.calls == [refresh]
    assert done.stdout.splitlines() == [
        f"system (Debian, Ubuntu): install -m 0644 {machine.ca}/authority.pem {anchor}",
        f"system (Debian, Ubuntu): {refresh}",
        "system (Debian, Ubuntu): trusted",
    ]
    assert ca("trust").stdout == "system (Debian, Ubuntu): trusted already\n"
    assert machine.calls == [refresh]
    assert ca("untrust").exit_code == 0
    assert [file.name for file in folder.iterdir()] == ["other.crt"]
    assert machine.calls == [refresh, f"{refresh} --fresh"]
    assert ca("untrust").stdout == "system (Debian, Ubuntu): not trusted already\n"


def test_trust_and_untrust_on_fedora(machine: Machine) -> None:
    certificate = machine.authority()
    machine.program("update-ca-trust")
    folder = machine.root / "etc/pki/ca-trust/source/anchors"
    folder.mkdir(parents=True)
    assert ca("trust").exit_code == 0
    (anchor,) = folder.iterdir()
    assert anchor.read_text() == certificate
    assert ca("untrust").exit_code == 0
    assert list(folder.iterdir()) == []
    assert machine.calls == [f"{machine.bin}/update-ca-trust"] * 2


def test_trust_and_untrust_on_macos(machine: Machine) -> None:
    machine.authority()
    machine.program("security", _SECURITY)
    keychain = machine.root / "Library/Keychains/System.keychain"
    keychain.parent.mkdir(parents=True)
    keychain.touch()
    assert ca("trust").exit_code == 0
    assert "system (macOS): trusted" in ca("show").stdout
    assert ca("untrust").exit_code == 0
    file = machine.ca / "authority.pem"
    assert [call for call in machine.calls if "verify-cert" not in call] == [
        f"security add-trusted-cert -d -r trustRoot -k {keychain} {file}",
        f"security remove-trusted-cert -d {file}",
    ]


def test_trust_and_untrust_in_browsers(machine: Machine) -> None:
    machine.authority()
    machine.program("certutil", _CERTUTIL)
    folders = [machine.browser(".pki/nssdb"), machine.browser("snap/firefox/common/.mozilla/firefox/a.default")]
    # A folder without a database is no profile.
    (machine.home / ".mozilla/firefox/Crash Reports").mkdir(parents=True)
    assert ca("trust").exit_code == 0
    for folder in folders:
        (added,) = folder.glob("ingress-hops-*")
        assert added.read_text() == authority_file(machine.ca).read_text()
    assert all("-t C,, " in call for call in machine.calls if " -A " in call)
    assert ca("untrust").exit_code == 0
    assert [file.name for folder in folders for file in folder.iterdir()] == ["cert9.db", "cert9.db"]


def test_a_user_without_rights_gets_the_command_to_run(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.authority()
    folder = machine.debian()
    monkeypatch.setattr(os, "access", lambda path, _mode: path != folder)
    done = ca("trust")
    assert done.exit_code == 1
    label = (
        "ingress-hops-"
        + json.loads(ca("show", "--format", "json").stdout)["authority"]["fingerprint"].replace(":", "")[:16].lower()
    )
    assert done.stderr == (
        "system (Debian, Ubuntu): not changed: this user may not change it; run: "
        f"sudo install -m 0644 {machine.ca}/authority.pem {folder}/{label}.crt && "
        f"sudo {machine.bin}/update-ca-certificates\n"
    )
    assert list(folder.iterdir()) == []
    assert machine.calls == []


def test_a_program_that_fails_is_quoted_and_the_other_stores_are_changed(machine: Machine) -> None:
    machine.authority()
    machine.debian()
    machine.program("update-ca-certificates", "#!/bin/sh\necho first\necho 'the disk is full' >&2\nexit 3\n")
    machine.program("certutil", _CERTUTIL)
    folder = machine.browser(".pki/nssdb")
    done = ca("trust")
    assert done.exit_code == 1
    assert done.stderr == (
        f"system (Debian, Ubuntu): not changed: {machine.bin}/update-ca-certificates: the disk is full\n"
    )
    assert list(folder.glob("ingress-hops-*"))
    assert "system (Debian, Ubuntu): unknown" in ca("show").stdout
    machine.program("update-ca-certificates")
    assert ca("trust").exit_code == 0
    assert "system (Debian, Ubuntu): trusted" in ca("show").stdout


def test_a_machine_without_a_known_store(machine: Machine) -> None:
    machine.authority()
    assert (ca("trust").exit_code, ca("untrust").exit_code) == (1, 0)
    assert "none of the known stores is on this machine" in ca("trust").stdout


def test_remove_untrusts_and_removes_only_its_own_files(machine: Machine) -> None:
    machine.authority()
    folder = machine.debian()
    (machine.ca / "notes").write_text("mine")
    assert ca("trust").exit_code == 0
    done = ca("remove")
    assert done.exit_code == 0, done.output
    assert "3 files are removed" in done.stdout
    assert list(folder.iterdir()) == []
    assert [file.name for file in machine.ca.iterdir()] == ["notes"]


def test_remove_keeps_the_files_while_a_store_trusts_them(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.authority()
    folder = machine.debian()
    assert ca("trust").exit_code == 0
    monkeypatch.setattr(os, "access", lambda path, _mode: path != folder)
    done = ca("remove")
    assert done.exit_code == 1
    assert "run: sudo rm -f " in done.stderr
    assert "the files of the authority stay" in done.stderr
    assert authority_file(machine.ca).exists()


def test_the_key_is_in_no_argument_and_no_output(machine: Machine) -> None:
    machine.authority()
    machine.debian()
    machine.program("certutil", _CERTUTIL)
    machine.browser(".pki/nssdb")
    output = "".join(ca(*words).output for words in (("trust",), ("show",), ("untrust",)))
    for file in (machine.ca / "authority-key.pem", machine.ca / "hosts" / "web.localhost.pem"):
        key = file.read_text().partition("-----BEGIN PRIVATE KEY-----")[2].split()[0]
        assert key not in output
        assert key not in "".join(machine.calls)
    assert sys.executable not in output
