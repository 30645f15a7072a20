"""A machine without a network, by the steps of docs/registries.md."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread

import pytest
import yaml

from tests.conftest import PROJECT
from tests.live.conftest import a_clone
from tests.project import Project, answer

STACK, PORT = "mirror", 8570
CLUSTER = f"ingress-hops-{STACK}"
HOST = f"web.{STACK}.localhost"


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
        around |= dict.fromkeys(("no_proxy", "NO_PROXY"), "127.0.0.1,localhost")
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


@pytest.mark.long
def test_an_up_without_a_network_asks_for_nothing(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with a_clone(tmp_path / "project") as clone, no_network() as (proxies, asked):
        (clone.folder / ".venv").unlink()
        inherited = {key: value for key, value in clone.environment.items() if key != "PULUMI_HOME"}
        closed = Project(clone.folder, {**inherited, **carried(clone, home), **proxies, "HOME": str(home)})
        closed.make("tools")
        config = {
            "ingress-hops:cluster": {"name": CLUSTER, "workers": 0, "httpPort": PORT, "httpsPort": None},
            "ingress-hops:services": [{"name": "web", "host": HOST}],
        }
        (clone.folder / "stacks" / f"Pulumi.{STACK}.yaml").write_text(yaml.safe_dump({"config": config}))
        closed.up(STACK)
        assert answer(f"curl --resolve {HOST}:{PORT}:127.0.0.1 http://{HOST}:{PORT}/")[0] == 200
        assert "no changes" in closed.preview(STACK)
        assert "all is well" in closed.make("trace", f"STACK={STACK}")
        assert asked == []
