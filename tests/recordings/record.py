"""Records what the engine writes in previews: `python -m tests.recordings.record`, where pulumi is on PATH.

Each is a real preview of the stack `ci` with another file, Docker a stand-in. Left out are debugging notes and the
schemas of custom resources, nine tenths of the bytes; the folder of the run becomes /project. Whatever changes the
pack's messages or the engine's events wants them recorded again.

Those committed are of 2026-11-24: Pulumi 3.259.0, its providers kubernetes 4.25.0 and command 1.2.1, Calico 3.31.0,
Contour 1.33.6.
"""

import gzip
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from hops.observe.local.published_files import manifests_folder
from tests.conftest import PROJECT, stack_config
from tests.engine.conftest import Clone, clone_of, origin_of

FOLDER = Path(__file__).parent
SETTINGS: dict[str, dict[str, Any]] = {
    "clean": {},
    "other-port": {"cluster": {"httpPort": 8082, "httpsPort": None}},
    "open": {"cluster": {"httpPort": 8081, "httpsPort": None, "listenAddress": "0.0.0.0"}},
    "fails": {"cluster": {"httpPort": 808100}},
    "no-cluster": {"cluster": {"existing": "nowhere"}},
    "many": {"services": [{"name": f"service-{n}", "namespace": "default"} for n in range(1, 171)]},
}
"""What each recording's stack file says differently from the committed one."""


def recorded(name: str) -> str:
    """The events of a recording."""
    return gzip.decompress((FOLDER / f"{name}.jsonl.gz").read_bytes()).decode()


def stack_file(name: str) -> str:
    """The stack file that a recording was made with."""
    config = stack_config("ci") | SETTINGS[name]
    return yaml.safe_dump({"config": {f"ingress-hops:{key}": value for key, value in config.items()}}, sort_keys=False)


def events(clone: Clone, name: str) -> str:
    """What the engine writes in a preview of a stack `ci` that is there."""
    file = clone.folder / "stacks" / "Pulumi.ci.yaml"
    committed = file.read_text()
    file.write_text(stack_file(name))
    try:
        words = ("pulumi", "preview", "--json", "--stack", "ci", "--non-interactive", "--policy-pack", "policy")
        return clone.run(*words, check=False, PULUMI_ENABLE_STREAMING_JSON_PREVIEW="true").stdout
    finally:
        file.write_text(committed)


def scrubbed(text: str, folder: Path) -> Iterator[str]:
    for line in text.replace(str(folder), "/project").splitlines():
        event = json.loads(line)
        if event.get("diagnosticEvent", {}).get("severity") == "debug":
            continue
        for kind in ("resourcePreEvent", "resOutputsEvent"):
            metadata = event.get(kind, {}).get("metadata", {})
            if str(metadata.get("type")).endswith(":CustomResourceDefinition"):
                for values in ("inputs", "outputs"):
                    metadata["new"][values].pop("spec", None)
        yield json.dumps(event, separators=(",", ":")) + "\n"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        clone = clone_of(origin_of(PROJECT, Path(folder, "origin")), Path(folder, "clone"), manifests_folder())
        clone.pulumi("stack", "init", "ci")
        for name in sys.argv[1:] or SETTINGS:
            text = "".join(scrubbed(events(clone, name), clone.folder))
            (FOLDER / f"{name}.jsonl.gz").write_bytes(gzip.compress(text.encode(), 9, mtime=0))
        said = subprocess.run(["pulumi", "version"], capture_output=True, text=True, check=True).stdout
        sys.stdout.write(f"recorded with Pulumi {said}")


if __name__ == "__main__":
    main()
