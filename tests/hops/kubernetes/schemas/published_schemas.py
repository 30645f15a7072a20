"""The schemas in `hops/kubernetes/schemas`, generated from what Kubernetes, Contour, Calico and Gateway API publish.

Kubernetes' own come from the package kubernetes-validate, which carries the OpenAPI definitions of each minor version.
Those of Contour and Calico are the CustomResourceDefinitions of the pinned files, those of Gateway API are in its Go
module. The time zones are those of Go, which the API server carries. Run as a module it writes the data.
"""

import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from hops.model.versions import CALICO, CONTOUR
from hops.observe.local.published_files import manifests_folder, published

FOLDER = Path(__file__).parents[4] / "hops" / "kubernetes" / "schemas"
COMMAND = ".venv/bin/python -m tests.hops.kubernetes.schemas.published_schemas"

GATEWAY_API = ("1.3.0", "1.6.3")
"""The versions of the Go module sigs.k8s.io/gateway-api: of Contour's published file, and the newest that is read."""

_MINORS = range(25, 38)
# A DeleteOptions or a WatchEvent is no object that anybody declares.
_NOT_DECLARED = frozenset({"DeleteOptions", "Status", "WatchEvent"})
_LEFT_OUT = frozenset({"$schema", "default", "description", "example", "externalDocs", "format"})
_SCALARS: Mapping[str, list[str]] = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": ["string", "number", "null"],
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": ["string", "integer", "null"],
}


def kubernetes() -> str:
    """The definitions of all minor versions: each distinct schema once, with the versions that have it."""
    found: dict[str, dict[str, list[int]]] = {}
    kinds: dict[str, str] = {}
    for minor in _MINORS:
        for name, schema in sorted(_definitions(minor).items()):
            for of in schema.get("x-kubernetes-group-version-kind", ()):
                if of["kind"] not in _NOT_DECLARED and not of["kind"].endswith("List"):
                    version = f"{of['group']}/{of['version']}" if of["group"] else of["version"]
                    kinds[f"{version} {of['kind']}"] = name
            plain = {"type": _SCALARS[name]} if name in _SCALARS else _plain(schema)
            found.setdefault(name, {}).setdefault(_json(plain), []).append(minor)
    lines = [f"{_json(name)}: {{{', '.join(_runs(found[name]))}}}" for name in sorted(found)]
    return _document(
        {"versions": [f"1.{minor}" for minor in _MINORS], "kinds": dict(sorted(kinds.items()))}, "definitions", lines
    )


def custom(folder: Path) -> str:
    """The served versions of the CustomResourceDefinitions in the pinned files.

    folder: where the published files are.

    Raises PublishedFileError where a file cannot be had.
    """
    both = (CALICO, CONTOUR)
    schemas = {name: schema for manifest in both for name, schema in _custom(published(manifest, folder))}
    return _definitions_of({manifest.name: manifest.version for manifest in both}, schemas)


def gateway(modules: Sequence[Path]) -> str:
    """The served versions of the CustomResourceDefinitions of Gateway API.

    The standard channel of the newest version decides. What only the experimental channels have is accepted, because
    Contour's published file for the Gateway API installs that channel.

    modules: where the Go modules are, the newest last.
    """
    found: dict[str, Any] = {}
    for folder in (*(module / "config/crd/experimental" for module in modules), modules[-1] / "config/crd/standard"):
        for path in sorted(folder.glob("*.yaml")):
            objects = yaml.load_all(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
            for name, schema in _custom(body for body in objects if body):
                found[name] = _widened(schema, found.get(name, {}))
    return _definitions_of({"gateway-api": ", ".join(GATEWAY_API)}, found)


def time_zones() -> str:
    """The time zones of the installed Go; "" without Go."""
    go = shutil.which("go")
    if not go:
        return ""
    done = subprocess.run([go, "env", "GOROOT"], capture_output=True, text=True, check=True)
    with zipfile.ZipFile(Path(done.stdout.strip(), "lib/time/zoneinfo.zip")) as database:
        names = sorted(name for name in database.namelist() if not name.endswith("/"))
    return '{\n"zones": [\n' + ",\n".join(map(_json, names)) + "\n]\n}\n"


def gateway_modules(*, download: bool) -> list[Path]:
    """Where Go keeps the modules of Gateway API; empty where there is no Go, or no module and no download."""
    go = shutil.which("go")
    environment = {**os.environ, "GOFLAGS": "-mod=mod"} | ({} if download else {"GOPROXY": "off"})
    found = []
    for version in GATEWAY_API if go else ():
        asked = [go or "", "mod", "download", "-json", f"sigs.k8s.io/gateway-api@v{version}"]
        done = subprocess.run(asked, env=environment, capture_output=True, text=True, check=False)
        found += [Path(json.loads(done.stdout)["Dir"])] if done.returncode == 0 else []
    return found if len(found) == len(GATEWAY_API) else []


def _definitions(minor: int) -> dict[str, Any]:
    folder = files("kubernetes_validate") / "kubernetes-json-schema" / f"v1.{minor}.0-local-strict"
    found: dict[str, Any] = json.loads((folder / "_definitions.json").read_text(encoding="utf-8"))["$defs"]
    return found


def _plain(value: Any) -> Any:
    """A schema without prose and without the marks that say how lists are merged."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    found: dict[str, Any] = {}
    for key, item in value.items():
        if key == "properties":
            found[key] = {name: _plain(schema) for name, schema in item.items()}
        elif key == "$ref":
            found[key] = f"#/$defs/{item.rpartition('/')[2]}"
        elif key not in _LEFT_OUT and not key.startswith("x-"):
            found[key] = _plain(item)
    return found


def _runs(versions_of: Mapping[str, list[int]]) -> Iterator[str]:
    """Each schema under its range of versions, such as `1.25-1.30`."""
    for schema, minors in sorted(versions_of.items(), key=lambda pair: pair[1]):
        begin = minors[0]
        for minor, following in zip(minors, [*minors[1:], None], strict=True):
            if following != minor + 1:
                yield f'"1.{begin}-1.{minor}": {schema}'
                begin = following or 0


def _definitions_of(sources: Mapping[str, str], schemas: Mapping[str, Any]) -> str:
    lines = [f"{_json(name)}: {_json(schema)}" for name, schema in sorted(schemas.items())]
    return _document({"sources": sources}, "kinds", lines)


def _widened(schema: Any, by: Any) -> Any:
    """A schema that also accepts the fields and the listed values of another."""
    if not isinstance(schema, dict) or not isinstance(by, dict):
        return schema
    found = {key: _widened(value, by.get(key)) for key, value in schema.items()}
    if "properties" in found:
        found["properties"] = {**by.get("properties", {}), **found["properties"]}
    if "enum" in found and "enum" in by:
        found["enum"] = list(dict.fromkeys([*found["enum"], *by["enum"]]))
    return found


def _custom(objects: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, Any]]:
    for item in objects:
        if item.get("kind") == "CustomResourceDefinition":
            spec = item["spec"]
            for version in spec["versions"]:
                if version["served"]:
                    schema = _structural(version["schema"]["openAPIV3Schema"])
                    schema["properties"]["metadata"] = {
                        "$ref": "#/$defs/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
                    }
                    yield f"{spec['group']}/{version['name']} {spec['names']['kind']}", schema


def _structural(value: Any) -> Any:
    """The schema of a CustomResourceDefinition as JSON schema, which refuses the fields that it does not name."""
    if isinstance(value, list):
        return [_structural(item) for item in value]
    if not isinstance(value, dict):
        return value
    found = {
        key: {name: _structural(schema) for name, schema in item.items()} if key == "properties" else _structural(item)
        for key, item in value.items()
        if key not in _LEFT_OUT and not key.startswith("x-") and key != "nullable"
    }
    if "required" in found:
        # The API server sets defaults before it validates.
        fields = value.get("properties", {})
        found["required"] = [key for key in found["required"] if "default" not in fields.get(key, {})]
    if "oneOf" in found and any("default" in field for field in value.get("properties", {}).values()):
        # Without the default, an object may have several of the forms.
        found["anyOf"] = found.pop("oneOf")
    for exclusive, bound in (("exclusiveMaximum", "maximum"), ("exclusiveMinimum", "minimum")):
        # A flag beside the bound in OpenAPI 3.0, the bound itself in JSON schema.
        if found.pop(exclusive, False) is True:
            found[exclusive] = found.pop(bound)
    if value.get("x-kubernetes-int-or-string"):
        found.pop("anyOf", None)
    kinds = ["integer", "string"] if value.get("x-kubernetes-int-or-string") else [value.get("type")]
    if kinds != [None]:
        found["type"] = [*kinds, *(["null"] if value.get("nullable") else [])]
    if "properties" in found and "type" in found and not value.get("x-kubernetes-preserve-unknown-fields"):
        found.setdefault("additionalProperties", False)
    return found


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _document(head: Mapping[str, Any], key: str, lines: list[str]) -> str:
    """A JSON object with one line for each schema, so that a change shows what it changes."""
    begin = "".join(f"{_json(name)}: {_json(value)},\n" for name, value in head.items())
    return "{\n" + begin + f"{_json(key)}: {{\n" + ",\n".join(lines) + "\n}\n}\n"


if __name__ == "__main__":
    (FOLDER / "kubernetes.json").write_text(kubernetes(), encoding="utf-8")
    (FOLDER / "custom.json").write_text(custom(manifests_folder()), encoding="utf-8")
    where = gateway_modules(download=True)
    if not where:
        raise SystemExit(
            "Go cannot download sigs.k8s.io/gateway-api, so gateway.json and time_zones.json are unchanged"
        )
    (FOLDER / "time_zones.json").write_text(time_zones(), encoding="utf-8")
    (FOLDER / "gateway.json").write_text(gateway(where), encoding="utf-8")
