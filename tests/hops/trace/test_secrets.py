"""A hundred and more secrets, planted wherever an observation holds what others wrote, and found in no output."""

import json
from base64 import b64encode
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hops.cli.app import app
from hops.trace.observed.observation import Observation
from hops.trace.observed.redact import redacted
from tests.hops.trace.observations import healthy

RUN = "Zq7Rk2Lm9Xc4Vb8Nt3Hy6Jw1"
"""What makes each secret recognizable; it is random by its look."""


class Planted:
    """Makes secrets that differ by a number, and remembers them."""

    def __init__(self) -> None:
        self.all: list[str] = []
        self._numbers = count(1000)

    def plain(self) -> str:
        """One without any form: known by its place only."""
        return self._kept(f"hunter{next(self._numbers)}")

    def of_form(self) -> Iterator[str]:
        """One of each form that is known wherever it stands."""
        number = next(self._numbers)
        pem = f"{RUN}{number}"
        for text, secret in (
            (f"ghp_{RUN}{number}abcdef", None),
            (f"gho_{RUN}{number}abcdef", None),
            (f"github_pat_{RUN}{number}abcdef", None),
            (f"glpat-{RUN}{number}", None),
            (f"dckr_pat_{RUN}{number}", None),
            (f"xoxb-{number}-{RUN}", None),
            (f"https://hooks.slack.com/services/T{number}/B{number}/{RUN}", RUN),
            (f"AKIA{'Q7RK2LM9XC4V'}{number}", None),
            (f"AIza{RUN}{number}abcdefg", None),
            (f"sk_live_{RUN}{number}", None),
            (f"sk-proj-{RUN}{number}", None),
            (f"npm_{RUN}{number}", None),
            (f"pypi-{RUN}{number}", None),
            (f"dop_v1_{RUN}{number}", None),
            (f"hvs.{RUN}{number}", None),
            (f"SG.{RUN}{number}.{RUN}{number}", None),
            (f"AGE-SECRET-KEY-1{RUN.upper()}{number}", None),
            (f"$2b$10${RUN}{RUN}{number}a", None),
            (f"eyJhbGciOiJIUzI1NiJ9.eyJ{number}9.{RUN}", RUN),
            (f"postgres://user:pw{number}@db.example/x", f"pw{number}"),
            (f"https://tok{number}@git.example/x", f"tok{number}"),
            (f"-----BEGIN RSA PRIVATE KEY-----\n{pem}\n-----END RSA PRIVATE KEY-----", pem),
            (b64encode(f"-----BEGIN PRIVATE KEY-----\n{pem}".encode()).decode(), None),
        ):
            self._kept(secret or text)
            yield text

    def sentences(self) -> Iterator[str]:
        """Words of programs, each with a secret."""
        for form in (
            "password={}",
            "DB_PASSWORD: {}",
            '{{"password": "{}"}}',
            '{{\\"token\\": \\"{}\\"}}',
            "token = '{} and more'",
            "Authorization: Bearer {}",
            "authorization: Basic {}",
            "Cookie: session={}",
            "set-cookie: id={}",
            "GET /?access_token={}&x=1",
            "export AWS_SECRET_ACCESS_KEY={}",
            "AccountKey={};EndpointSuffix=x",
            "curl --user me:{} http://x",
            "curl -u me:{} http://x",
            "mysql --password {} db",
            "client-key-data: {}",
            "X-Amz-Signature={}",
            "api-key: {}",
            "amqp://guest:{}@queue:5672",
        ):
            yield form.format(self.plain())
        yield f"it says {self._kept(f'{RUN}{next(self._numbers)}')} for no reason"

    def _kept(self, secret: str) -> str:
        self.all.append(secret)
        return secret


def planted() -> tuple[dict[str, Any], list[str]]:
    """An observation of a healthy path with secrets in it, and the secrets."""
    secrets = Planted()
    observation = healthy()
    cluster, (envoy, *_), docker = observation["cluster"], observation["envoys"], observation["docker"]
    applied = json.dumps({"spec": {"env": secrets.plain()}})
    for item in cluster["objects"]:
        item["metadata"]["annotations"] = {
            **item["metadata"].get("annotations", {}),
            "kubectl.kubernetes.io/last-applied-configuration": applied,
            "example.com/anything": secrets.plain(),
        }
        item["metadata"]["managedFields"] = [{"fieldsV1": secrets.plain()}]
    spec = next(o for o in cluster["objects"] if o["kind"] == "Pod" and o["metadata"]["namespace"] == "apps")["spec"]
    container = spec["containers"][0]
    container["env"] = [
        {"name": "ANY", "value": secrets.plain()},
        *({"name": "A", "value": s} for s in secrets.of_form()),
    ]
    container["envFrom"] = [{"prefix": secrets.plain()}]
    container["args"] = [*secrets.of_form(), *secrets.sentences(), "--token", secrets.plain(), f"--key={RUN}"]
    container["lifecycle"] = {"postStart": {"exec": {"command": [secrets.plain()]}}}
    container["readinessProbe"] = {"httpGet": {"port": 1, "httpHeaders": [{"name": "x", "value": secrets.plain()}]}}
    spec["volumes"] = [{"name": "v", "csi": {"volumeAttributes": {"x": secrets.plain()}}}]
    secrets.all.append(RUN)
    metadata = {"name": "x", "namespace": "apps"}
    cluster["objects"] += [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"x": secrets.plain()}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"x": secrets.plain()}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"x": secrets.plain()}},
        {"apiVersion": "x/v1", "kind": "Unknown", "metadata": metadata, "spec": {"x": secrets.plain()}},
        *(
            {"apiVersion": "v1", "kind": "Event", "metadata": metadata, "reason": "Failed", "message": message}
            for message in (*secrets.of_form(), *secrets.sentences())
        ),
    ]
    header = {"name": "x-api-token", "exact": secrets.plain()}
    route = {
        "conditions": [{"header": header}],
        "services": [{"name": "my-service", "port": 8080}],
        "requestHeadersPolicy": {"set": [{"name": "x", "value": secrets.plain()}]},
    }
    proxy = {"virtualhost": {"fqdn": "x.localhost"}, "routes": [route]}
    cluster["objects"].append(
        {"apiVersion": "projectcontour.io/v1", "kind": "HTTPProxy", "metadata": metadata, "spec": proxy}
    )
    lines = "\n".join([*secrets.of_form(), *secrets.sentences()])
    cluster["logs"] = {"projectcontour/contour-1/contour": lines, "apps/x/main": lines}
    cluster["server"] = f"https://admin:{secrets.plain()}@127.0.0.1:6443"
    envoy["routes"].append({"route_config": {"request_headers_to_add": [{"header": {"value": secrets.plain()}}]}})
    key = f"-----BEGIN PRIVATE KEY-----\n{secrets.plain()}\n-----END PRIVATE KEY-----"
    envoy.setdefault("certs", {})["certificates"] = [{"cert_chain": [], "private_key": {"inline_string": key}}]
    envoy.setdefault("server", {})["command_line_options"] = {"config_yaml": secrets.plain()}
    envoy["clusters"]["transport_socket"] = {"tls_certificates": [{"private_key": {"inline_bytes": secrets.plain()}}]}
    inspected = docker["containers"][0]
    inspected.setdefault("Config", {})["Env"] = [f"X={secrets.plain()}"]
    inspected["Config"].setdefault("Labels", {})["com.example.x"] = secrets.plain()
    inspected["Args"] = [secrets.plain()]
    inspected["HostConfig"]["Binds"] = [secrets.plain()]
    docker["info"] = {"HttpProxy": secrets.plain()}
    observation["nodes"][0]["cni"] = {"10-x.conf": json.dumps({"type": "calico", "kubernetes": {"k": secrets.plain()}})}
    observation["asked"]["headers"] = {"x-anything": secrets.plain(), "cookie": secrets.plain()}
    observation["asked"]["path"] = f"/?access_token={secrets.plain()}"
    observation["asked"]["expect"] = f"password={secrets.plain()}"
    answer = observation["requests"][0]
    answer["headers"] |= {
        "x-session": secrets.plain(),
        "set-cookie": secrets.plain(),
        "www-authenticate": secrets.plain(),
    }
    answer["headers"]["location"] = f"https://x/?token={secrets.plain()}"
    answer["body"] = f"token: {secrets.plain()}"
    answer["error"] = f"proxy http://u:{secrets.plain()}@p failed"
    observation["unseen"] = {"cluster: Event": f"forbidden, token={secrets.plain()}"}
    if observation["stack"]:
        hop = {"name": "x", "details": {"token": secrets.plain()}}
        observation["stack"]["outputs"] = {"kubeconfig": secrets.plain(), "hops": [hop], "anything": secrets.plain()}
        observation["stack"]["settings"]["services"][0]["command"] = ["x", f"--password={secrets.plain()}"]
    return observation, secrets.all


def test_no_planted_secret_is_in_any_output(tmp_path: Path) -> None:
    observation, secrets = planted()
    assert len(set(secrets)) > 100
    raw, bundle, page = tmp_path / "raw.json", tmp_path / "bundle.json", tmp_path / "page.html"
    raw.write_text(json.dumps(observation))
    assert [one for one in secrets if json.dumps(one)[1:-1] not in raw.read_text()] == []
    outputs: dict[str, str] = {}
    for form in ("text", "json", "junit"):
        words = ["trace", "--replay", str(raw), "--format", form, "--bundle", str(bundle), "--html", str(page)]
        result = CliRunner().invoke(app, words)
        assert result.exit_code in (0, 1), result.output
        outputs[form] = result.output
    outputs |= {path.name: path.read_text() for path in (bundle, page)}
    found = [
        (name, one) for name, text in outputs.items() for one in secrets if one in text or json.dumps(one)[1:-1] in text
    ]
    assert found == []
    assert [path.stat().st_mode & 0o777 for path in (bundle, page)] == [0o600, 0o600]


@pytest.mark.parametrize(
    "unit", ["eyJ-", "eyJaaaaa.", "-----BEGIN ", "token", "token ", 'token="', "aA1", "-u a", "://a:"]
)
def test_a_long_text_is_redacted_in_time_that_grows_with_it(unit: str) -> None:
    """Backtracking over a text of this size would take hours, and not fail."""
    observation = healthy()
    observation["cluster"]["logs"] = {"projectcontour/x/x": unit * 100_000}
    assert redacted(Observation.model_validate_json(json.dumps(observation)))
