"""`hops check`, `hops rules`, `hops explain`."""

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from threading import Thread
from typing import Any
from xml.etree import ElementTree as ET

import jsonschema
import pytest
import yaml
from typer.testing import CliRunner, Result

from hops.cli.app import app
from hops.cli.check import CheckSession
from hops.cli.manifests import Manifests
from hops.model.finding import Finding, Patch
from hops.rules.catalogue import RULES
from hops.rules.docs import pages
from hops.rules.files.documents import documents
from hops.rules.files.edit import written
from hops.rules.schema import schema
from tests.conftest import PROJECT
from tests.hops.cli.sarif import SARIF

POD = """\
# of the shop
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: apps}
spec:
  automountServiceAccountToken: false
  containers:
  - name: web
    image: web
    ports:
    - containerPort: 81   # plain
      hostPort: 81
"""
LAUGHS = "a0: &a0 [1]\n" + "".join(f"a{i + 1}: &a{i + 1} [{', '.join([f'*a{i}'] * 9)}]\n" for i in range(9))
MERGES = "a0: &a0 {k: v}\n" + "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 4)}]}}\n" for n in range(1, 16))
HEALTHY = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: apps}\n"


def hops(*words: object, stdin: str | bytes = "") -> Result:
    return CliRunner().invoke(app, [str(word) for word in words], input=stdin)


def found(*words: object, stdin: str = "") -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = json.loads(hops("check", *words, "--format", "json", stdin=stdin).stdout)
    return listed


def codes(findings: Iterable[dict[str, Any]]) -> list[str]:
    return [finding["code"] for finding in findings]


@pytest.fixture
def pod(tmp_path: Path) -> Path:
    path = tmp_path / "pod.yaml"
    path.write_text(POD)
    return path


def test_the_status_says_what_was_found(pod: Path, tmp_path: Path) -> None:
    assert hops("check", pod).exit_code == 1
    assert hops("check", pod, "--rule", "EX05").exit_code == 0
    pod.write_text(HEALTHY)
    assert hops("check", pod).exit_code == 0
    assert hops("check", tmp_path / "none.yaml").exit_code == 2
    assert hops("check").exit_code == 2


def test_text_says_file_line_level_code_and_remedy(pod: Path) -> None:
    said = hops("check", pod, "--rule", "HP01").stdout.splitlines()
    assert said[0].startswith(f"{pod}:12: mandatory: HP01 Pod/apps/web: container web uses hostPort 81/TCP")
    assert "Remove hostPort" in said[0]
    assert (
        said[1] == "1 mandatory and 0 advisory findings; files read: 1, not read: 0; --fix --unsafe-fixes can patch 1"
    )


def test_json_has_the_documented_shape(pod: Path) -> None:
    (finding,) = found(pod, "--rule", "hp01")
    path = "/spec/containers/0/ports/0/hostPort"
    assert finding == {
        "code": "HP01",
        "level": "mandatory",
        "severity": "high",
        "file": str(pod),
        "document": 0,
        "resource": {"apiVersion": "v1", "kind": "Pod", "namespace": "apps", "name": "web"},
        "path": path,
        "message": "container web uses hostPort 81/TCP, which is not allowed (allowed: 80/TCP, 443/TCP).",
        "remedy": RULES["HP01"].remedy,
        "patch": {"file": str(pod), "document": 0, "safe": False, "operations": [{"op": "remove", "path": path}]},
    }


def test_the_published_example_of_every_rule_is_found_in_a_file(tmp_path: Path) -> None:
    for code, rule in RULES.items():
        if code.startswith("PK") and code != "PK02":
            continue
        (tmp_path / "bad.yaml").write_text(rule.bad)
        (tmp_path / "good.yaml").write_text(rule.good)
        assert code in codes(found(tmp_path / "bad.yaml")), code
        assert code not in codes(found(tmp_path / "good.yaml")), code


def test_folders_documents_lists_and_json_are_one_stack(tmp_path: Path) -> None:
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    paths = [{"path": "/", "pathType": "Prefix", "backend": backend}]
    named = {"name": "web", "namespace": "apps"}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": named, "spec": {"ports": [{"port": 80}]}}
    ingress = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": named,
        "spec": {"rules": [{"host": "a.localhost", "http": {"paths": paths}}]},
    }
    (tmp_path / "deeper").mkdir()
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "broken.yaml").write_text("[")
    (tmp_path / "notes.txt").write_text("[")
    (tmp_path / "values.yaml").write_text("replicas: 1\n---\n- a\n---\n")
    (tmp_path / "a.yml").write_text(f"---\n---\n{yaml.safe_dump(ingress)}")
    missing = found(tmp_path, "--rule", "IN01")
    assert [(f["code"], f["document"]) for f in missing] == [("IN01", 1)]
    listed = {"apiVersion": "v1", "kind": "List", "items": [service]}
    (tmp_path / "deeper" / "services.json").write_text(json.dumps(listed, indent="\t"))
    assert found(tmp_path, "--rule", "IN01") == []
    # A file is one, however often and by whatever name it is met.
    (tmp_path / "link.yaml").symlink_to("a.yml")
    assert found(tmp_path, tmp_path / "deeper" / ".." / "a.yml", "--rule", "IN05") == []


def test_standard_input_and_a_pointer_into_a_list(pod: Path) -> None:
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": [yaml.safe_load(pod.read_text())]})
    (finding,) = found("-", "--rule", "HP01", stdin=listed)
    assert finding["file"] == "-"
    assert finding["path"] == "/items/0/spec/containers/0/ports/0/hostPort"
    assert finding["patch"]["operations"][0]["path"] == finding["path"]
    assert hops("check", "-", "--fix", stdin=POD).exit_code == 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a: [\n  b\n", ":1:4: the [ is not closed; write ] after its last entry"),
        (b"a: 1\nb: {{ .Values.b }}: 2\n", ":2:"),
        (b"a: 1\nb: \xff\n", ":2:4: the file is not UTF-8"),
        (b"a: \x00\n", ":1:4: the text contains a NUL character"),
        (b"a: &a [*a]\n", ":1:4: an alias contains itself"),
        (LAUGHS.encode(), "the aliases expand to more than 2000000 values"),
        (MERGES.encode(), "the aliases expand to more than 2000000 values"),
        (b"# " + b"]" * 70_000 + b"\na: " + b"[" * 60_000, ":2:203: the nesting is deeper than 200 levels"),
        (b"a: 1\nb: !!bool maybe\n", ":2:4: 'maybe' is not a valid !!bool"),
        (b'a: !!int ""\n', ":1:4: '' is not a valid !!int"),
        (b"a: !!timestamp x\n", ":1:4: 'x' is not a valid !!timestamp"),
        (b"a:\n  - !!map [a]\n", ":2:5: expected a mapping node"),
        (b"a: 1\n? \n: 2\n", ":2:2: a key is null"),
        (b"? [a]\n: b\n", ":1:3: a key is a list"),
        (b"1: a\n'1': b\n", ":2:1: the key 1 is duplicate"),
        (b'{"a": "\\ud800"}', ":1:10: found invalid Unicode character escape code"),
        (b"[" * 200_000 + b"]" * 200_000, ":1:201: the nesting is deeper than 200 levels"),
        (b"- " * 200_000, ":1:401: the nesting is deeper than 200 levels"),
        (b'{"a": 1', ":"),
        (b"a: 1\nb: {c: 1, d: 2, c: 3}\n", ":2:17: the key c is duplicate"),
        (b'{"a": {"b": 1,\n"b": 2}}', ":2:1: the key b is duplicate"),
    ],
)
def test_what_can_not_be_read_is_named_with_its_line(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_bytes(content)
    (tmp_path / "pod.yaml").write_text(POD)
    result = hops("check", tmp_path)
    assert result.exit_code == 2
    assert f"hops: {path}" in result.stderr
    assert said in result.stderr
    assert "HP01" in result.stdout


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    assert "none.yaml: No such file" in hops("check", tmp_path / "none.yaml").stderr
    (tmp_path / "empty").mkdir()
    assert "the folder contains no YAML or JSON file" in hops("check", tmp_path / "empty").stderr


def test_merges_are_no_key_that_stands_twice(tmp_path: Path) -> None:
    path = tmp_path / "merged.yaml"
    path.write_text("a: &a {x: 1}\nb: &b {y: 1}\nc:\n  <<: *a\n  <<: *b\n  x: 2\n")
    assert hops("check", path).exit_code == 0


def test_what_other_tools_write_is_read_as_go_reads_it(tmp_path: Path) -> None:
    """A tag of one's own stands before a value, it makes none; `=` is a text, as in the Prometheus operator's CRDs."""
    written = POD.replace("{name: web,", "{name: !Ref web,").replace("hostPort: 81", "hostPort: !!python/name:port 81")
    more = "---\nkind: ConfigMap\nenum: [=]\nlist: !GetAtt [a, {b: !Sub c}]\nmap: !Map {d: e}\n"
    path = tmp_path / "other.yaml"
    path.write_text(written + more)
    pod, other = documents(path.read_text())
    assert pod["metadata"]["name"] == "web"
    assert pod["spec"]["containers"][0]["ports"][0]["hostPort"] == "81"
    assert other == {"kind": "ConfigMap", "enum": ["="], "list": ["a", {"b": "c"}], "map": {"d": "e"}}
    assert hops("check", path, "--skip", "PK02").exit_code != 2


def test_a_folder_may_hold_anything(tmp_path: Path) -> None:
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "up").symlink_to("..")
    (tmp_path / "deeper" / "pod.yaml").write_text(POD)
    (tmp_path / "deeper" / "folder.yaml").mkdir()
    assert len(found(tmp_path, "--rule", "HP01")) == 1
    (tmp_path / "gone.yaml").symlink_to("nowhere")
    (tmp_path / "itself.yaml").symlink_to("itself.yaml")
    os.mkfifo(tmp_path / "pipe.yaml")
    result = hops("check", tmp_path, "--rule", "HP01")
    assert result.exit_code == 2
    assert [line.split("/")[-1] for line in result.stderr.splitlines()] == [
        "gone.yaml: No such file or directory",
        "itself.yaml: Too many levels of symbolic links",
        "pipe.yaml: not a regular file",
    ]
    assert "files read: 1, not read: 3" in result.stdout


def test_a_folder_that_can_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shut").mkdir()
    listed = os.scandir

    def scandir(path: str) -> Any:
        if path.endswith("shut"):
            raise PermissionError(13, "Permission denied", path)
        return listed(path)

    monkeypatch.setattr(os, "scandir", scandir)
    (tmp_path / "healthy.yaml").write_text(HEALTHY)
    result = hops("check", tmp_path)
    assert (result.exit_code, result.stderr) == (2, f"hops: {tmp_path / 'shut'}: Permission denied\n")


def test_rules_are_chosen_by_their_codes(pod: Path) -> None:
    assert codes(found(pod, "--rule", "HP01", "--rule", "EX02")) == ["HP01"]
    assert codes(found(pod, "--rule", "HP02", "--rule", "HP06")) == ["HP02"]
    assert codes(found(pod, "--rule", "HP01", "--rule", "HP02", "--skip", "HP01")) == ["HP02"]
    wrong = hops("check", pod, "--skip", "HP99")
    assert (wrong.exit_code, wrong.stderr) == (2, "hops: rule HP99 does not exist; `hops rules` lists all rules\n")
    none = hops("check", pod, "--rule", "HP01", "--skip", "HP01")
    assert (none.exit_code, none.stderr) == (2, "hops: --rule and --skip leave no rule to run\n")


@pytest.mark.parametrize("wrapped", [True, False])
def test_the_configuration_is_that_of_the_pack(pod: Path, tmp_path: Path, *, wrapped: bool) -> None:
    rules = {"rules": {"HP01": {"parameters": {"allowed": [{"port": 81}]}}, "HP02": {"level": "advisory"}}}
    jsonschema.validate(rules, schema())
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"ingress-hops": {"enforcementLevel": "mandatory", **rules}} if wrapped else rules))
    listed = found(pod, "--config", path, "--rule", "HP01", "--rule", "HP02")
    assert [(f["code"], f["level"]) for f in listed] == [("HP02", "advisory")]


def test_a_policy_among_the_files_is_read(pod: Path, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("kind: Policy\napiVersion: ingress-hops/v1\nrules: {HP01: {level: advisory}, HP99: {}}\n")
    only = ("--rule", "HP01", "--rule", "PK04")
    listed = found(tmp_path, *only)
    assert [(f["code"], f["level"], f["file"]) for f in listed] == [
        ("HP01", "advisory", str(pod)),
        ("PK04", "mandatory", str(policy)),
    ]
    (tmp_path / "config.yaml").write_text("{rules: {HP01: {level: mandatory}}}")
    assert found(tmp_path, *only, "--config", tmp_path / "config.yaml")[0]["level"] == "mandatory"
    policy.write_text("kind: Policy\napiVersion: ingress-hops/v1\nrules: {HP01: {lvl: x}}\n")
    wrong = hops("check", tmp_path)
    assert wrong.exit_code == 2
    assert wrong.stderr == (
        f"hops: {policy}: rules.HP01.lvl: there is no such key; did you mean level? (keys: level, parameters, "
        "exceptions)\n"
    )


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("{rules: {HP01: {level: x}}}", "rules.HP01.level is 'x'"),
        ("{rules: {HP01: {parameters: {a: 1}}}}", "rules.HP01.parameters.a: there is no such parameter; "),
        ("{rule: {}}", "rule: there is no such key; did you mean rules? (keys: rules)"),
        ("[]", "the policy is []: a mapping with the key rules"),
    ],
)
def test_a_wrong_configuration_is_an_error(pod: Path, tmp_path: Path, config: str, said: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(config)
    result = hops("check", pod, "--config", path)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"hops: {path}: {said}")


def test_a_configuration_that_cannot_be_read_is_named(pod: Path, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    for content, said in ((b"{", f"{path}:2:1: "), (b"a: \xff", f"{path}:1:4: the file is not UTF-8")):
        path.write_bytes(content)
        result = hops("check", pod, "--config", path)
        assert (result.exit_code, result.stderr.startswith(f"hops: {said}")) == (2, True), result.stderr
    result = hops("check", pod, "--config", tmp_path / "none")
    assert (result.exit_code, result.stderr) == (2, f"hops: {tmp_path / 'none'}: No such file or directory\n")
    assert hops("check", pod, "--config", tmp_path).exit_code == 2


@pytest.mark.usefixtures("pod")
def test_sarif(tmp_path: Path) -> None:
    (tmp_path / "ä b.yaml").write_text("[")
    result = hops("check", tmp_path, "--format", "sarif")
    assert result.exit_code == 2
    log = json.loads(result.stdout)
    jsonschema.validate(log, SARIF)
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"] == "ingress-hops"
    assert [rule["id"] for rule in driver["rules"]] == list(RULES)
    assert all(rule["shortDescription"]["text"] and rule["help"]["text"] for rule in driver["rules"])
    for finding in run["results"]:
        assert driver["rules"][finding["ruleIndex"]]["id"] == finding["ruleId"]
        assert finding["level"] in ("error", "warning")
        assert finding["message"]["text"]
        (location,) = finding["locations"]
        assert location["physicalLocation"]["artifactLocation"]["uri"].endswith("/pod.yaml")
        assert location["physicalLocation"]["region"]["startLine"] >= 1
    lines = {f["ruleId"]: f["locations"][0]["physicalLocation"]["region"]["startLine"] for f in run["results"]}
    assert lines["HP01"] == 1 + POD.splitlines().index("      hostPort: 81")
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"] is False
    (unread,) = invocation["toolExecutionNotifications"]
    assert unread["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].endswith("/%C3%A4%20b.yaml")
    jsonschema.validate(json.loads(hops("check", "-", "--format", "sarif", stdin=POD).stdout), SARIF)


@pytest.mark.usefixtures("pod")
def test_junit(tmp_path: Path) -> None:
    (tmp_path / "healthy.yaml").write_text(HEALTHY)
    (tmp_path / "odd.yaml").write_text('kind: Pod\nmetadata: {name: "a\\x07"}\nspec: {hostNetwork: true}\n')
    (tmp_path / "broken.yaml").write_text("[")
    root = ET.fromstring(hops("check", tmp_path, "--format", "junit").stdout)  # noqa: S314 - our own
    suites = {Path(suite.get("name", "")).name: suite for suite in root}
    assert {name: (suite.get("failures"), suite.get("errors")) for name, suite in suites.items()} == {
        "broken.yaml": ("0", "1"),
        "healthy.yaml": ("0", "0"),
        "odd.yaml": ("2", "0"),
        "pod.yaml": ("1", "0"),
    }
    assert all(int(suite.get("tests", "")) == len(suite) >= 1 for suite in root)


def test_fix_shows_what_it_changes_and_changes_nothing_else(pod: Path) -> None:
    pod.chmod(0o640)
    result = hops("check", pod, "--fix", "--unsafe-fixes")
    assert pod.read_text() == POD.replace("      hostPort: 81\n", "")
    assert "-      hostPort: 81\n" in result.stdout
    assert result.stdout.index("---") < result.stdout.index("0 mandatory")
    assert result.exit_code == 0
    assert pod.stat().st_mode & 0o777 == 0o640
    again = hops("check", pod, "--fix", "--unsafe-fixes")
    assert "@@" not in again.stdout


def test_fix_writes_several_patches_into_several_files(tmp_path: Path) -> None:
    two = POD + "---\r\n" + POD.replace("web", "other").replace("\n", "\r\n")
    (tmp_path / "a.yaml").write_bytes(two.encode())
    (tmp_path / "b.json").write_text(json.dumps(yaml.safe_load(POD.replace("web", "third")), indent=2))
    result = hops("check", tmp_path, "--fix", "--unsafe-fixes", "--format", "json")
    assert json.loads(result.stdout) == []
    assert "hostPort" in result.stderr
    assert (tmp_path / "a.yaml").read_bytes().decode() == two.replace("      hostPort: 81\n", "").replace(
        "      hostPort: 81\r\n", ""
    )
    assert "hostPort" not in (tmp_path / "b.json").read_text()


def test_fix_takes_back_a_patch_that_mends_nothing_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abc":
        (tmp_path / f"{name}.yaml").write_text(POD.replace("web", name))
    idle = tmp_path / "b.yaml"

    def half(text: str, *patches: Patch) -> str:
        return f"{text}#\n" if patches[0].place.file == str(idle) else written(text, *patches)

    monkeypatch.setattr("hops.cli.check.written", half)
    result = hops("check", tmp_path, "--fix", "--rule", "HP01")
    assert result.exit_code == 1
    assert idle.read_text() == POD.replace("web", "b")
    assert ["hostPort" in (tmp_path / f"{name}.yaml").read_text() for name in "abc"] == [False, True, False]


def test_fix_leaves_what_it_can_not_write(tmp_path: Path) -> None:
    text = POD.replace("hostPort: 81", "<<: {hostPort: 81}")
    (tmp_path / "a.yaml").write_text(text)
    result = hops("check", tmp_path, "--fix", "--rule", "HP01")
    assert (tmp_path / "a.yaml").read_text() == text
    assert f"HP01 Pod/apps/web is not patched in {tmp_path / 'a.yaml'}: the value is behind an alias" in result.stderr
    assert result.exit_code == 1


def test_fix_judges_as_often_for_many_objects_as_for_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    judged = 0
    findings = CheckSession.findings

    def count(session: CheckSession, manifests: Manifests) -> list[Finding]:
        nonlocal judged
        judged += 1
        return findings(session, manifests)

    monkeypatch.setattr(CheckSession, "findings", count)
    path = tmp_path / "pods.yaml"
    times: list[int] = []
    for number in (8, 64):
        judged = 0
        path.write_text("---\n".join(POD.replace("web", f"web-{index}") for index in range(number)))
        assert hops("check", path, "--fix", "--unsafe-fixes").exit_code == 0
        assert "hostPort" not in path.read_text()
        times.append(judged)
    assert times[0] == times[1]


def test_fix_that_helps_nothing_comes_to_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hops.cli.check.written", lambda text, *_: f"{text}#\n")
    path = tmp_path / "pods.yaml"
    text = "---\n".join(POD.replace("web", f"web-{index}") for index in range(64))
    path.write_text(text)
    result = hops("check", path, "--fix", "--rule", "HP01")
    assert (result.exit_code, path.read_text()) == (1, text)
    assert "more patches of HP01 do not remove their findings, and are not tried" in result.stderr


def test_fix_refuses_where_a_file_changed_meanwhile(pod: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "another.yaml"
    other.write_text(POD.replace("web", "other"))

    def edited(text: str, *patches: Patch) -> str:
        pod.write_text("# somebody else's\n")
        return written(text, *patches)

    monkeypatch.setattr("hops.cli.check.written", edited)
    result = hops("check", other, pod, "--fix", "--unsafe-fixes")
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (
        2,
        f"hops: {pod} was changed since it was read; run the command again",
    )
    assert pod.read_text() == "# somebody else's\n"
    assert other.read_text() == POD.replace("web", "other")


@pytest.mark.parametrize(
    ("kept", "reason"),
    [
        ("read-only", "is read-only; make it writable with `chmod u+w "),
        ("hard link", "is one of 2 names of a file (hard links), and the others would keep the old content; "),
        ("pipe", "is no regular file, and what was read from it is gone; copy it into a file first"),
    ],
)
def test_fix_writes_nothing_if_it_may_not_replace_one_of_the_files(
    pod: Path, tmp_path: Path, kept: str, reason: str
) -> None:
    other = tmp_path / "another.yaml"
    text = POD.replace("web", "other")
    other.write_text(text)
    if kept == "read-only":
        other.chmod(0o444)
    elif kept == "hard link":
        (tmp_path / "second.name").hardlink_to(other)
    else:
        other.unlink()
        os.mkfifo(other)
        Thread(target=other.write_text, args=(text,), daemon=True).start()
    result = hops("check", pod, other, "--fix", "--unsafe-fixes")
    assert result.exit_code == 2
    assert result.stderr.startswith(f"hops: {other} {reason}")
    assert result.stderr.endswith("; nothing was written\n")
    assert pod.read_text() == POD
    assert kept == "pipe" or other.read_text() == text
    shown = hops("check", pod, "--diff", "--unsafe-fixes")
    assert "-      hostPort: 81" in shown.stdout


def test_findings_are_in_the_order_of_files_and_lines_and_the_summary_is_last(tmp_path: Path) -> None:
    ingress = (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: apps, labels: {a: 1}}\nspec: {hostNetwork: true}\n"
    )
    (tmp_path / "b.yaml").write_text(f"{POD}---\n{ingress}")
    (tmp_path / "a.yaml").write_text(f"{ingress}---\n{POD.replace('web', 'x')}")
    words = (tmp_path / "b.yaml", tmp_path / "a.yaml", tmp_path / "no.yaml")
    result = hops("check", *words)
    places = [line.split(": ")[0].rpartition(":") for line in result.stdout.splitlines() if not line.startswith(" ")]
    found = [(Path(name).name, int(number)) for name, _, number in places if name]
    assert len(found) > 3
    first = [number for name, number in found if name == "b.yaml"]
    assert first == sorted(first)
    assert [name for name, _ in found] == sorted((name for name, _ in found), reverse=True)
    assert result.output.splitlines()[-2].endswith("no.yaml: No such file or directory")
    assert result.output.splitlines()[-1].startswith(result.stdout.splitlines()[-1])
    listed = [Path(finding["file"]).name for finding in json.loads(hops("check", *words, "--format", "json").stdout)]
    assert listed == sorted(listed, reverse=True)


def test_an_empty_controller_is_refused(pod: Path) -> None:
    for empty in ("", " "):
        result = hops("check", pod, "--controller", empty)
        assert (result.exit_code, result.stderr) == (
            2,
            "hops: --controller is empty; pass the ingress class that the controller handles, such as contour\n",
        )


def test_a_list_of_objects_is_no_document_of_kubectl(tmp_path: Path) -> None:
    path = tmp_path / "list.yaml"
    path.write_text("- {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n")
    result = hops("check", path)
    assert (result.exit_code, "1: the document is a list of objects, and kubectl takes one" in result.stderr) == (
        2,
        True,
    )
    path.write_text("- {op: remove, path: /spec/replicas}\n")
    assert hops("check", path).exit_code == 0


def test_the_catalogue_and_its_pages() -> None:
    assert [rule["code"] for rule in json.loads(hops("rules", "--format", "json").stdout)] == list(RULES)
    assert all(code in hops("rules").stdout for code in RULES)
    assert hops("explain", "hp01").stdout == pages()["HP01.md"]
    assert hops("explain", "HP99").exit_code == 2


def test_the_committed_pages_are_those_of_the_rules(tmp_path: Path) -> None:
    folder = PROJECT / "docs" / "rules"
    there = {path.name: path.read_text() for path in folder.iterdir()}
    assert there == pages(), "stale: run hops rules --write docs/rules"
    (tmp_path / "HP99.md").write_text("# HP99: A rule that is gone\n")
    (tmp_path / "HP01.md").write_text("stale")
    own = {"notes.md": "somebody's notes", "HP98.md": "somebody's notes on a rule"}
    for name, text in own.items():
        (tmp_path / name).write_text(text)
    assert hops("rules", "--write", tmp_path).exit_code == 0
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == pages() | own
    assert hops("rules", "--write", tmp_path / "HP01.md").exit_code == 2


KIND = """\
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
name: {name}
nodes:
- extraPortMappings: [{{containerPort: 80, hostPort: {port}, listenAddress: 127.0.0.1}}]
"""
RIVALS = ("--rule", "XS01", "--rule", "XS02", "--rule", "XS03")


@pytest.fixture
def stacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with the stacks alice and bob, on a machine without tools."""
    (tmp_path / "Pulumi.yaml").touch()
    (tmp_path / "stacks").mkdir()
    for name, port in (("alice", 8090), ("bob", 8091)):
        cluster = f"{{name: {name}, httpPort: {port}, httpsPort: null}}"
        text = f"config: {{ingress-hops:cluster: {cluster}, ingress-hops:services: [{{host: {name}.localhost}}]}}"
        (tmp_path / "stacks" / f"Pulumi.{name}.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "/nowhere")
    return tmp_path


def test_the_files_of_a_stack_are_held_against_what_others_hold(stacks: Path) -> None:
    (stacks / "kind.yaml").write_text(KIND.format(name="alice", port=8090))
    assert codes(found("kind.yaml", *RIVALS)) == []
    assert codes(found("kind.yaml", *RIVALS, "--stack", "alice")) == []
    said = {f["code"]: f["message"] for f in found("kind.yaml", *RIVALS, "--stack", "bob")}
    assert said == {
        "XS01": "127.0.0.1:8090/TCP is already used by the stack alice.",
        "XS03": "cluster name alice is already used by the stack alice.",
    }
    mended = hops("check", "kind.yaml", *RIVALS, "--stack", "bob", "--fix")
    assert mended.exit_code == 0
    assert "hostPort: 8091" in (stacks / "kind.yaml").read_text()


def test_what_docker_publishes_is_held_too(stacks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ports = {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8092"}], "53/udp": [{"HostIp": "", "HostPort": "8093"}]}
    bindings = {"Binds": None, "PortBindings": ports}
    state = {"Running": True, "Status": "running"}
    shown = [{"Name": "/registry", "Config": {"Labels": None}, "HostConfig": bindings, "State": state}]
    (stacks / "bin").mkdir()
    (stacks / "bin" / "docker").write_text(
        "#!/bin/sh\n"
        'case $1 in info) echo \'{"OSType": "linux"}\' ;; ps) echo 1 ;; '
        f"inspect) echo '{json.dumps(shown)}' ;; esac\n"
    )
    (stacks / "bin" / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{stacks / 'bin'}")
    for port, expected in (
        (8092, ["127.0.0.1:8092/TCP is already used by the container registry."]),
        (8093, []),
        (8094, []),
    ):
        (stacks / "kind.yaml").write_text(KIND.format(name="bob", port=port))
        assert [f["message"] for f in found("kind.yaml", *RIVALS, "--stack", "bob")] == expected


def test_a_stack_says_what_is_asked_of_the_rules(stacks: Path) -> None:
    (stacks / "pod.yaml").write_text(POD)
    file = stacks / "stacks" / "Pulumi.alice.yaml"
    file.write_text("config: {ingress-hops:policy: {rules: {HP01: {level: advisory}}}}")
    assert [f["level"] for f in found("pod.yaml", "--rule", "HP01", "--stack", "alice")] == ["advisory"]
    assert [f["level"] for f in found("pod.yaml", "--rule", "HP01", "--stack", "bob")] == ["mandatory"]
    file.write_text("config: {ingress-hops:cluster: 1}")
    wrong = hops("check", "pod.yaml", "--stack", "alice")
    assert (wrong.exit_code, "Pulumi.alice.yaml: ingress-hops:cluster" in wrong.stderr) == (2, True)
    # Another's mistake is reported and stops nobody.
    reported = hops("check", "pod.yaml", "--stack", "bob")
    assert (reported.exit_code, "the ports and names of the stack alice are unknown" in reported.stderr) == (1, True)
    wrong = hops("check", "pod.yaml", "--stack", "alcie")
    assert (wrong.exit_code, wrong.stderr) == (
        2,
        (
            "hops: there is no stack alcie; did you mean alice? The stacks here are: alice, bob. "
            "Make one with: .venv/bin/hops stack new alcie\n"
        ),
    )


FLOW_SCHEMA = "apiVersion: flowcontrol.apiserver.k8s.io/{}\nkind: FlowSchema\nmetadata: {{name: a}}\n"


def test_the_version_of_kubernetes_is_chosen(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(FLOW_SCHEMA.format("v1beta2"))
    assert codes(found(file, "--kubernetes", "1.28")) == []
    assert codes(found(file, "--kubernetes", "1.34")) == ["AP01"]
    file.write_text(FLOW_SCHEMA.format("v1"))
    assert codes(found(file, "--kubernetes", "1.28")) == ["AP01"]
    assert codes(found(file)) == []


def test_an_unknown_version_of_kubernetes_is_an_error_that_names_the_known_ones(pod: Path) -> None:
    result = hops("check", pod, "--kubernetes", "1.9")
    assert result.exit_code == 2
    assert "--kubernetes 1.9: the known versions are 1.25, " in result.stderr
    assert "1.34" in result.stderr


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        # The boolean is quoted, so the other rule reads the annotation.
        (
            (
                "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\n  namespace: apps\n  annotations:\n"
                "    example.com/checked: false  # by hand\nspec: {type: ExternalName, externalName: a.example}\n"
            ),
            ("checked: false ", "checked: 'false' "),
        ),
        (
            (
                "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\nnodes:\n- role: control-plane\n"
                "  extraPortMapping:  # HTTP\n  - {containerPort: 80, hostPort: 8080, listenAddress: 127.0.0.1}\n"
            ),
            ("extraPortMapping:", "extraPortMappings:"),
        ),
        ("apiVersion: kind.x-k8s.io/v1alpha4\nname: dev\n", ("name: dev\n", "name: dev\nkind: Cluster\n")),
        (
            (
                "apiVersion: policy/v1beta1\nkind: PodDisruptionBudget\nmetadata: {name: web, namespace: apps}\n"
                "spec: {minAvailable: 1}\n"
            ),
            ("policy/v1beta1", "policy/v1"),
        ),
    ],
)
def test_fix_corrects_what_the_api_server_or_kind_refuses(tmp_path: Path, text: str, mended: tuple[str, str]) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(text)
    result = hops("check", file, "--fix")
    assert result.exit_code == 0, result.stdout
    assert file.read_text() == text.replace(*mended)


def test_fix_reports_the_refusal_that_it_cannot_correct(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    text = (
        "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: apps, labels: {version: 1.10}}\nspec: {type: "
    )
    file.write_text(text + "ExternalName, externalName: a.example}\n")
    result = hops("check", file, "--fix")
    assert result.exit_code == 1
    assert "AP03 Service/apps/web: metadata.labels.version is the number 1.1" in result.stdout
    assert file.read_text().startswith(text)


@pytest.mark.parametrize("text", ["apiVersion: v2\nname: chart\nversion: 1.0.0\n", "name: a\nversion: 1\n", "a: b\n"])
def test_other_yaml_is_no_object(tmp_path: Path, text: str) -> None:
    (tmp_path / "Chart.yaml").write_text(text)
    assert found(tmp_path) == []


def test_a_helm_template_is_named_as_such(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text('metadata:\n  name: {{ include "web.fullname" . }}\n')
    (tmp_path / "b.yaml").write_text("{{- if .Values.on }}\na: 1\n{{- end }}\n")
    (tmp_path / "c.yaml").write_text("a: {b: {c}\n")
    said = hops("check", tmp_path).stderr.splitlines()
    assert ["helm template" in line for line in said] == [True, True, False]


OTHER_POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: apps, labels: {app: web}}\n"
LONELY = """\
apiVersion: v1
kind: Service
metadata: {name: web, namespace: apps}
spec: {selector: {app: web}, ports: [{port: 80}]}
"""
UNREADABLE = "apiVersion: v1\nkind: {{ .Values.kind }}\n"


def test_a_kind_that_is_no_string_is_not_skipped(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("apiVersion: v1\nkind: [a]\nmetadata: x\n")
    (tmp_path / "b.yaml").write_text("apiVersion: v2\nname: chart\n")
    assert codes(found(tmp_path, "--rule", "AP01")) == ["AP01"]


def test_a_file_that_was_not_read_proves_no_absence(tmp_path: Path) -> None:
    (tmp_path / "service.yaml").write_text(LONELY)
    (tmp_path / "ingress.yaml").write_text(RULES["IN01"].bad)
    absent = ("--rule", "SV01", "--rule", "IN01", "--rule", "EX05")
    assert {*codes(found(tmp_path, *absent))} >= {"SV01", "IN01"}
    (tmp_path / "template.yaml").write_text(UNREADABLE)
    assert found(tmp_path, *absent) == []
    assert hops("check", tmp_path).exit_code == 2
    # What is there is judged as before.
    (tmp_path / "pod.yaml").write_text(POD)
    assert codes(found(tmp_path, "--rule", "HP01")) == ["HP01"]


@pytest.mark.parametrize("entry", ["../base", "https://github.com/a/b//c?ref=v1", "missing.yaml"])
def test_nothing_follows_from_what_a_kustomization_names_elsewhere(tmp_path: Path, entry: str) -> None:
    for name in ("base", "overlay"):
        (tmp_path / name).mkdir()
    (tmp_path / "base" / "kustomization.yaml").write_text("resources: [app.yaml]\n")
    (tmp_path / "base" / "app.yaml").write_text(OTHER_POD)
    (tmp_path / "overlay" / "service.yaml").write_text(LONELY)
    kustomization = tmp_path / "overlay" / "kustomization.yaml"
    kustomization.write_text(f"resources: [service.yaml, '{entry}']\n")
    done = hops("check", "--no-render", tmp_path / "overlay")
    assert done.exit_code == 2
    assert f"{kustomization}: {entry} is not among the files; render the folder" in done.stderr
    assert "SV01" not in done.stdout
    kustomization.write_text("resources: [service.yaml]\n")
    done = hops("check", "--no-render", tmp_path / "overlay")
    assert "SV01" in done.stdout
    assert "not among the files" not in done.stderr


def test_patches_of_a_kustomization_are_no_objects(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "overlay").mkdir()
    (tmp_path / "base" / "kustomization.yaml").write_text("resources: [app.yaml]\n")
    (tmp_path / "base" / "app.yaml").write_text(LONELY + "---\n" + OTHER_POD)
    kustomization = tmp_path / "overlay" / "kustomization.yaml"
    patch = tmp_path / "overlay" / "service.yaml"
    patch.write_text("apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: apps, labels: {a: b}}\n")
    head = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [../base]\n"
    for patches in (
        "patches: [{path: service.yaml}]",
        "patchesStrategicMerge: [service.yaml]",
        "patchesJson6902: [{path: service.yaml, target: {kind: Service}}]",
    ):
        kustomization.write_text(head + patches + "\n")
        assert found(tmp_path, "--rule", "SV01", "--rule", "PK02", "--rule", "PK05") == []
        assert f"{patch}: left out: {kustomization}" in hops("check", "--no-render", tmp_path).stderr
    kustomization.write_text(head)
    # The Service without a selector is what the second declaration causes.
    assert codes(found(tmp_path, "--rule", "SV01", "--rule", "PK05")) == ["PK05"]
    assert codes(found(tmp_path, "--rule", "SV01")) == ["SV01"]
    # Flux's object of this kind is one of the API server.
    kustomization.write_text("apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: a}\n")
    assert codes(found(kustomization)) == ["PK02"]


USES = """apiVersion: v1
kind: Pod
metadata: {name: web, namespace: apps, labels: {app: web}}
spec:
  containers:
  - name: web
    image: web:1
    ports: [{containerPort: 80, hostPort: 80}]
    envFrom: [{configMapRef: {name: settings}}, {secretRef: {name: keys}}]
"""


def test_what_a_kustomization_generates_is_there(tmp_path: Path) -> None:
    (tmp_path / "pod.yaml").write_text(USES)
    kustomization = tmp_path / "kustomization.yaml"
    absent = ("--no-render", "--rule", "RP04", "--rule", "PK02", "--rule", "PK05", "--rule", "AP01", "--rule", "AP02")
    kustomization.write_text("resources: [pod.yaml]\n")
    assert codes(found(tmp_path, *absent)) == ["RP04", "RP04"]
    generators = (
        "configMapGenerator: [{name: settings, literals: [a=b]}]\nsecretGenerator: [{name: keys, envs: [.env]}]\n"
    )
    for head in ("", "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n", "kind: Kustomization\n"):
        kustomization.write_text(head + "metadata: {name: any}\nresources: [pod.yaml]\n" + generators)
        assert found(tmp_path, *absent) == []
    kustomization.write_text("resources: [pod.yaml]\n" + generators.replace("settings", "others"))
    assert codes(found(tmp_path, *absent)) == ["RP04"]


PROGRAM = """#!/bin/sh
printf '%s ' "$(basename "$0")" "$@" >> {log}
cat {output}
"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Puts programs on PATH that print a text, and returns the file in which they log their arguments."""
    bin_, log, output = tmp_path / "bin", tmp_path / "log", tmp_path / "output"
    bin_.mkdir()
    log.write_text("")
    monkeypatch.setenv("PATH", f"{bin_}:/bin:/usr/bin")

    def put(text: str, *names: str) -> Path:
        output.write_text(text)
        for name in names:
            (bin_ / name).write_text(PROGRAM.format(log=log, output=output))
            (bin_ / name).chmod(0o755)
        return log

    return put


def test_a_kustomize_folder_is_rendered(tmp_path: Path, programs: Callable[..., Path]) -> None:
    log = programs(POD, "kustomize", "kubectl")
    for folder, text in (("base", "resources: [app.yaml]\n"), ("overlay", "resources: [../base]\nnamespace: base\n")):
        (tmp_path / "in" / folder).mkdir(parents=True)
        (tmp_path / "in" / folder / "kustomization.yaml").write_text(text)
    (tmp_path / "in" / "base" / "app.yaml").write_text(LONELY)
    root = tmp_path / "in" / "overlay" / "kustomization.yaml"
    (finding,) = found(tmp_path / "in", "--rule", "HP01", "--rule", "SV01")
    assert (finding["code"], finding["file"]) == ("HP01", str(root))
    assert log.read_text() == f"kustomize build {root.parent} "
    result = hops("check", tmp_path / "in", "--rule", "HP01", "--fix")
    assert f"{root}: rendered with `kustomize build`" in result.stderr
    assert "--fix can patch" not in result.stdout
    assert root.read_text() == "resources: [../base]\nnamespace: base\n"
    (tmp_path / "bin" / "kustomize").unlink()
    log.write_text("")
    assert codes(found(tmp_path / "in", "--rule", "HP01")) == ["HP01"]
    assert log.read_text() == f"kubectl kustomize {root.parent} "
    assert codes(found(tmp_path / "in", "--no-render", "--rule", "HP01", "--rule", "SV01")) == ["SV01"]


@pytest.mark.parametrize("program", ["exit 3", "echo 'error: no such base' >&2; exit 1", "echo 'a: ['"])
def test_a_folder_that_cannot_be_rendered_proves_no_absence(
    tmp_path: Path, programs: Callable[..., Path], program: str
) -> None:
    programs("", "kustomize")
    (tmp_path / "bin" / "kustomize").write_text(f"#!/bin/sh\n{program}\n")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "kustomization.yaml").write_text("resources: [app.yaml, https://example.com/base]\n")
    (tmp_path / "in" / "app.yaml").write_text(LONELY + "---\n" + RULES["AP04"].bad)
    assert codes(found(tmp_path / "in", "--rule", "SV01", "--rule", "AP04")) == ["AP04"]
    result = hops("check", tmp_path / "in")
    assert result.exit_code == 2
    assert "the folder cannot be rendered: " in result.stderr
    if "no such base" in program:
        assert "rendered: no such base" in result.stderr


def test_a_chart_is_rendered_or_named_once(tmp_path: Path, programs: Callable[..., Path]) -> None:
    log = programs(POD, "helm")
    chart = tmp_path / "in" / "My_chart"
    for folder in ("templates", "charts/sub/templates"):
        (chart / folder).mkdir(parents=True)
        (chart / folder / "pod.yaml").write_text(UNREADABLE)
        (chart / folder / "plain.yaml").write_text(LONELY)
        (chart / folder).parent.joinpath("Chart.yaml").write_text("apiVersion: v2\nname: web\nversion: 0.1.0\n")
    (chart / "values.yaml").write_text("kind: Pod\n")
    assert codes(found(tmp_path / "in", "--rule", "HP01", "--rule", "SV01")) == ["HP01"]
    assert log.read_text() == f"helm template my-chart {chart} --include-crds "
    (tmp_path / "bin" / "helm").unlink()
    result = hops("check", tmp_path / "in")
    assert result.exit_code == 2
    (said,) = result.stderr.splitlines()
    assert said.startswith(f"hops: {chart}: this is a Helm chart, and helm is not on PATH")


def test_folders_that_declare_the_same_object_are_alternatives(tmp_path: Path) -> None:
    def put(folder: str, text: str) -> None:
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "all.yaml").write_text(text)

    for name in ("dev", "prod"):
        put(f"{name}/web", LONELY)
        put(f"{name}/pods", OTHER_POD + f"spec: {{containers: [{{name: web, image: {name}}}]}}\n")
    put("common", RULES["AP04"].bad.replace("name: web", "name: other"))
    put("prod/web", LONELY.replace("app: web", "app: none"))
    chosen = ("--rule", "PK05", "--rule", "SV01", "--rule", "AP04")
    listed = found(tmp_path, *chosen)
    assert codes(listed) == ["AP04", "SV01"]
    assert listed[1]["file"] == str(tmp_path / "prod" / "web" / "all.yaml")
    said = hops("check", tmp_path).stderr
    assert "judged separately, because they declare the same objects: " in said
    assert "common" not in said
    together = codes(found(tmp_path, *chosen, "--together"))
    assert together.count("PK05") == 2
    assert "judged apart" not in hops("check", tmp_path, "--together").stderr
    # The same object twice in one folder is a mistake.
    (tmp_path / "dev" / "web" / "again.yaml").write_text(LONELY.replace("app: web", "app: none"))
    assert "PK05" in codes(found(tmp_path, *chosen))


def test_the_same_sentence_is_printed_once(tmp_path: Path) -> None:
    (tmp_path / "pods.yaml").write_text("\n---\n".join(POD.replace("name: web,", f"name: web-{n},") for n in range(3)))
    said = hops("check", tmp_path, "--rule", "HP01").stdout.splitlines()
    assert len(said) == 3
    assert said[1] == f"  also: {tmp_path}/pods.yaml:26 Pod/apps/web-1, {tmp_path}/pods.yaml:40 Pod/apps/web-2"
    assert said[2].startswith("3 mandatory")


def test_the_controller_of_the_command_decides_about_classes(tmp_path: Path) -> None:
    ingress = tmp_path / "ingress.yaml"
    ingress.write_text(RULES["IN09"].bad.partition("---")[0])
    assert found(ingress, "--rule", "IN09") == []
    assert codes(found(ingress, "--rule", "IN09", "--controller", "contour")) == ["IN09"]
    assert found(ingress, "--rule", "IN09", "--controller", "nginx") == []
    ingress.write_text(ingress.read_text().replace("ingressClassName: nginx", ""))
    assert found(ingress, "--rule", "IN09", "--controller", "contour") == []
    assert codes(found(ingress, "--rule", "IN09", "--controller", "nginx")) == ["IN09"]


NODE_PORT = """\
apiVersion: v1
kind: Service
metadata: {name: web, namespace: apps}
spec: {type: NodePort, selector: {app: web}, ports: [{port: 80, targetPort: 9090}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: apps, labels: {app: web}}
spec:
  automountServiceAccountToken: false
  containers: [{name: web, image: web, ports: [{containerPort: 8080}]}]
"""


def test_fix_applies_safe_patches_only(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(NODE_PORT)
    said = hops("check", file).stdout.splitlines()[-1]
    assert "--fix can patch 1; --fix --unsafe-fixes can patch" in said
    hops("check", file, "--fix")
    # SV02 makes the Service work; SV03 would close the NodePort, and EX04 is advice.
    assert file.read_text() == NODE_PORT.replace("targetPort: 9090", "targetPort: 8080")
    hops("check", file, "--fix", "--rule", "SV03")
    assert "type: ClusterIP" in file.read_text()
    assert "readOnlyRootFilesystem" not in file.read_text()
    file.write_text(NODE_PORT)
    hops("check", file, "--fix", "--unsafe-fixes")
    assert "type: ClusterIP" in file.read_text()


def test_diff_shows_and_writes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(NODE_PORT)
    shown = hops("check", file, "--diff")
    assert "+spec: {type: NodePort, selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}" in shown.stdout
    assert "SV02" in shown.stdout
    assert shown.exit_code == 1
    assert "ClusterIP" in hops("check", file, "--diff", "--unsafe-fixes").stdout
    assert "@@" in hops("check", "-", "--fix", "--diff", stdin=NODE_PORT).stdout
    assert file.read_text() == NODE_PORT
    assert hops("check", file, "--unsafe-fixes").exit_code == 2


def test_the_name_of_a_file_may_be_any(tmp_path: Path) -> None:
    """A name that is no UTF-8 has a URI, and a line break in a name begins no line of its own."""
    (tmp_path / os.fsdecode(b"\xff.yaml")).write_text(POD)
    (tmp_path / "new\nline.yaml").write_text(POD)
    report = json.loads(hops("check", tmp_path, "--together", "--format", "sarif").stdout)
    places = json.dumps(report["runs"][0]["results"])
    assert "%FF.yaml" in places
    assert "new%0Aline.yaml" in places
    assert not [line for line in hops("check", tmp_path).stdout.splitlines() if line.startswith("line.yaml")]
