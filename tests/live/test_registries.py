"""A machine without a network: the steps of docs/registries.md, and an image of a private registry behind a mirror."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import Any

import pytest
import yaml

from tests.conftest import PROJECT
from tests.live.conftest import a_clone
from tests.live.stand_ins import BASE, have_registry
from tests.project import Project, answer, run

STACK, PORT = "mirror", 8570
CLUSTER = f"ingress-hops-{STACK}"
HOST = f"web.{STACK}.localhost"
REGISTRY, IMAGE = "registry:3", "registry.invalid/shop/web:1"
CONTAINER = f"{CLUSTER}-registry"
PASSPHRASE = "planted-passphrase-9143"  # noqa: S105 - it is looked for
LOGIN, WRONG = "shop:planted-registry-5521", "shop:planted-wrong-7702"
HTPASSWD = "shop:$2b$05$kOn4YJ/FtVNleRgQwC5OYugXnnIbxqb5NrgYXHKDMhlH7EZU.Laim\n"
"""The login's password, as bcrypt of 5 rounds."""


@contextmanager
def no_network() -> Iterator[tuple[dict[str, str], list[bytes]]]:
    """The variables that send every request of a program to a proxy, and what this proxy was asked for and refused."""
    asked: list[bytes] = []

    class Refuse(BaseRequestHandler):
        def handle(self) -> None:
            asked.append(self.request.recv(500))

    with ThreadingTCPServer(("127.0.0.1", 0), Refuse) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        proxy = f"http://127.0.0.1:{server.server_address[1]}"
        around = {name: proxy for each in ("http_proxy", "https_proxy") for name in (each, each.upper())}
        around |= dict.fromkeys(("no_proxy", "NO_PROXY"), f"127.0.0.1,localhost,{CONTAINER}")
        yield around, asked
        server.shutdown()


def carried(clone: Project, home: Path) -> dict[str, str]:
    """Puts in place what the steps carry to the machine, with what is here. Returns the variables of the steps."""
    steps = re.findall(r"^export (\w+)=(\S+)", (PROJECT / "docs/registries.md").read_text(), re.MULTILINE)
    around = {name: value.replace("$PWD", str(clone.folder)) for name, value in steps}
    assert set(around) == {"PIP_NO_INDEX", "PIP_FIND_LINKS", "INGRESS_HOPS_MANIFESTS"}
    download = [sys.executable, "-m", "pip", "download", "--quiet", "--require-hashes"]
    words = ("--requirement", str(clone.folder / "requirements.txt"), "--dest", around["PIP_FIND_LINKS"])
    if subprocess.run([*download, *words], check=False).returncode:
        pytest.skip("the packages of requirements.txt cannot be downloaded")
    manifests = Path(clone.environment.get("INGRESS_HOPS_MANIFESTS") or Path.home() / ".cache" / "ingress-hops")
    shutil.copytree(manifests, around["INGRESS_HOPS_MANIFESTS"])
    (home / ".pulumi").mkdir(parents=True)
    pulumi = Path(clone.environment.get("PULUMI_HOME") or Path.home() / ".pulumi")
    (home / ".pulumi" / "plugins").symlink_to((pulumi / "plugins").resolve())
    return around


@dataclass(frozen=True)
class Closed:
    """The stack in a clone on a machine without a network. asked: what a proxy was asked for."""

    project: Project
    asked: list[bytes]

    def write(self, *services: dict[str, Any], **cluster: Any) -> None:
        config = {
            "ingress-hops:cluster": {"name": CLUSTER, "workers": 0, "httpPort": PORT, "httpsPort": None, **cluster},
            "ingress-hops:services": list(services),
        }
        file = self.project.folder / "stacks" / f"Pulumi.{STACK}.yaml"
        before = yaml.safe_load(file.read_text()) if file.exists() else {}
        before["config"] = {**before.get("config", {}), **config}
        file.write_text(yaml.safe_dump(before))

    def log_in(self, login: str) -> None:
        words = ["pulumi", "config", "set", "--secret", "--path", "ingress-hops:secrets.registry-login"]
        around = self.project.environment
        words += ["--stack", STACK]
        subprocess.run(words, cwd=self.project.folder, env=around, check=True, input=login, text=True)


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Closed]:
    folder, home = tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("home")
    with a_clone(folder) as clone, no_network() as (proxies, asked):
        around = carried(clone, home)
        clone.environment["PULUMI_CONFIG_PASSPHRASE"] = PASSPHRASE
        (clone.folder / ".venv").unlink()
        inherited = {key: value for key, value in clone.environment.items() if key != "PULUMI_HOME"}
        around = {**inherited, **around, **proxies, "HOME": str(home)}
        of = Closed(Project(clone.folder, around), asked)
        of.project.make("tools")
        of.write({"name": "web", "host": HOST})
        of.project.up(STACK)
        yield of


@pytest.fixture(scope="module")
def registry(closed: Closed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A registry in Docker's network kind that asks for a login. It holds the image."""
    folder = tmp_path_factory.mktemp("registry")
    have_registry(REGISTRY, folder / "program")
    (folder / "htpasswd").write_text(HTPASSWD)
    asks = {"REGISTRY_AUTH": "htpasswd", "REGISTRY_AUTH_HTPASSWD_REALM": "shop"}
    asks["REGISTRY_AUTH_HTPASSWD_PATH"] = "/auth/htpasswd"
    variables = [word for key, value in asks.items() for word in ("--env", f"{key}={value}")]
    mount = ("--volume", f"{folder}:/auth:ro", "--publish", "127.0.0.1::5000")
    run("docker", "run", "--detach", "--name", CONTAINER, "--network", "kind", *variables, *mount, REGISTRY)
    try:
        _push(folder, run("docker", "port", CONTAINER, "5000").strip())
        yield
    finally:
        run("docker", "rm", "--force", "--volumes", CONTAINER)
    assert closed


def _push(folder: Path, address: str) -> None:
    name = f"{address}/shop/web:1"
    serve = '["python", "-m", "http.server", "3000", "--directory", "/srv"]'
    (folder / "Dockerfile").write_text(f"FROM {BASE}\nCOPY index.html /srv/\nCMD {serve}\n")
    (folder / "index.html").write_text("from the registry")
    docker = ("docker", "--config", str(folder / "logins"))
    user, _, password = LOGIN.partition(":")
    words = [*docker, "login", "--username", user, "--password-stdin", address]
    subprocess.run(words, check=True, input=password, text=True, capture_output=True)
    run("docker", "build", "--quiet", "--tag", name, str(folder))
    run(*docker, "push", "--quiet", name)
    run("docker", "image", "rm", name)


def said() -> str:
    status, body = answer(f"curl --resolve {HOST}:{PORT}:127.0.0.1 http://{HOST}:{PORT}/")
    assert status == 200
    return body


@pytest.mark.long
def test_an_up_without_a_network_asks_for_nothing(closed: Closed) -> None:
    assert said()
    assert "no changes" in closed.project.preview(STACK)
    assert "all is well" in closed.project.make("trace", f"STACK={STACK}")
    assert closed.asked == []


@pytest.mark.long
@pytest.mark.usefixtures("registry")
def test_an_image_of_a_private_registry_comes_through_a_mirror(closed: Closed) -> None:
    web = {"name": "web", "image": IMAGE, "port": 3000, "host": HOST, "pullSecret": {"secret": "registry-login"}}
    closed.write(web, registries={"registry.invalid": [f"http://{CONTAINER}:5000"]})
    closed.log_in(WRONG)
    failed = closed.project.up(STACK, fails=True)
    assert IMAGE in failed
    assert "ingress-hops:services[0] (web)" in failed
    closed.log_in(LOGIN)
    texts = [failed, closed.project.up(STACK)]
    assert said() == "from the registry"
    texts += [closed.project.preview(STACK), closed.project.make("trace", f"STACK={STACK}", "VERBOSE=1")]
    assert "no changes" in texts[-2]
    texts += [closed.project.pulumi("stack", "export", "--stack", STACK), str(closed.project.outputs(STACK))]
    for secret in (PASSPHRASE, *(login.partition(":")[2] for login in (LOGIN, WRONG))):
        assert [text for text in texts if secret in text] == []
    assert closed.asked == []
