"""What takes the place of images and packages where no registry can be reached from a build."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.project import run

BASE = "python:3.13-slim"
_BINARIES = ("initdb", "postgres", "pg_isready", "psql")
_ENTRYPOINT = """#!/bin/sh
set -e
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  mkdir -p "$PGDATA"
  printf %s "$POSTGRES_PASSWORD" >/tmp/password
  initdb --username=postgres --pwfile=/tmp/password --auth-host=scram-sha-256 --auth-local=trust
  rm /tmp/password
  echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
  printf 'CREATE DATABASE "%s"\\n' "$POSTGRES_DB" | postgres --single -D "$PGDATA" postgres
fi
exec postgres -D "$PGDATA" -c listen_addresses='*'
"""
_DOCKERFILE = """FROM {base}
COPY root /
ENV PATH={programs}:/usr/local/bin:/usr/bin:/bin
RUN echo "postgres:x:999:999::/tmp:/bin/sh" >>/etc/passwd && chmod 1777 /tmp
STOPSIGNAL SIGINT
CMD ["/entrypoint"]
"""


_REGISTRY = """version: 0.1
storage:
  filesystem: {rootdirectory: /var/lib/registry}
http: {addr: ":5000"}
"""


def _has(image: str) -> bool:
    """Whether Docker has an image, or could pull it."""
    words = (("image", "inspect", image), ("pull", "--quiet", image))
    return any(subprocess.run(["docker", *each], capture_output=True, check=False).returncode == 0 for each in words)


def have_postgres(image: str, folder: Path) -> None:
    """Has PostgreSQL under the name of its image, which Docker may have, or pull, or build of this machine's own.

    folder: for the build. Skips the test where none of them works.
    """
    if _has(image):
        return
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not installed:
        pytest.skip(f"Docker has no image {image} and can pull none, and PostgreSQL is not installed here")
    programs, root = installed[-1], folder / "root"
    files = {programs / name for name in _BINARIES}
    # Modules that PostgreSQL loads by itself need no library of their own.
    files |= {Path(line) for line in re.findall(r"=> (/\S+)", run("ldd", *(str(file) for file in files)))}
    for file in files:
        # /lib is a link into /usr, and a copied folder would take its place.
        place = root / re.sub("^/lib", "usr/lib", str(file)).lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, place)
    for shared in (programs.parent / "lib", Path("/usr/share/postgresql") / programs.parent.name):
        shutil.copytree(shared, root / shared.relative_to("/"), ignore=shutil.ignore_patterns("bitcode", "man"))
    (root / "entrypoint").write_text(_ENTRYPOINT)
    (root / "entrypoint").chmod(0o755)
    (folder / "Dockerfile").write_text(_DOCKERFILE.format(base=BASE, programs=programs))
    run("docker", "build", "--quiet", "--tag", image, str(folder))


def with_packages(context: Path) -> None:
    """Installs a context's requirements here and copies them in, where a build cannot install them by itself."""
    dockerfile = context / "Dockerfile"
    text = dockerfile.read_text()
    can = subprocess.run(["docker", "run", "--rm", BASE, "pip", "download", "pip"], capture_output=True, check=False)
    if can.returncode == 0:
        return
    version = run("docker", "run", "--rm", BASE, "python", "-c", "import sys; print('%d.%d' % sys.version_info[:2])")
    words = ("--target", str(context / "packages"), "--python-version", version.strip(), "--only-binary=:all:")
    install = [sys.executable, "-m", "pip", "install", "--quiet", *words, "-r", str(context / "requirements.txt")]
    if subprocess.run(install, check=False, env=os.environ).returncode:
        pytest.skip("the packages of the example cannot be installed")
    changed = re.sub(r"^RUN pip install .*$", "COPY packages /packages", text, flags=re.MULTILINE)
    assert changed != text
    dockerfile.write_text(changed)


def have_registry(image: str, folder: Path) -> None:
    """Has the registry of the CNCF Distribution project under the name of its image, as `have_postgres` does.

    folder: for the build, with Go. Skips the test where there is neither the image nor Go.
    """
    if _has(image):
        return
    if not shutil.which("go"):
        pytest.skip(f"Docker has no image {image} and can pull none, and Go is not installed here")
    folder.mkdir()
    module = "github.com/distribution/distribution/v3/cmd/registry@v3.1.2"
    run("go", "install", module, **os.environ, GOBIN=str(folder), CGO_ENABLED="0")
    (folder / "config.yml").write_text(_REGISTRY)
    place = "/etc/distribution/config.yml"
    (folder / "Dockerfile").write_text(
        f'FROM scratch\nCOPY registry /\nCOPY config.yml {place}\nENTRYPOINT ["/registry", "serve"]\nCMD ["{place}"]\n'
    )
    run("docker", "build", "--quiet", "--tag", image, str(folder))
