"""What stands in for a machine's Docker, and servers that answer in every way a path can."""

import json
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from hops.observe.in_cluster.api import API

_NEEDED = ("bash", "sh", "cat", "sleep", "grep", "head", "base64", "curl")

# A container is this machine: what is run in it sees the programs of PATH, which a test has put there.
_DOCKER = """#!{bash}
printf '%s\\n' "$*" >>"$STAND_IN/calls"
case "$1" in
  exec)
    shift
    while test "${{1#--}}" != "$1"; do case "$1" in --env=*) export "${{1#--env=}}" ;; esac; shift; done
    test -e "$STAND_IN/dead-$1" && {{ echo "Error response from daemon: container $1 is paused" >&2; exit 1; }}
    shift
    exec "$@" ;;
  *) test -e "$STAND_IN/$1" || {{ echo "Cannot connect to the Docker daemon" >&2; exit 1; }}
     cat "$STAND_IN/$1" ;;
esac
"""


class StandIn:
    """A docker on PATH that answers from files, and runs in this machine what it is asked to run in a container."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.bin = folder, folder / "bin"
        self.bin.mkdir()
        for name in _NEEDED:
            if found := shutil.which(name):
                (self.bin / name).symlink_to(found)
        self.program("docker", _DOCKER.format(bash=self.bin / "bash"))

    def program(self, name: str, script: str) -> None:
        path = self.bin / name
        path.unlink(missing_ok=True)
        path.write_text(script.replace("#!/bin/sh", f"#!{self.bin / 'sh'}"))
        path.chmod(0o755)

    def says(self, command: str, text: str) -> None:
        """What `docker COMMAND …` prints."""
        (self.folder / command).write_text(text)

    @property
    def calls(self) -> list[str]:
        path = self.folder / "calls"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """The only docker that is met; it says nothing until a test lets it."""
    docker = StandIn(tmp_path)
    monkeypatch.setenv("PATH", str(docker.bin))
    monkeypatch.setenv("STAND_IN", str(tmp_path))
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "NODE_PORT"):
        monkeypatch.delenv(name, raising=False)
    return docker


Behaviour = Callable[[socket.socket], None]
Serve = Callable[[Behaviour], int]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server on 127.0.0.1 that does so with each connection, and gives its port."""
    servers: list[socket.socket] = []

    def start(behaviour: Behaviour) -> int:
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)

        def accept() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=handle, args=(connection,), daemon=True).start()

        def handle(connection: socket.socket) -> None:
            with connection:
                try:
                    behaviour(connection)
                except OSError:
                    # The client went away.
                    return

        threading.Thread(target=accept, daemon=True).start()
        return int(server.getsockname()[1])

    yield start
    for server in servers:
        # close alone does not wake the thread that accepts
        server.shutdown(socket.SHUT_RDWR)
        server.close()


def request_of(connection: socket.socket) -> bytes:
    """What a client sends, up to the end of its headers."""
    text = b""
    while b"\r\n\r\n" not in text:
        piece = connection.recv(65536)
        if not piece:
            break
        text += piece
    return text


def answering(answer: bytes, received: list[bytes] | None = None) -> Behaviour:
    """Reads a request, then answers so and closes."""

    def behave(connection: socket.socket) -> None:
        request = request_of(connection)
        if received is not None:
            received.append(request)
        connection.sendall(answer)
        # A client of HTTP/2 may still be sending. What nobody has read resets a connection that is closed.
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(2)
        with suppress(OSError):
            while connection.recv(4096):
                pass

    return behave


class Server:
    """An API that answers from a dictionary by path; what is not in it is not found."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, str]] = {"/version": (200, '{"gitVersion": "v1.34.1"}')}
        self.asked: list[tuple[str, str, str]] = []
        self.patched: list[tuple[str, str, Any]] = []
        """The path, the type and the body of each patch."""
        self.delay = 0.0
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_PATCH(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                server.patched.append((self.path, self.headers["Content-Type"], body))
                self.do_GET()

            def do_GET(self) -> None:
                server.asked.append((self.path, self.headers.get("Accept", ""), self.headers.get("Authorization", "")))
                time.sleep(server.delay)
                missing = (404, '{"kind": "Status", "message": "the server could not find the requested resource"}')
                status, text = server.answers.get(self.path.partition("?")[0], missing)
                body = text.encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                # A client that has waited long enough is gone.
                with suppress(ConnectionError):
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http.server_port}"

    def write_kubeconfig(self, file: Path, url: str | None = None) -> None:
        """Writes a kubeconfig file that leads here, or to another address."""
        file.write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "one",
                    "contexts": [{"name": "one", "context": {"cluster": "c", "user": "u"}}],
                    "clusters": [{"name": "c", "cluster": {"server": url or self.url}}],
                    "users": [{"name": "u", "user": {"token": "hidden"}}],
                }
            )
        )

    def has(self, path: str, kind: str, *items: dict[str, Any], version: str = "v1") -> None:
        self.answers[path] = (200, json.dumps({"kind": f"{kind}List", "apiVersion": version, "items": list(items)}))


@pytest.fixture
def server() -> Iterator[Server]:
    one = Server()
    yield one
    one.http.shutdown()
    one.http.server_close()


Connect = Callable[..., API]


@pytest.fixture
def connect(tmp_path: Path, server: Server) -> Iterator[Connect]:
    """Gives the API of that server, or of another address."""
    made: list[API] = []

    def connecting(url: str | None = None, context: str | None = None) -> API:
        file = tmp_path / "kubeconfig"
        server.write_kubeconfig(file, url)
        made.append(API(file, context))
        return made[-1]

    yield connecting
    for one in made:
        one.close()
