"""The published files of the pod network and Contour: downloaded once, verified by sha256, read as objects."""

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from hops.model.versions import Manifest
from hops.observe.local.files import write

_SECONDS = 30


class PublishedFileError(RuntimeError):
    """A published file cannot be downloaded, or is not the pinned one."""


def manifests_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """The folder of the files: `$INGRESS_HOPS_MANIFESTS`, or else the user's cache folder."""
    if named := environment.get("INGRESS_HOPS_MANIFESTS"):
        return Path(named)
    return Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache", "ingress-hops")


def published(manifest: Manifest, folder: Path) -> list[dict[str, Any]]:
    """The objects of a published file.

    manifest: the pinned file.
    folder: the folder of the files. The file is downloaded into it if it is missing.

    Raises PublishedFileError if the file cannot be downloaded or read, or its sha256 is not the pinned one.
    """
    path = folder / manifest.file_name
    try:
        text = path.read_bytes() if path.exists() else _download(manifest, path)
    except (OSError, http.client.HTTPException) as error:
        raise PublishedFileError(
            f"{path}: {error}. Fetch {manifest.url} on a machine with network, put it there under the name "
            f"{manifest.file_name}, or name its folder in INGRESS_HOPS_MANIFESTS"
        ) from None
    _check(manifest, text, str(path))
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return [document for document in yaml.load_all(text, Loader=loader) if document]


def _download(manifest: Manifest, path: Path) -> bytes:
    try:
        with urllib.request.urlopen(manifest.url, timeout=_SECONDS) as answer:  # noqa: S310 - a constant https URL
            text: bytes = answer.read()
    except urllib.error.URLError as error:
        raise OSError(f"not there, and {manifest.url} cannot be fetched ({error.reason})") from None
    _check(manifest, text, manifest.url)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Two stacks that start at the same time must not read a half-written file.
    write(path, text)
    return text


def _check(manifest: Manifest, text: bytes, where: str) -> None:
    found = hashlib.sha256(text).hexdigest()
    if found != manifest.sha256:
        raise PublishedFileError(
            f"{where} is not {manifest.name} {manifest.version} as published: its sha256 is {found}, pinned is "
            f"{manifest.sha256}. Delete the file to have it fetched again, or change the pin in hops/model/versions.py"
        )
