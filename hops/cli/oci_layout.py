"""An image as an OCI layout (opencontainers/image-spec, image-layout.md), without the blobs that a node has."""

import hashlib
import json
import os
import tarfile
from collections.abc import Iterable, Mapping
from io import BytesIO
from typing import IO, Any


def write_archive(saved: tarfile.TarFile, image: str, known: Iterable[str], to: IO[bytes]) -> None:
    """Writes an image as an OCI layout without blobs that are known.

    saved: what `docker save` wrote of one image.
    image: its name.
    known: digests such as sha256:….
    to: where the tar archive is written.
    """
    described = json.loads(_content(saved, "manifest.json").read())[0]
    config = _content(saved, described["Config"]).read()
    diffs = json.loads(config)["rootfs"]["diff_ids"]
    layers = [_layer(saved, name, diff) for name, diff in zip(described["Layers"], diffs, strict=True)]
    manifest = _bytes(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": _descriptor("application/vnd.oci.image.config.v1+json", config),
            "layers": [layer for layer, _ in layers],
        }
    )
    index = {
        "schemaVersion": 2,
        "manifests": [
            {
                **_descriptor("application/vnd.oci.image.manifest.v1+json", manifest),
                "annotations": {"io.containerd.image.name": image},
            }
        ],
    }
    with tarfile.open(fileobj=to, mode="w|") as archive:
        for name, content in (
            ("oci-layout", b'{"imageLayoutVersion":"1.0.0"}'),
            ("index.json", _bytes(index)),
            (_blob(manifest), manifest),
            (_blob(config), config),
        ):
            _add(archive, name, BytesIO(content), len(content))
        written = set(known)
        for layer, file in layers:
            if layer["digest"] not in written:
                written.add(layer["digest"])
                _add(archive, f"blobs/{layer['digest'].replace(':', '/')}", file, layer["size"])


def _layer(saved: tarfile.TarFile, name: str, diff: str) -> tuple[dict[str, Any], IO[bytes]]:
    """The descriptor and the content of a layer. Newer Dockers name a layer by its digest, and may compress it."""
    content = _content(saved, name)
    packed = content.read(2) == b"\x1f\x8b"
    size = content.seek(0, os.SEEK_END)
    content.seek(0)
    digest = name.removeprefix("blobs/").replace("/", ":") if name.startswith("blobs/sha256/") else diff
    return {
        "mediaType": f"application/vnd.oci.image.layer.v1.tar{'+gzip' if packed else ''}",
        "digest": digest,
        "size": size,
    }, content


def _content(saved: tarfile.TarFile, name: str) -> IO[bytes]:
    content = saved.extractfile(name)
    if content is None:
        raise OSError(f"docker save wrote no {name}")
    return content


def _bytes(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _descriptor(media_type: str, content: bytes) -> dict[str, Any]:
    return {
        "mediaType": media_type,
        "digest": f"sha256:{hashlib.sha256(content).hexdigest()}",
        "size": len(content),
    }


def _blob(content: bytes) -> str:
    return f"blobs/sha256/{hashlib.sha256(content).hexdigest()}"


def _add(archive: tarfile.TarFile, name: str, content: IO[bytes], size: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = size
    archive.addfile(entry, content)
