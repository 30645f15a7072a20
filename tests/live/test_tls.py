"""`tls: true` in a real cluster: https from the first preview on, renewed and restored by `up`, and no key in clear."""

import base64
import dataclasses
import gzip
import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from hops.model.certificates import LEAF_DAYS, KeyPair, facts, make_leaf
from hops.observe.local.authority import FOLDER, authority_file, host_files
from tests.project import Project, containers, run

STACK = "tls"
ADDRESS = "127.0.0.1"
HOST, PROXY = "web.tls.localhost", "proxy.tls.localhost"
CONFIG = {
    "ingress-hops:cluster": {
        "name": f"ingress-hops-{STACK}",
        "httpPort": 80,
        "httpsPort": 443,
        "workers": 0,
    },
    # The file of seed claims these ports, too.
    "ingress-hops:policy": {"rules": {"XS01": {"level": "advisory"}}},
    "ingress-hops:services": [
        {
            "name": "web",
            "routes": [{"host": HOST, "tls": True}, {"kind": "HTTPProxy", "host": PROXY, "tls": True}],
        }
    ],
}


@dataclasses.dataclass(frozen=True)
class Secured:
    """The stack `tls`, which a test brings up.

    authority: the folder of its authority. printed: what the commands printed.
    """

    project: Project
    authority: Path
    printed: list[str]

    def make(self, target: str) -> str:
        self.printed.append(self.project.make(target, f"STACK={STACK}"))
        return self.printed[-1]

    def hops(self, *words: str) -> str:
        command = (".venv/bin/hops", *words)
        done = subprocess.run(
            command, cwd=self.project.folder, env=self.project.environment, capture_output=True, text=True, check=False
        )
        self.printed.append(done.stdout + done.stderr)
        assert done.returncode == 0, self.printed[-1]
        return done.stdout

    def files(self) -> dict[str, bytes]:
        return {str(file): file.read_bytes() for file in self.authority.rglob("*.pem")}


@pytest.fixture(scope="module")
def secured(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    assert containers(f"ingress-hops-{STACK}") == [], f"a cluster of {STACK} is here already; a test needs its name"
    if containers("sam-test-cluster"):
        # Another module left it up, and it has the ports 80 and 443.
        project.down("seed")
    authority = tmp_path_factory.mktemp("authority") / "ca"
    own = dataclasses.replace(project, environment=project.environment | {FOLDER: str(authority)})
    file = project.folder / "stacks" / f"Pulumi.{STACK}.yaml"
    file.write_text(yaml.safe_dump({"config": CONFIG}))
    try:
        yield Secured(own, authority, [])
    finally:
        own.down(STACK)
        file.unlink()


def keys(folder: Path) -> dict[str, list[str]]:
    """What shows each private key: a line of its PEM, and the middle of its base64 in a Secret."""
    found = {}
    for file in (folder / "authority-key.pem", *host_files(folder)):
        key = "-----BEGIN PRIVATE KEY-----" + file.read_text().partition("-----BEGIN PRIVATE KEY-----")[2]
        found[file.name] = [key.splitlines()[2], base64.b64encode(key.encode()).decode()[80:140]]
    assert len(found) == 3
    return found


def places(text: str, folder: Path) -> list[str]:
    """The keys that a text holds."""
    return [name for name, signs in keys(folder).items() for sign in signs if sign in text]


def age(folder: Path) -> None:
    """Gives the host a certificate that has a little less than a third of its life left."""
    authority = KeyPair(authority_file(folder).read_text(), (folder / "authority-key.pem").read_text())
    old = make_leaf(authority, HOST, datetime.now(UTC) - timedelta(days=LEAF_DAYS * 2 / 3 + 1))
    (folder / "hosts" / f"{HOST}.pem").write_text(old.certificate + old.key)


@pytest.mark.gate
def test_https_from_the_first_preview_to_the_answer(secured: Secured) -> None:
    assert not re.search(r"\bTL0\d\b", secured.make("preview"))
    assert not secured.authority.exists()
    up = secured.make("up")
    assert not re.search(r"\bTL0\d\b", up)
    for host in (HOST, PROXY):
        assert f"https://{host}/  is answered by its pod: 200" in up
    curl = secured.project.outputs(STACK)["curl"]
    assert curl == (f"curl --cacert {authority_file(secured.authority)} --resolve {HOST}:443:{ADDRESS} https://{HOST}/")
    quiet = ("--silent", "--show-error", "--max-time", "10", "--output", "/dev/null", "--write-out")
    assert run(*shlex.split(curl), *quiet, "%{http_code} %{http_version}") == "200 2"
    for host in (HOST, PROXY):
        to = ("--resolve", f"{host}:80:{ADDRESS}")
        assert run("curl", *to, *quiet, "%{http_code} %{redirect_url}", f"http://{host}/") == f"301 https://{host}/"
    assert secured.hops("trace", STACK, "--short").startswith(f"all is well: GET https://{HOST}:443/")


@pytest.mark.long
def test_an_unchanged_up_changes_nothing_and_makes_no_certificate(secured: Secured) -> None:
    secured.make("up")
    before = secured.files()
    up = secured.make("up")
    assert "no changes" in up
    assert "changed in the cluster" not in up
    assert secured.files() == before


@pytest.mark.long
def test_a_certificate_that_ends_soon_is_renewed_and_no_request_fails(secured: Secured) -> None:
    secured.make("up")
    authority = authority_file(secured.authority).read_text()
    age(secured.authority)
    aged = facts((secured.authority / "hosts" / f"{HOST}.pem").read_text())
    up = secured.make("up")
    assert f"Secret apps/{HOST}" in up
    assert f"https://{HOST}/  is answered by its pod: 200" in up
    assert authority_file(secured.authority).read_text() == authority
    renewed = facts((secured.authority / "hosts" / f"{HOST}.pem").read_text())
    assert renewed.ends - aged.ends > timedelta(days=LEAF_DAYS / 2)
    shown = run("bash", "-c", f"openssl s_client -connect {ADDRESS}:443 -servername {HOST} </dev/null 2>/dev/null")
    served = re.search(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", shown, re.DOTALL)
    assert served
    assert facts(served[0]) == renewed


@pytest.mark.long
def test_a_key_that_somebody_changed_is_restored(secured: Secured) -> None:
    secured.make("up")
    patch = [{"op": "replace", "path": "/data/tls.key", "value": "YQ=="}]
    secured.project.kubectl(
        STACK, "patch", "--namespace=apps", f"secret/{HOST}", "--type=json", "--patch", json.dumps(patch)
    )
    up = secured.make("up")
    assert f"changed in the cluster: Secret apps/{HOST} has data changed by kubectl-patch" in up
    assert f"https://{HOST}/  is answered by its pod: 200" in up
    assert "changed in the cluster" not in secured.make("up")


@pytest.mark.long
def test_no_key_is_in_clear(secured: Secured, tmp_path: Path) -> None:
    secured.make("up")
    bundle = tmp_path / "seen.json"
    secured.hops("trace", STACK, "--bundle", str(bundle), "--html", str(tmp_path / "page.html"), "--verbose")
    secured.hops("plan", STACK, "--format", "json")
    secured.hops("ca", "show")
    secured.printed.append(json.dumps(secured.project.outputs(STACK)))
    searched = 0
    for folder in (secured.project.folder / ".ingress-hops", tmp_path):
        for file in (each for each in folder.rglob("*") if each.is_file()):
            content = file.read_bytes()
            text = (gzip.decompress(content) if file.suffix == ".gz" else content).decode(errors="replace")
            assert places(text, secured.authority) == [], file
            searched += 1
    assert searched > 5
    assert places("".join(secured.printed), secured.authority) == []
    # The search finds what is there: the cluster has the keys of the hosts, and not the authority's.
    secrets = secured.project.kubectl(STACK, "get", "secrets", "--all-namespaces", "--output=json")
    assert sorted(places(secrets, secured.authority)) == sorted(f"{host}.pem" for host in (HOST, PROXY))
