"""Programs that render folders: bounded, and without what the caller's environment holds."""

import re
import shutil
import time
from pathlib import Path

import pytest

from hops.observe import rendered
from hops.observe.rendered import RenderError, helm, kustomize


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The program `kustomize`, to be written by the test."""
    path = tmp_path / "kustomize"
    path.touch(mode=0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    return path


def test_a_program_sees_no_secret_and_no_network(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "secret")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example")
    program.write_text("#!/bin/sh\nenv\n")
    text, by = kustomize(program.parent)
    seen = dict(line.partition("=")[::2] for line in text.splitlines())
    assert by == "kustomize build"
    assert "PULUMI_CONFIG_PASSPHRASE" not in seen
    assert seen["HTTPS_PROXY"] == seen["https_proxy"] == "http://127.0.0.1:9"
    assert seen["GIT_ALLOW_PROTOCOL"] == "none"


def test_a_program_is_ended_with_its_children_after_its_time(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendered, "SECONDS", 0.3)
    late = program.parent / "late"
    program.write_text(f"#!/bin/sh\n(sleep 1; touch {late}) &\nsleep 30\n")
    with pytest.raises(RenderError, match=r"kustomize took longer than 0 s"):
        kustomize(program.parent)
    time.sleep(1.2)
    assert not late.exists()


def test_the_output_is_bounded(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendered, "MOST_BYTES", 1024 * 1024)
    program.write_text("#!/bin/sh\nexec yes\n")
    with pytest.raises(RenderError, match="wrote more than 1 MiB"):
        kustomize(program.parent)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("#!/bin/sh\necho 'Error: no file.' >&2; exit 1\n", "no file"),
        ("#!/bin/sh\nexit 7\n", "kustomize ended with 7"),
        ("#!/bin/sh\nprintf '\\377'\n", "not UTF-8"),
        ("#!/nowhere\n", "does not start"),
    ],
)
def test_a_failure_has_a_reason(program: Path, text: str, reason: str) -> None:
    program.write_text(text)
    with pytest.raises(RenderError, match=re.escape(reason)):
        kustomize(program.parent)


def test_no_program_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for render in (kustomize, helm):
        with pytest.raises(FileNotFoundError):
            render(tmp_path)


@pytest.mark.skipif(not (shutil.which("kustomize") or shutil.which("kubectl")), reason="no kustomize and no kubectl")
def test_the_real_program_renders_a_folder_and_fetches_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")
    file = tmp_path / "kustomization.yaml"
    file.write_text("resources: [a.yaml]\nnamePrefix: my-\n")
    assert "name: my-a" in kustomize(tmp_path)[0]
    file.write_text("resources: ['https://github.com/kubernetes-sigs/kustomize//examples/helloWorld']\n")
    with pytest.raises(RenderError):
        kustomize(tmp_path)


@pytest.mark.skipif(not shutil.which("helm"), reason="no helm")
def test_the_real_helm_renders_a_chart(tmp_path: Path) -> None:
    chart = tmp_path / "Web_1"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: web\nversion: 0.1.0\n")
    (chart / "values.yaml").write_text("key: value\n")
    (chart / "templates" / "a.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\ndata: {a: {{ .Values.key }}}\n"
    )
    text, by = helm(chart)
    assert by == "helm template"
    assert "metadata: {name: web-1}" in text
