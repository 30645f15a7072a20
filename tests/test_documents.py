"""Every command that the documents show is run by a test, or stands here with the reason why not."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = (
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "docs/style.md",
    "docs/build.md",
    "docs/tls.md",
    "docs/routes.md",
    "docs/registries.md",
    "docs/services.md",
    "docs/ip-families.md",
    "docs/own-resources.md",
    "docs/pull-requests.md",
    "docs/teams.md",
    "docs/anywhere.md",
    "docs/existing-clusters.md",
    "examples/README.md",
    "examples/python/README.md",
    "examples/package/README.md",
    "examples/web-api/README.md",
    "examples/shop/README.md",
    "examples/grpc/README.md",
)
LIVE = (
    "make up",
    "make preview",
    "pulumi preview --stack local --policy-pack policy",
    "pulumi stack output --stack local hops",
    ".venv/bin/hops kubectl local get pods -A",
    ".venv/bin/hops stack show local",
    "make trace",
    ".venv/bin/hops trace local --bundle seen.json",
    ".venv/bin/hops trace --replay seen.json",
    "curl --resolve my-service.localhost:8080:127.0.0.1 http://my-service.localhost:8080/",
)
"""Run by tests/live/test_readme.py in a real cluster, between `make demo` and `make down`."""
TEAMS = (
    "export PULUMI_BACKEND_URL='s3://hops-state?region=us-east-1&endpoint=http://127.0.0.1:9000&s3ForcePathStyle=true'",
    "pulumi stack init alice",
    "pulumi preview --stack alice --policy-pack policy",
    "pulumi stack export --stack alice --file alice.json",
    "pulumi stack import --stack alice --file alice.json",
    "pulumi cancel --yes --stack alice",
    "pulumi stack init carol --secrets-provider 'awskms://alias/hops?region=us-east-1'",
    "pulumi stack change-secrets-provider 'awskms://alias/hops?region=us-east-1' --stack alice",
    ".venv/bin/hops stack rm alice",
)
"""Run by tests/engine/test_teams.py with a bucket and a key on a local server."""
MANY = (
    "pulumi up --yes --stack alice --policy-pack policy",
    "pulumi destroy --yes --stack alice",
)
"""Run by tests/live/test_many.py, with stacks side by side."""
CALL = (
    "printf '\\0\\0\\0\\0\\5world' | curl --http2-prior-knowledge -H 'content-type: application/grpc' "
    "-H 'te: trailers' --data-binary @- http://hello.localhost:8186/hello.Greeter/Hello --output -"
)
"""The call of a gRPC server by curl."""
HERE = (".venv/bin/hops stack list", ".venv/bin/hops plan local")
"""Run below."""
ELSEWHERE = {
    "pulumi config set --secret --path ingress-hops:secrets.db-password --stack alice": (
        "tests/live/test_services.py, with the value on standard input"
    ),
    "pulumi config set --secret --path ingress-hops:secrets.registry-login --stack alice": "as before",
    ".venv/bin/python -m pip download --require-hashes --requirement requirements.txt --dest carried/wheels": (
        "tests/live/test_registries.py, as the six below"
    ),
    "cp -R ~/.cache/ingress-hops carried/manifests": "as before",
    "cp -RL .ingress-hops/pulumi-home/plugins carried/plugins": "as before",
    "mkdir -p ~/.pulumi && cp -R carried/plugins ~/.pulumi/plugins": "as before",
    "export PIP_NO_INDEX=1": "as before",
    "export PIP_FIND_LINKS=$PWD/carried/wheels": "as before",
    "export INGRESS_HOPS_MANIFESTS=$PWD/carried/manifests": "as before",
    ".venv/bin/hops stack new shop --build ./web --port 3000": "tests/hops/cli/stacks/test_stack.py: it writes a file",
    ".venv/bin/hops dev shop": "tests/live/test_build.py",
    "python3 -m venv .venv": "it downloads packages",
    ".venv/bin/pip install --editable '../ingress-hops[pulumi]'": "as before",
    ".venv/bin/hops init local --port 5000": "tests/hops/cli/stacks/test_init.py, since it writes files",
    ".venv/bin/hops up local": "the command of make up",
    ".venv/bin/hops ca show": "tests/hops/cli/authority/test_ca.py, as the four below",
    ".venv/bin/hops ca trust": "it changes the machine's stores",
    ".venv/bin/hops ca untrust": "as before",
    ".venv/bin/hops ca export ca.pem": "tests/hops/cli/authority/test_ca.py",
    ".venv/bin/hops ca remove": "as before",
    "cp examples/shop/shop.yaml stacks/Pulumi.shop.yaml": "tests/live/test_shop.py, as the five below",
    "pulumi stack init shop": "as before",
    "pulumi config set --secret --path ingress-hops:secrets.db-password --stack shop": "as before",
    "make up STACK=shop": "as before",
    "curl --request POST http://shop.localhost:8185/api/visits": "as before",
    "make down STACK=shop": "as before",
    "cp examples/grpc/grpc.yaml stacks/Pulumi.grpc.yaml": "tests/live/test_examples.py, as the four below",
    "make up STACK=grpc": "as before",
    CALL: "as before",
    "make trace STACK=grpc": "as before",
    "make down STACK=grpc": "as before",
    "cp examples/web-api/web-api.yaml stacks/Pulumi.web-api.yaml": "tests/live/test_build.py",
    "make up STACK=web-api": "tests/live/test_build.py",
    ".venv/bin/hops dev web-api": "tests/live/test_build.py",
    "make down STACK=web-api": "tests/live/test_build.py",
    'make tools && eval "$(make -s env)"': "tests/live/test_readme.py, one after the other",
    "cd examples/python": "tests/live/test_examples.py",
    "cd examples/package": "tests/engine/test_examples.py, by a preview",
    "pulumi stack init hello": "tests/live/test_examples.py and tests/engine/test_examples.py",
    "pulumi up": "tests/live/test_examples.py",
    "curl http://hello.localhost:8088/": "tests/live/test_examples.py",
    "pulumi destroy": "tests/live/test_examples.py",
    "make demo": "tests/live/test_readme.py",
    "make down": "tests/live/test_readme.py",
    'eval "$(make -s env)"': "tests/live/test_readme.py",
    ".venv/bin/hops plan local --html path.html": "tests/hops/cli/test_plan.py, since it writes a file",
    ".venv/bin/hops stack new alice": "tests/hops/cli/stacks/test_stack.py, since it writes a file",
    ".venv/bin/hops stack check": "tests/hops/cli/stacks/test_fleet.py, since it prints no stack that is well",
    ".venv/bin/hops stack new bob --address 127.0.0.2": "as before",
    "export PULUMI_BACKEND_URL='s3://hops-state?region=eu-central-1'": "a bucket of one's own, and an account",
    ".venv/bin/hops tools": "tests/hops/cli/programs/test_tools.py, since it may download",
    "make up STACK=seed": "the stack is brought up by tests/live/test_path.py; the target is that of make up",
    "make down STACK=seed": "as before",
    "hops trace --kubeconfig FILE --host NAME": "tests/live/faults/test_reader.py",
    "hops trace --kubeconfig FILE --url https://NAME/PATH --cacert ca.pem": "tests/live/faults/encryption.py",
    "kubectl hops --host NAME": "tests/test_wheel.py and tests/hops/cli/test_trace.py",
    "kubectl apply --filename docs/trace-rbac.yaml": "tests/live/faults/test_reader.py",
    "kubectl create token hops-trace --namespace projectcontour": "as before",
    "curl --connect-to shop.example.com:443:a1b2-1.elb.eu-central-1.amazonaws.com:443 https://shop.example.com/": (
        "tests/stacks/test_program.py compares it with the output of the page's stack"
    ),
    "make test": "it runs this test",
    "make lint": "tests/test_makefile.py, as the five below",
    "make check": "it runs this test",
    "make format": "it changes the sources",
    "make coverage": "it runs this test, too",
    "make audit": "it asks a database of known weaknesses; tests/test_makefile.py reads what it asks for",
    "make lowest": "it needs a package index; tests/test_makefile.py, and the checks of a pull request",
    "make test-live": "it needs Docker",
    "make lock": "it needs a package index",
    'make lock UPGRADE="rich uv"': "as before",
    ".venv/bin/python -m tests.hops.kubernetes.schemas.published_schemas": "tests/hops/kubernetes/schemas compares it",
    ".venv/bin/hops rules --write docs/rules": "tests/hops/cli/test_check.py compares what it writes",
    ".venv/bin/hops codes --write docs/codes": "tests/hops/cli/catalogues/test_codes.py compares what it writes",
    ".venv/bin/python -m pip wheel --no-deps --no-build-isolation --wheel-dir dist .": "tests/test_wheel.py",
    "git tag v0.2.0": "it marks a release",
    "make pull-request STACK=ci BASE=origin/main": "tests/test_pull_requests.py, on recorded previews",
    ".venv/bin/hops report .ingress-hops/pull-request/head.jsonl --base .ingress-hops/pull-request/base.jsonl": (
        "tests/test_pull_requests.py"
    ),
    (
        "PULUMI_ENABLE_STREAMING_JSON_PREVIEW=true pulumi preview --json --stack local --policy-pack policy "
        "> events.jsonl"
    ): "tests/engine/test_report.py, of another stack",
    ".venv/bin/hops report events.jsonl": "tests/hops/cli/reviews/test_report.py",
    ".venv/bin/hops diff local ci": "tests/hops/cli/reviews/test_diff.py, since something differs",
    ".venv/bin/hops diff stacks/Pulumi.local.yaml ci --format markdown": "as before",
    ".venv/bin/hops diff before.json after.json": "as before",
    ".venv/bin/hops diff .ingress-hops/plan/local .ingress-hops/plan/ci": "as before",
    "printf '127.0.0.1 my-service.local\\n::1 my-service.local\\n' | sudo tee -a /etc/hosts": (
        "it changes the machine's hosts file"
    ),
}


def blocks(name: str, language: str) -> list[str]:
    """The fenced blocks of a document that are of a language, "" for those of none."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", (ROOT / name).read_text(), re.DOTALL | re.MULTILINE)
    return [block for tag, block in fenced if tag == language]


def commands() -> list[str]:
    """The commands of all shell blocks, without their remarks."""
    lines = "\n".join(block for name in DOCUMENTS for block in blocks(name, "sh")).splitlines()
    return [re.sub(r"\s+# .*", "", line).strip() for line in lines if line.strip()]


def test_every_command_is_accounted_for() -> None:
    assert set(commands()) == {*LIVE, *TEAMS, *MANY, *HERE, *ELSEWHERE}


@pytest.mark.parametrize("command", HERE)
def test_a_command_that_needs_no_cluster_works(project: Path, manifests: Path, command: str) -> None:
    _, *words = shlex.split(command)
    python = [sys.executable, "-c", "from hops.cli.app import app; app()"]
    done = subprocess.run(
        [*python, *words],
        cwd=project,
        env={"PATH": "/nowhere", "HOME": "/nowhere", "INGRESS_HOPS_MANIFESTS": str(manifests)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "local" in done.stdout


def test_every_file_that_is_linked_is_there(project: Path) -> None:
    for name in DOCUMENTS:
        for target in re.findall(r"\]\(([^)#:]+)\)", (project / name).read_text()):
            assert ((project / name).parent / target).exists(), f"{name} links to {target}"


def test_every_file_that_the_recipes_name_is_there(project: Path) -> None:
    text = (project / "CONTRIBUTING.md").read_text()
    recipes = re.findall(r"^## Recipe: (.*?)\n(.*?)(?=^## )", text, re.DOTALL | re.MULTILINE)
    assert [title for title, _ in recipes] == [
        "add a rule",
        "add a check of the trace",
        "add a kind of route",
        "add a pod network",
    ]
    for title, recipe in recipes:
        named = re.findall(r"`([\w./-]+\.(?:py|md|yaml))`", recipe)
        assert len(named) >= 5, title
        assert [name for name in named if not (project / name).is_file()] == [], title


def test_the_style_page_has_ten_pairs(project: Path) -> None:
    rows = re.findall(
        r"^\| (?!before|---)(.+) \| (.+) \| .+ \| \[.+\]\((.+)\) \|$",
        (project / "docs/style.md").read_text(),
        re.MULTILINE,
    )
    assert len(rows) == 10
    for before, after, _ in rows:
        assert before != after
