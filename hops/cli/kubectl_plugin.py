"""`kubectl hops`: `hops trace` into the cluster of kubectl's current context."""

import os
import sys
from pathlib import Path

from hops.cli.app import app


def main() -> None:
    """Traces with kubectl's own kubeconfig, unless --kubeconfig names another or --replay needs none."""
    words = sys.argv[1:]
    if not any(word.partition("=")[0] in ("--kubeconfig", "--replay") for word in words):
        words = ["--kubeconfig", os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config"), *words]
    app(["trace", *words])
