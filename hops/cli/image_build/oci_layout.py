"""An image as an OCI layout (opencontainers/image-spec, image-layout.md), without the blobs that a node has."""

import hashlib
import json
import os
import tarfile
from collections.abc import Container, Iterable, Mapping
from io import BytesIO
from typing import IO, Any

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def write_layout(
    image: str, manifest: Mapping[str, Any], blobs: Iterable[tuple[str, IO[bytes], int]], to: IO[bytes]
) -> None:
    """Writes an image as an OCI layout.

    image: its name.
    manifest: the descriptor of its manifest, with mediaType, digest and size.
    blobs: digest, content and size in bytes of each blob that is written, the manifest among them.
    to: where the tar archive is written.
    """
    named = {**manifest, "annotations": {"io.containerd.image.name": image}}
    with tarfile.open(fileobj=to, mode="w|") as archive:
        for name, content in (
            ("oci-layout", b'{"imageLayoutVersion":"1.0.0"}'),
            ("index.json", _bytes({"schemaVersion": 2, "manifests": [named]})),
        ):
            _add(archive, name, BytesIO(content), len(content))
        for digest, blob, size in blobs:
            _add(archive, f"blobs/{digest.replace(':', '/')}", blob, size)


def write_archive(saved: tarfile.TarFile, image: str, known: Container[str], to: IO[bytes]) -> None:
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
    of_config = _descriptor("application/vnd.oci.image.config.v1+json", config)
    manifest = _bytes(
        {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": of_config,
            "layers": [layer for layer, _ in layers],
        }
    )
    of_manifest = _descriptor(_MANIFEST, manifest)
    # An image can have the same layer twice.
    lacking = {layer["digest"]: (file, layer["size"]) for layer, file in layers if layer["digest"] not in known}
    blobs = [
        (of_manifest["digest"], BytesIO(manifest), len(manifest)),
        (of_config["digest"], BytesIO(config), len(config)),
        *((digest, file, size) for digest, (file, size) in lacking.items()),
    ]
    write_layout(image, of_manifest, blobs, to)


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


def _add(archive: tarfile.TarFile, name: str, content: IO[bytes], size: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = size
    archive.addfile(entry, content)
