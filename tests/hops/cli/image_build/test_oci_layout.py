"""The archive in which a node gets an image."""

import hashlib
import io
import json
import tarfile

from hops.cli.image_build.oci_layout import write_archive


def test_layers_that_newer_dockers_name_by_digest_keep_their_digest() -> None:
    packed = b"\x1f\x8bpacked"
    name = hashlib.sha256(packed).hexdigest()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        described = [{"Config": "blobs/sha256/c", "Layers": [f"blobs/sha256/{name}"]}]
        config = json.dumps({"rootfs": {"diff_ids": ["sha256:other"]}}).encode()
        for path, content in (
            ("manifest.json", json.dumps(described).encode()),
            ("blobs/sha256/c", config),
            (f"blobs/sha256/{name}", packed),
        ):
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    written = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(out.getvalue())) as archive:
        write_archive(archive, "a:1", frozenset(), written)
    with tarfile.open(fileobj=io.BytesIO(written.getvalue())) as archive:
        index = json.load(archive.extractfile("index.json") or io.BytesIO())
        digest = index["manifests"][0]["digest"].removeprefix("sha256:")
        manifest = json.load(archive.extractfile(f"blobs/sha256/{digest}") or io.BytesIO())
    (layer,) = manifest["layers"]
    assert layer == {
        "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
        "digest": f"sha256:{name}",
        "size": len(packed),
    }
