"""The example shop in a real cluster, by the commands of its README."""

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.live.conftest import a_clone
from tests.live.stand_ins import have_postgres, with_packages
from tests.project import Project, answer, run

SHOP, IMAGE, PORT = "shop", "postgres:17", 8185
CLUSTER = f"ingress-hops-{SHOP}"


def example(clone: Project, name: str) -> Path:
    """Copies the example's stack file to its place."""
    return Path(
        shutil.copy(clone.folder / "examples" / name / f"{name}.yaml", clone.folder / "stacks" / f"Pulumi.{name}.yaml")
    )


def services(file: Path, of: list[dict[str, Any]]) -> None:
    whole = yaml.safe_load(file.read_text())
    whole["config"]["ingress-hops:services"] = of
    file.write_text(yaml.safe_dump(whole, sort_keys=False))


@contextmanager
def writable_folders() -> Iterator[None]:
    """Lets every user write to the folders of volumes, as kind's own storage does and that of a stand-in does not."""
    ended = threading.Event()
    command = "for each in /tmp/hostpath_pv/*; do chmod 0777 $each; done"

    def open_up() -> None:
        while not ended.wait(1):
            for node in (f"{CLUSTER}-worker", f"{CLUSTER}-control-plane"):
                subprocess.run(["docker", "exec", node, "sh", "-c", command], capture_output=True, check=False)

    thread = threading.Thread(target=open_up)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def shop(path: str, *options: str) -> str:
    resolve = f"--resolve shop.localhost:{PORT}:127.0.0.1"
    status, body = answer(f"curl {' '.join(options)} {resolve} http://shop.localhost:{PORT}{path}")
    assert status == 200, body
    return body


def visits(*options: str) -> int:
    return int(json.loads(shop("/api/visits", *options))["visits"])


@pytest.mark.long
def test_the_shop_counts_visits_in_a_database_that_keeps_them(tmp_path: Path) -> None:
    have_postgres(IMAGE, tmp_path)
    with a_clone(tmp_path / "project") as clone:
        with_packages(clone.folder / "examples" / "shop" / "api")
        file = example(clone, SHOP)
        whole = yaml.safe_load(file.read_text())["config"]["ingress-hops:services"]
        clone.pulumi("stack", "init", SHOP)
        words = ["pulumi", "config", "set", "--secret", "--path", "ingress-hops:secrets.db-password", "--stack", SHOP]
        subprocess.run(words, cwd=clone.folder, env=clone.environment, check=True, input="planted-4711", text=True)
        services(file, whole[:1])
        clone.up(SHOP)
        run("kind", "load", "docker-image", IMAGE, "--name", CLUSTER)
        services(file, whole)
        with writable_folders():
            assert "the pods of api may connect to its ports" in clone.up(SHOP)
        assert "asking the API" in shop("/")
        assert visits() == 0
        assert [visits("--request POST"), visits("--request POST")] == [1, 2]
        assert "no changes" in clone.preview(SHOP)
        whole[2]["env"]["PGTZ"] = "UTC"
        services(file, whole)
        clone.up(SHOP)
        assert visits() == 2, "the data outlived the pod"
        traced = subprocess.run(
            [".venv/bin/hops", "trace", SHOP, "--host", "shop.localhost", "--path", "/api/visits"],
            cwd=clone.folder,
            env=clone.environment,
            check=False,
            capture_output=True,
            text=True,
        )
        assert "all is well" in traced.stdout
