"""Another Docker than this machine's, with a folder, a socket and a network of its own, which a test may break."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.project import run


@dataclass
class Docker:
    """Another Docker than this machine's.

    folder: of its socket, images and containers. keeper: a process that keeps its network and mounts. daemon: dockerd.
    """

    folder: Path
    keeper: int
    daemon: subprocess.Popen[bytes] | None = None

    @property
    def host(self) -> str:
        return f"unix://{self.folder}/docker.sock"

    def command(self, *words: str) -> list[str]:
        """A command in the network whose ports this Docker publishes."""
        return ["nsenter", f"--target={self.keeper}", "--net", *words]

    def run(self, *words: str) -> str:
        return run("docker", "--host", self.host, *words)

    def start(self) -> None:
        of_machine = json.loads(run("docker", "info", "--format", "{{json .}}"))
        own = {name: of["path"] for name, of in of_machine["Runtimes"].items() if "/" in of["path"]}
        words = [f"--add-runtime={name}={path}" for name, path in own.items()]
        words += [f"--default-runtime={of_machine['DefaultRuntime']}", f"--host={self.host}"]
        words += [f"--{name}={self.folder}/{name}" for name in ("data-root", "exec-root", "pidfile")]
        command = ["nsenter", f"--target={self.keeper}", "--net", "--mount", "dockerd", *words]
        with (self.folder / "log").open("a") as log:
            self.daemon = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + 120
        while subprocess.run(["docker", "--host", self.host, "info"], check=False, capture_output=True).returncode:
            assert time.monotonic() < deadline, (self.folder / "log").read_text()[-4000:]
            time.sleep(0.2)

    def end(self, number: signal.Signals) -> None:
        """Waits until it has ended."""
        assert self.daemon
        self.daemon.send_signal(number)
        self.daemon.wait(60)


@contextmanager
def another_docker(disk: str = "") -> Iterator[Docker]:
    """It has the node image, which needs to hold every image of the path: the network of this Docker is no other's.

    disk: the size of its disk, such as 8G. Default: that of this machine. Skips the test where it cannot be started.
    """
    image = os.environ.get("INGRESS_HOPS_NODE_IMAGE")
    if not image:
        pytest.skip("INGRESS_HOPS_NODE_IMAGE names no node image with the images of the path")
    if os.geteuid() or not all(map(shutil.which, ("dockerd", "unshare", "nsenter"))):
        pytest.skip("only root can start another Docker, with dockerd, unshare and nsenter")
    # A socket's path has at most 107 characters, and pytest's own folders are long.
    with TemporaryDirectory(prefix="docker-") as name:
        folder = Path(name)
        if disk:
            run("truncate", f"--size={disk}", f"{folder}.disk")
            run("mkfs.ext4", "-q", f"{folder}.disk")
            run("mount", "-o", "loop", f"{folder}.disk", name)
        try:
            with _started(folder, image) as made:
                yield made
        finally:
            if disk:
                run("umount", name)
                Path(f"{folder}.disk").unlink()


@contextmanager
def _started(folder: Path, image: str) -> Iterator[Docker]:
    script = "ip link set lo up && mount -t tmpfs tmpfs /run && exec sleep infinity"
    with subprocess.Popen(["unshare", "--net", "--mount", "sh", "-c", script]) as keeper:
        made = Docker(folder, keeper.pid)
        try:
            made.start()
            with subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE) as saved:
                load = ["docker", "--host", made.host, "load", "--quiet"]
                subprocess.run(load, stdin=saved.stdout, check=True, capture_output=True)
            yield made
        finally:
            if left := made.run("ps", "--all", "--quiet").split():
                made.run("rm", "--force", "--volumes", *left)
            made.end(signal.SIGTERM)
            keeper.kill()
