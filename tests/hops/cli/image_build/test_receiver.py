"""What `docker push` sends to the receiver, and what it hands on to a node."""

import hashlib
import http.client
import io
import json
import socket
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import closing

import pytest

from hops.cli.image_build.receiver import Receiver, receiver

BASE = f"sha256:{'b' * 64}"
LAYER, CONFIG = b"layer" * 1000, b"{}"
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


MANIFEST = json.dumps({"config": {"digest": digest(CONFIG)}, "layers": [{"digest": BASE}]}).encode()


class Docker:
    """A client that pushes as Docker does."""

    def __init__(self, of: Receiver) -> None:
        self._port = of.port

    def asks(
        self, method: str, path: str, body: bytes | Iterator[bytes] | None = None, **headers: str
    ) -> tuple[int, Mapping[str, str]]:
        chunked = not isinstance(body, bytes | None)
        with closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)) as connection:
            connection.request(method, path, body, headers, encode_chunked=chunked)
            answer = connection.getresponse()
            answer.read()
            return answer.status, dict(answer.headers)

    def sends(self, content: bytes, claimed: str = "") -> int:
        _, headers = self.asks("POST", "/v2/ingress-hops/blobs/uploads/", b"")
        half = len(content) // 2
        place = headers["Location"]
        status, headers = self.asks(
            "PATCH", place, iter((content[:half], content[half:])), **{"Transfer-Encoding": "chunked"}
        )
        assert status == 202
        assert headers["Range"] == f"0-{len(content) - 1}"
        return self.asks("PUT", f"{headers['Location']}?digest={claimed or digest(content)}", b"")[0]


@pytest.fixture
def of() -> Iterator[Receiver]:
    with receiver({BASE: 7}, 0) as it:
        yield it


def test_a_layer_that_the_nodes_have_is_not_asked_for(of: Receiver) -> None:
    docker = Docker(of)
    assert docker.asks("GET", "/v2/")[0] == 200
    status, headers = docker.asks("HEAD", f"/v2/ingress-hops/blobs/{BASE}")
    assert (status, headers["Content-Length"]) == (200, "7")
    assert docker.asks("HEAD", f"/v2/ingress-hops/blobs/{digest(LAYER)}")[0] == 404
    assert docker.asks("HEAD", "/v2/ingress-hops/manifests/1")[0] == 404


def test_what_is_pushed_becomes_a_layout_without_what_a_node_has(of: Receiver) -> None:
    docker = Docker(of)
    assert docker.sends(LAYER) == docker.sends(CONFIG) == 201
    assert docker.asks("HEAD", f"/v2/ingress-hops/blobs/{digest(LAYER)}")[0] == 200
    assert docker.asks("PUT", "/v2/ingress-hops/manifests/1", MANIFEST, **{"Content-Type": DOCKER})[0] == 201
    assert of.identities("1") == {digest(MANIFEST), digest(CONFIG)}
    out = io.BytesIO()
    of.write("1", "x.invalid/web:1", {digest(CONFIG)}, out)
    out.seek(0)
    with tarfile.open(fileobj=out) as archive:
        files = {name: file.read() for name in archive.getnames() if (file := archive.extractfile(name))}
    (manifest,) = json.loads(files.pop("index.json"))["manifests"]
    assert manifest["annotations"] == {"io.containerd.image.name": "x.invalid/web:1"}
    assert (manifest["mediaType"], manifest["digest"]) == (DOCKER, digest(MANIFEST))
    assert manifest["size"] == len(MANIFEST)
    del files["oci-layout"]
    assert files == {f"blobs/{digest(content).replace(':', '/')}": content for content in (LAYER, MANIFEST)}


def test_a_damaged_layer_is_refused(of: Receiver) -> None:
    assert Docker(of).sends(LAYER, claimed=BASE) == 400


@pytest.mark.parametrize(
    "path",
    [
        "/v2/x/blobs/uploads/../../../../etc/passwd",
        "/v2/x/blobs/uploads/unknown",
        "/v2/x/blobs/uploads/",
        "/etc/passwd",
    ],
)
def test_only_an_upload_that_was_begun_is_written(of: Receiver, path: str) -> None:
    for method in ("PATCH", "PUT"):
        assert Docker(of).asks(method, path, b"")[0] == 404
    assert list(of.folder.iterdir()) == []


def test_a_port_in_use_is_no_obstacle_and_nothing_stays() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        with receiver({}, other.getsockname()[1]) as of:
            assert of.port != other.getsockname()[1]
            assert Docker(of).asks("GET", "/v2/")[0] == 200
        assert not of.folder.exists()
        with pytest.raises(ConnectionRefusedError):
            Docker(of).asks("GET", "/v2/")
