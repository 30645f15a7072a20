"""Receives an image from `docker push`, which sends a layer only if the receiver lacks it.

Source: the OCI distribution specification, pushing; and Docker's client of it, which sends a layer as chunks (20.10).
"""

import hashlib
import json
import re
from collections.abc import Container, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryDirectory
from threading import Thread
from typing import IO, Any
from urllib.parse import parse_qs, urlsplit

from hops.cli.image_build.oci_layout import write_layout

_CHUNK = 1 << 20
_BLOB = re.compile(r"/v2/.+/blobs/(sha256:[0-9a-f]{64})")
_UPLOADS = re.compile(r"/v2/.+/blobs/uploads/(\w*)")
_MANIFEST = re.compile(r"/v2/.+/manifests/(.+)")


@dataclass
class Receiver:
    """A registry that keeps one image until it is closed.

    folder: what was received, each blob and manifest in a file of its digest.
    known: the sizes of blobs that need not be sent, by digest.
    port: on 127.0.0.1.
    manifests: by tag or digest: media type and digest.
    """

    folder: Path
    known: Mapping[str, int]
    port: int = 0
    manifests: dict[str, tuple[str, str]] = field(default_factory=dict)

    def size(self, digest: str) -> int | None:
        """The size of a blob that is here or known; None of another."""
        file = self.folder / digest
        return file.stat().st_size if file.is_file() else self.known.get(digest)

    def write(self, tag: str, image: str, known: Container[str], to: IO[bytes]) -> None:
        """Writes the image as an OCI layout without blobs that are known.

        tag: under which it was pushed.
        image: its name in the layout.
        known: digests such as sha256:….
        to: where the tar archive is written.
        """
        media_type, digest = self.manifests[tag]
        manifest = {"mediaType": media_type, "digest": digest, "size": self.size(digest)}
        files = [file for file in self.folder.glob("sha256:*") if file.name not in known]
        with ExitStack() as opened:
            blobs = [(file.name, opened.enter_context(file.open("rb")), file.stat().st_size) for file in files]
            write_layout(image, manifest, blobs, to)

    def identities(self, tag: str) -> set[str]:
        """The digests that Docker may name the image by: of its manifest, and of its configuration."""
        _, digest = self.manifests[tag]
        config = json.loads((self.folder / digest).read_bytes()).get("config") or {}
        return {digest, str(config.get("digest"))}


@contextmanager
def receiver(known: Mapping[str, int], port: int) -> Iterator[Receiver]:
    """Listens on loopback.

    known: the sizes of blobs that need not be sent, by digest.
    port: the port to take if it is free; Docker remembers what it sent there.
    """
    with TemporaryDirectory(prefix="ingress-hops-") as folder:
        of = Receiver(Path(folder), known)
        handler = type("Handler", (_Handler,), {"of": of})
        try:
            server = _Server(("127.0.0.1", port), handler)
        except OSError:
            server = _Server(("127.0.0.1", 0), handler)
        with server:
            of.port = server.server_address[1]
            Thread(target=server.serve_forever, daemon=True).start()
            try:
                yield of
            finally:
                server.shutdown()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """Nothing: `docker push` says what fails."""


class _Handler(BaseHTTPRequestHandler):
    of: Receiver
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        # Docker asks for the version of the API first.
        self._answer(200 if self.path == "/v2/" else 404)

    def do_HEAD(self) -> None:
        match = _BLOB.fullmatch(self.path)
        size = self.of.size(match[1]) if match else None
        if match and size is not None:
            self._answer(200, {"Docker-Content-Digest": match[1]}, size)
        else:
            self._answer(404)

    def do_POST(self) -> None:
        path = urlsplit(self.path).path
        if not _UPLOADS.fullmatch(path):
            self._answer(404)
            return
        name = token_hex(8)
        (self.of.folder / name).touch()
        self._accepted(f"{path.rstrip('/')}/{name}", name)

    def do_PATCH(self) -> None:
        upload = self._upload()
        if not upload:
            self._answer(404)
            return
        with upload.open("ab") as file:
            self._read(file)
        self._accepted(urlsplit(self.path).path, upload.name)

    def do_PUT(self) -> None:
        if match := _MANIFEST.fullmatch(self.path):
            self._manifest(match[1])
            return
        upload = self._upload()
        digest = parse_qs(urlsplit(self.path).query).get("digest", [""])[0]
        if not upload:
            self._answer(404)
            return
        with upload.open("ab") as file:
            self._read(file)
        with upload.open("rb") as file:
            found = f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
        if found != digest:
            self._answer(400)
            return
        upload.rename(self.of.folder / digest)
        self._answer(201, {"Docker-Content-Digest": digest, "Location": f"/v2/x/blobs/{digest}"})

    def log_message(self, *_: Any) -> None:
        """Nothing: `docker push` says what fails."""

    def _manifest(self, name: str) -> None:
        upload = self.of.folder / token_hex(8)
        with upload.open("wb") as file:
            self._read(file)
        digest = f"sha256:{hashlib.sha256(upload.read_bytes()).hexdigest()}"
        upload.rename(self.of.folder / digest)
        self.of.manifests[name] = (self.headers.get("Content-Type", ""), digest)
        self._answer(201, {"Docker-Content-Digest": digest, "Location": f"/v2/x/manifests/{digest}"})

    def _upload(self) -> Path | None:
        match = _UPLOADS.fullmatch(urlsplit(self.path).path)
        file = self.of.folder / match[1] if match and match[1] else None
        return file if file and file.is_file() else None

    def _accepted(self, path: str, name: str) -> None:
        size = (self.of.folder / name).stat().st_size
        self._answer(202, {"Location": path, "Docker-Upload-UUID": name, "Range": f"0-{max(size - 1, 0)}"})

    def _read(self, to: IO[bytes]) -> None:
        """Writes the body of the request, which may come in chunks."""
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline().split(b";")[0], 16):
                self._copy(size, to)
                self.rfile.readline()
            self.rfile.readline()
        else:
            self._copy(int(self.headers.get("Content-Length") or 0), to)

    def _copy(self, size: int, to: IO[bytes]) -> None:
        while size and (read := self.rfile.read(min(size, _CHUNK))):
            to.write(read)
            size -= len(read)

    def _answer(self, status: int, headers: Mapping[str, str] | None = None, size: int = 0) -> None:
        # What was refused has perhaps not been read.
        self.close_connection = self.close_connection or (status >= 400 and self.command != "HEAD")
        self.send_response(status)
        for key, value in {"Docker-Distribution-Api-Version": "registry/2.0", **(headers or {})}.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(size))
        self.end_headers()
