"""The trace with the rights of docs/trace-rbac.yaml, against the trace of the administrator."""

import json
from contextlib import nullcontext
from pathlib import Path as File

import pytest
import yaml

from tests.live.faults.encryption import alone
from tests.live.faults.path import Path
from tests.live.faults.run import Run
from tests.project import ROOT

RIGHTS = [item for item in yaml.safe_load_all((ROOT / "docs" / "trace-rbac.yaml").read_text()) if item]
ACCOUNT, NAMESPACE = "hops-trace", "projectcontour"


def kubeconfig(path: Path, folder: File) -> File:
    """A kubeconfig file with a token of the ServiceAccount."""
    token = path.kubectl("create", "token", ACCOUNT, "--namespace", NAMESPACE).strip()
    config = yaml.safe_load(path.kubeconfig().read_text())
    config["users"] = [{"name": one["name"], "user": {"token": token}} for one in config["users"]]
    file = folder / "reader.yaml"
    file.write_text(yaml.safe_dump(config))
    return file


@pytest.mark.fault
def test_a_reader_gets_the_verdict_of_the_administrator(run: Run, tmp_path: File) -> None:
    path = run.path
    as_admin = alone(path, path.port)
    with path.created(*RIGHTS):
        as_reader = ("--kubeconfig", str(kubeconfig(path, tmp_path)), *as_admin[2:])
        for fault in (None, lambda service: service["spec"].update(selector={"service": "nobody"})):
            where = ("service", path.backend.service, path.namespace)
            broken = path.changed(*where, fault) if fault else nullcontext()
            with broken:
                reported = [
                    path.trace(options, {}, tmp_path / f"{who}.json", stack=False)
                    for who, options in (("admin", as_admin), ("reader", as_reader))
                ]
            assert (reported[1].first, reported[1].stopping) == (reported[0].first, reported[0].stopping)
            assert reported[1].stopping == ((("endpoint", "SV01"),) if fault else ())
            seen = json.loads((tmp_path / "reader.json").read_text())
            assert set(seen["unseen"]) == {"cluster: Secret"}, seen["unseen"]
            assert "forbidden" in seen["unseen"]["cluster: Secret"]
            assert seen["envoys"], "Envoy's admin interface is read"


@pytest.mark.fault
def test_a_reader_may_change_nothing(run: Run) -> None:
    path = run.path
    with path.created(*RIGHTS):
        who = ("--as", f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}")
        listed = path.kubectl("auth", "can-i", "--list", "--namespace", NAMESPACE, *who, "--no-headers")
        verbs = {verb for line in listed.splitlines() for verb in line.rpartition("[")[2].rstrip("]").split()}
        assert verbs <= {"get", "list", "create"}
        created = [line.split()[0] for line in listed.splitlines() if "create" in line]
        assert set(created) <= {"pods/portforward"} | {line for line in created if line.startswith("self")}
