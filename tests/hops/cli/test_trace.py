"""`hops trace`: what is asked of a look, and how its verdict is reported."""

import dataclasses
import json
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner, Result

from hops.cli import kubectl_plugin
from hops.cli import trace as module
from hops.cli.app import app
from hops.model.hop import Entrance, Entrypoint, LiveAddresses, PortMapping
from hops.model.plan import plan
from hops.model.settings.stack_config import settings
from hops.observe.local.authority import FOLDER, certificates
from hops.observe.look import Way
from hops.trace.observed.observation import FollowedRequest, Observation, SentRequest, TracedStack
from tests.hops.trace.checks.nodes.test_between_nodes import tunnelled
from tests.hops.trace.checks.pods.test_share import OTHER_IP, replicas
from tests.hops.trace.faults import envoy, redirected, secure
from tests.hops.trace.names import POD
from tests.hops.trace.observations import found, healthy, request


class Looked:
    """A look that gives what a test has put there, and keeps what it was asked."""

    def __init__(self) -> None:
        self.observation = healthy()
        self.asked: list[FollowedRequest] = []
        self.ways: list[Way] = []
        self.stacks: list[TracedStack | None] = []
        self.outputs: list[Mapping[str, Any]] = []

    def __call__(
        self,
        asked: FollowedRequest,
        way: Way,
        stack: TracedStack | None,
        outputs: Callable[[], Mapping[str, Any]] | None,
        *_: object,
    ) -> Observation:
        self.asked.append(asked)
        self.ways.append(way)
        self.stacks.append(stack)
        if outputs:
            self.outputs.append(outputs())
        return Observation.model_validate_json(json.dumps(self.observation))


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch, project: Path) -> Looked:
    monkeypatch.chdir(project)
    one = Looked()
    monkeypatch.setattr(module, "look", one)
    answers = iter([{"url": "first"}])
    monkeypatch.setattr(module, "outputs", lambda _project, _name: next(answers, {"url": "later"}))
    return one


def trace(*words: str) -> Result:
    return CliRunner().invoke(app, ["trace", *words])


def break_it(looked: Looked) -> None:
    """The application itself answers with 404."""
    for answer in looked.observation["requests"]:
        answer["status"] = 404


def test_the_table_has_a_line_for_the_way_between_nodes_below_the_endpoint(looked: Looked) -> None:
    looked.observation = tunnelled()
    (way,) = json.loads(trace("--format", "json").stdout)["betweenNodes"]
    text = trace().stdout
    table = text[text.index("\n6 ") : text.index("\n7 ")]
    assert re.search(r"^ +between nodes +\S+ -> +ok", table, re.MULTILINE), table
    assert set(way.split()) <= set(table.split())


@pytest.mark.usefixtures("looked")
def test_a_healthy_path() -> None:
    done = trace()
    assert done.exit_code == 0, done.output
    first, *rest = done.stdout.splitlines()
    assert first.startswith("all is well: GET http://my-service.localhost:8080/")
    assert "200 from a pod" in first
    assert max(len(line) for line in rest) <= 80
    for number, hop in enumerate(("name", "port-mapping", "host-port", "route", "service", "endpoint", "pod"), start=1):
        assert re.search(rf"^{number} +{hop} ", done.stdout, re.MULTILINE)
    assert "mend:" not in done.stdout
    assert re.search(r"^7 +pod +10\.\S+:8080 +ok ", done.stdout, re.MULTILINE), "the address stands once"
    assert re.search(r"^4 +route .*/ -> apps/my-service/8080 +ok ", done.stdout, re.MULTILINE), "without Envoy's hash"
    assert "\n->: leads to  dev: interface  beside: off the data path  found: as it was seen\n" in done.stdout
    everything = trace("--verbose").stdout
    assert "/ -> apps/my-service/8080/da39a3ee5e" in everything
    assert "  planned: what the stack's settings say  declared: what Docker and Kubernetes hold  found: " in everything
    assert re.search(r"^1 +name +planned: .*\n +declared: .*\n +found: ", everything, re.MULTILINE)


def test_the_request_is_the_stacks_own(looked: Looked) -> None:
    trace("seed")
    (asked,), (way,), (stack,) = looked.asked, looked.ways, looked.stacks
    assert (asked.host, asked.path, asked.port, asked.method) == ("my-service.local", "/etc/passwd", 80, "GET")
    assert stack
    assert stack.name == "seed"
    assert way.kubeconfig is None
    assert str(way.folder).endswith("/.ingress-hops/kubeconfig")


def test_another_request(looked: Looked, tmp_path: Path) -> None:
    (tmp_path / "headers").write_text("Authorization: Bearer hidden\n\nX-Team: a:b\n")
    words = ["--host", "other.example", "--path", "/a?b=c", "--port", "81", "--method", "post", "--from-node"]
    done = trace(*words, "--header", "Accept: text/html", "--header", f"@{tmp_path / 'headers'}", "--expect", "hello")
    (asked,) = looked.asked
    assert (asked.host, asked.path, asked.port, asked.method) == ("other.example", "/a?b=c", 81, "POST")
    assert asked.headers == {"Accept": "text/html", "Authorization": "Bearer hidden", "X-Team": "a:b"}
    assert (asked.expect, asked.from_node) == ("hello", True)
    assert "hidden" not in done.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--host", "http://web.example/"], "--host is 'http://web.example/'"),
        (["--host", "web.example:80"], "--host is 'web.example:80'"),
        (["--path", "etc"], "--path is 'etc'"),
        (["--path", "/a b"], "--path is '/a b'"),
        (["--path", "/a\r\nX: y"], "--path is "),
        (["--method", "GET /"], "--method is 'GET /'"),
        (["--header", "no colon"], "a header is NAME: VALUE on one line"),
        (["--header", "X: a\r\nY: b"], "a header is NAME: VALUE on one line"),
        (["--header", "@/nowhere/headers"], "--header @/nowhere/headers cannot be read: No such file"),
        (["nowhere"], "there is no stack nowhere. The stacks here are: ci, local, seed."),
        (["--kubeconfig", "k"], "needs --host too"),
        (["--replay", "/nowhere/bundle"], "--replay /nowhere/bundle cannot be read"),
        (["--watch", "--count", "1", "--format", "junit"], "--watch prints text or JSON"),
        (["--watch", "--method", "post"], "leave it out with post"),
        (["--watch", "--replay", "bundle"], "leave it out with --replay"),
        (["--bundle", "/nowhere/bundle"], "--bundle /nowhere/bundle cannot be written"),
    ],
)
def test_what_cannot_be_followed_is_refused(looked: Looked, words: list[str], said: str) -> None:
    done = trace(*words)
    assert done.exit_code == 2
    assert said in done.stderr
    assert looked.asked == [] or "--bundle" in words


def test_the_value_of_a_header_is_never_shown(looked: Looked) -> None:
    done = trace("--header", "Authorization Bearer hidden")
    assert (done.exit_code, looked.asked) == (2, [])
    assert "hidden" not in done.output


def test_outside_of_a_project_only_a_kubeconfig_helps(
    looked: Looked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = trace()
    assert done.exit_code == 2
    assert "there is no Pulumi.yaml" in done.stderr
    assert trace("--kubeconfig", "k", "--context", "c", "--host", "web.example").exit_code == 0
    assert looked.ways == [Way(Path("k"), "c")]
    assert looked.stacks == [None]
    assert (looked.asked[0].path, looked.asked[0].port) == ("/", 80)


def test_a_stack_on_an_existing_cluster_names_its_context(looked: Looked, tmp_path: Path, project: Path) -> None:
    (tmp_path / "stacks").mkdir()
    (tmp_path / "Pulumi.yaml").write_text((project / "Pulumi.yaml").read_text())
    config = "config:\n  ingress-hops:cluster:\n    existing: elsewhere\n    httpPort: 80\n"
    (tmp_path / "stacks" / "Pulumi.there.yaml").write_text(config)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        trace("there")
        trace("there", "--kubeconfig", "k")
    assert [(way.kubeconfig, way.context) for way in looked.ways] == [(None, "elsewhere"), (Path("k"), None)]


def test_the_port_of_a_contour_that_the_stack_found_is_the_published_one(
    looked: Looked, tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stacks").mkdir()
    (tmp_path / "Pulumi.yaml").write_text((project / "Pulumi.yaml").read_text())
    config = {"ingress-hops:cluster": {"existing": "elsewhere"}, "ingress-hops:contour": {"existing": "edge"}}
    file = tmp_path / "stacks" / "Pulumi.there.yaml"
    file.write_text(json.dumps({"config": config}))
    mappings = (PortMapping("http", 31080, 31080, 8080),)
    entrypoint = Entrypoint("192.0.2.2", "n2", mappings, Entrance.NODE_PORT)
    (path,) = plan(settings("there", {"cluster": {"existing": "elsewhere"}}), LiveAddresses(entrance=entrypoint)).paths
    hops = json.loads(json.dumps([dataclasses.asdict(hop) for hop in path.hops]))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, "outputs", lambda _project, _name: {"hops": hops})
    trace("there")
    trace("there", "--port", "81")
    config["ingress-hops:contour"] = {}
    file.write_text(json.dumps({"config": config}))
    trace("there")
    assert [asked.port for asked in looked.asked] == [31080, 81, 80]


def test_a_broken_path(looked: Looked) -> None:
    break_it(looked)
    done = trace()
    assert done.exit_code == 1
    first = done.stdout.splitlines()[0]
    assert re.match(r"hop 7 \(pod\) is broken: T43 Pod/apps/example-pod: ", first)
    assert re.search(r"^  look: .*logs example-pod", done.stdout, re.MULTILINE)
    assert max(len(line) for line in done.stdout.splitlines() if re.match(r"\d+ ", line)) <= 100


def test_a_setting_stands_before_the_command_that_mends_and_the_one_that_looks(looked: Looked) -> None:
    service = Observation.model_validate_json(json.dumps(looked.observation)).stack.settings.services[0]  # type: ignore[union-attr]
    container = found(looked.observation, "Pod", POD)["spec"]["containers"][0]
    container |= {"image": service.image, "command": list(service.command)}
    break_it(looked)
    steps = [line for line in trace().stdout.splitlines() if re.match(r"  (correct|mend|look): ", line)]
    assert steps == [
        "  correct: stacks/Pulumi.local.yaml: services[0].command",
        "  mend: make up STACK=local",
        f"  look: .venv/bin/hops kubectl local --namespace apps logs {POD} --tail 20",
    ]


def test_advice_is_reported_after_the_hops(looked: Looked) -> None:
    for where in ("client", "node", "envoy"):
        request(looked.observation, where)["headers"] = {"server": "envoy", "location": "https://elsewhere.example/"}
    done = trace()
    assert done.exit_code == 0
    assert re.match(r"all is well: .*; 1 advisory below\n", done.stdout)
    assert "\n  look: curl " in done.stdout
    assert "mend:" not in done.stdout
    assert "\nhop 4 (route), advisory: T51 Ingress/apps/my-service-ingress: Envoy answers " in done.stdout
    assert re.match(r"all is well: .*; 1 advisory\n", trace("--short").stdout), "nothing is below"


def test_advice_for_other_programs_than_curl_is_reported_if_asked(looked: Looked) -> None:
    looked.observation["host"]["resolver"] = {"family": 4, "addresses": [], "seconds": 0.01, "error": "not known"}
    done = trace()
    assert (done.exit_code, "T79" in done.stdout) == (0, False)
    assert "advisory" not in done.stdout
    assert "\nhop 1 (name), advisory: T79 " in trace("--verbose").stdout
    assert "T79" in trace("--format", "json").stdout


def test_of_several_pods_each_value_shows_the_first(looked: Looked) -> None:
    replicas(looked.observation)
    hosts = envoy(looked.observation)["clusters"]["cluster_statuses"][0]["host_statuses"]
    hosts.reverse()
    endpoint = next(hop for hop in json.loads(trace("--format", "json").stdout)["hops"] if hop["name"] == "endpoint")
    assert endpoint["found"] == endpoint["declared"]
    hosts[1]["health_status"] = {"eds_health_status": "UNHEALTHY"}
    endpoint = next(hop for hop in json.loads(trace("--format", "json").stdout)["hops"] if hop["name"] == "endpoint")
    assert OTHER_IP in json.dumps(endpoint["found"]), "the first is not dialled"


def test_what_was_not_seen_is_reported_last(looked: Looked) -> None:
    looked.observation["unseen"] = {"outputs": "pulumi is not on PATH"}
    assert trace().stdout.endswith("\nnot seen:\n  outputs: pulumi is not on PATH\n")


def test_json_and_junit(looked: Looked) -> None:
    plain = json.loads(trace("--format", "json").stdout)
    assert (plain["status"], plain["first"], len(plain["hops"])) == (0, None, 12)
    break_it(looked)
    done = trace("--format", "json")
    assert done.exit_code == json.loads(done.stdout)["status"] == 1
    assert json.loads(done.stdout)["first"] == 7
    done = trace("--format", "junit")
    assert done.exit_code == 1
    (failure,) = ET.fromstring(done.stdout).iter("failure")  # noqa: S314 - our own
    assert failure.get("type") == "T43"


def test_a_bundle_is_judged_again(looked: Looked, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.json"
    break_it(looked)
    looked.observation["cluster"]["objects"][0]["metadata"].setdefault("annotations", {})["x/password"] = "hidden"
    done = trace("--bundle", str(bundle), "--header", "Cookie: hidden")
    assert "hidden" not in bundle.read_text()
    again = trace("--replay", str(bundle))
    assert (again.exit_code, again.stdout) == (done.exit_code, done.stdout)
    assert len(looked.asked) == 1, "a replay looks at nothing"


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"taken": 1}', "\xff"])
def test_what_is_no_bundle_is_refused(looked: Looked, tmp_path: Path, text: str) -> None:
    (tmp_path / "bundle.json").write_text(text, encoding="latin-1")
    done = trace("--replay", str(tmp_path / "bundle.json"))
    assert done.exit_code == 2
    assert "is not a bundle of this version" in done.stderr
    assert looked.asked == []


def test_a_watch_counts_its_looks(looked: Looked) -> None:
    done = trace("--watch", "--count", "3", "--every", "0")
    assert done.exit_code == 0
    assert len(looked.asked) == 3
    assert looked.outputs == [{"url": "first"}] * 3, "pulumi is asked once"
    assert "look 3 at " in done.stdout
    assert "3 well, 0 not" in done.stdout


@pytest.mark.usefixtures("looked")
def test_a_watch_in_json_is_an_object_a_line() -> None:
    lines = trace("--watch", "--count", "2", "--every", "0", "--format", "json").stdout.splitlines()
    assert [json.loads(line)["status"] for line in lines] == [0, 0]


@pytest.mark.parametrize(
    ("answers", "asked"),
    [([200, 200, 503], 3), ([200, 404], 2), ([200] * 9, 5)],
    ids=["another status", "at once", "never"],
)
def test_a_watch_looks_again_when_the_answer_changes(
    looked: Looked, monkeypatch: pytest.MonkeyPatch, answers: list[int], asked: int
) -> None:
    """A second passes whenever the watch sleeps."""
    now = [0.0]
    sent: list[FollowedRequest] = []

    def ask(one: FollowedRequest, *_: object) -> list[SentRequest]:
        sent.append(one)
        return [SentRequest(where="client", address="127.0.0.1", port=one.port, status=answers[len(sent) - 1])]

    monkeypatch.setattr(module, "from_client", ask)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    trace("--watch", "--count", "2", "--every", "5")
    assert len(sent) == asked
    assert len(looked.asked) == 2


def test_a_watch_from_the_node_asks_nothing_in_between(looked: Looked, monkeypatch: pytest.MonkeyPatch) -> None:
    looked.observation["asked"]["from_node"] = True
    monkeypatch.setattr(module, "from_client", lambda *_: pytest.fail("nobody starts here"))
    trace("--watch", "--count", "2", "--every", "0.01", "--from-node")
    assert len(looked.asked) == 2


def test_a_watch_ends_with_an_interrupt_and_the_last_status(looked: Looked, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", interrupted)
    break_it(looked)
    done = trace("--watch")
    assert (done.exit_code, len(looked.asked)) == (1, 1)
    assert "0 well, 1 not" in done.stdout


def test_an_https_request_is_a_url(looked: Looked) -> None:
    looked.observation["stack"] = None
    trace("--kubeconfig", "k", "--url", "https://web.localhost/a?b=c", "--insecure", "--tls-max", "1.2", "--no-follow")
    trace("--kubeconfig", "k", "--url", "http://web.localhost:8081")
    first, second = looked.asked
    assert (first.url, first.insecure, first.tls_max, first.follow) == (
        "https://web.localhost:443/a?b=c",
        True,
        "1.2",
        False,
    )
    assert (second.url, second.insecure, second.tls_max, second.follow) == (
        "http://web.localhost:8081/",
        False,
        None,
        True,
    )


def test_https_of_a_stack_needs_its_port(looked: Looked) -> None:
    done = trace("--scheme", "https")
    assert done.exit_code == 2
    assert "the stack local publishes no https; set its cluster.httpsPort, or give --port" in done.stderr
    trace("--scheme", "https", "--port", "8443")
    assert (looked.asked[0].scheme, looked.asked[0].port) == ("https", 8443)
    trace("seed", "--scheme", "https")
    assert looked.asked[1].port == 443


def test_a_route_to_a_grpc_server_is_asked_by_a_call(
    looked: Looked, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stacks").mkdir()
    (tmp_path / "Pulumi.yaml").write_text((project / "Pulumi.yaml").read_text())
    config = {"config": {"ingress-hops:services": [{"name": "a", "routes": [{"protocol": "h2c"}]}, {"name": "b"}]}}
    (tmp_path / "stacks" / "Pulumi.there.yaml").write_text(json.dumps(config))
    monkeypatch.chdir(tmp_path)

    def asked(*words: str) -> tuple[str, bool, int]:
        trace("there", *words)
        last = looked.asked[-1]
        return last.method, last.grpc, len(last.headers)

    assert asked() == ("POST", True, 2)
    assert asked("--host", "b.localhost") == ("GET", False, 0)
    assert asked("--method", "PUT") == ("PUT", False, 0)
    assert asked("--header", "a: b") == ("GET", False, 1)


def test_a_route_with_tls_is_asked_over_https(
    looked: Looked, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stacks").mkdir()
    (tmp_path / "Pulumi.yaml").write_text((project / "Pulumi.yaml").read_text())
    services = [{"name": "own", "tls": True}, {"name": "given", "tls": "mine"}, {"name": "plain"}]
    config = {"config": {"ingress-hops:cluster": {"httpPort": 81, "httpsPort": 444}, "ingress-hops:services": services}}
    (tmp_path / "stacks" / "Pulumi.there.yaml").write_text(json.dumps(config))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(FOLDER, str(tmp_path / "ca"))

    def asked(*words: str) -> tuple[str, int, str | None, bool]:
        trace("there", *words)
        last = looked.asked[-1]
        return last.scheme, last.port, last.ca_file, last.insecure

    # Before the first up there is no authority.
    assert asked() == ("https", 444, None, False)
    certificates(tmp_path / "ca", ["own.localhost"], keep=True)
    authority = str(tmp_path / "ca" / "authority.pem")
    assert asked() == ("https", 444, authority, False)
    assert asked("--scheme", "https", "--port", "445") == ("https", 445, authority, False)
    assert asked("--insecure") == ("https", 444, authority, True)
    (tmp_path / "other.pem").write_text((tmp_path / "ca" / "authority.pem").read_text())
    assert asked("--cacert", "other.pem") == ("https", 444, str(tmp_path / "other.pem"), False)
    assert asked("--scheme", "http") == ("http", 81, None, False)
    assert asked("--port", "81") == ("http", 81, None, False)
    assert asked("--host", "given.localhost") == ("https", 444, None, True)
    assert asked("--host", "given.localhost", "--scheme", "https") == ("https", 444, None, False)
    assert asked("--host", "plain.localhost") == ("http", 81, None, False)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--url", "ftp://web.localhost/"), "--url is not of the form http[s]://HOST[:PORT]/PATH"),
        (("--url", "https://somebody:hidden@web.localhost/"), "--url is not of the form"),
        (("--url", "https://web.localhost:99999/"), "--url is not of the form"),
        (("--url", "https://web.localhost/", "--path", "/a"), "--url and --path both name the request"),
        (("--cacert", "missing.pem"), "--cacert missing.pem cannot be read"),
        (("--cacert", "stacks/Pulumi.local.yaml"), "holds no certificate in PEM"),
    ],
)
def test_a_wrong_option_of_https(looked: Looked, words: tuple[str, ...], said: str) -> None:
    done = trace(*words)
    assert done.exit_code == 2
    assert said in done.stderr
    assert "hidden" not in done.stderr
    assert looked.asked == []


@pytest.mark.parametrize(
    ("environment", "words", "file"),
    [
        ({}, [], "/home/somebody/.kube/config"),
        ({"KUBECONFIG": "/mine"}, [], "/mine"),
        ({"KUBECONFIG": "/mine"}, ["--kubeconfig=/other"], "/other"),
    ],
)
def test_the_plugin_of_kubectl(
    looked: Looked, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], words: list[str], file: str
) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", "/home/somebody")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.argv", ["kubectl-hops", *words, "--host", "web.localhost", "--context", "elsewhere"])
    looked.observation["stack"] = None
    with pytest.raises(SystemExit):
        kubectl_plugin.main()
    assert [(str(way.kubeconfig), way.context) for way in looked.ways] == [(file, "elsewhere")]
    assert (looked.asked[0].host, looked.stacks) == ("web.localhost", [None])


def test_both_requests_of_a_redirect_are_reported(looked: Looked, tmp_path: Path) -> None:
    redirected(looked.observation)
    looked.observation["then"] = secure(healthy())
    bundle = tmp_path / "bundle.json"
    done = trace("--bundle", str(bundle))
    assert done.exit_code == 0
    assert done.stdout.count("all is well: GET ") == 2
    assert "\nredirected to https://my-service.localhost:8443/\n" in done.stdout
    assert trace("--replay", str(bundle)).stdout == done.stdout
    assert "redirected to" in trace("--short").stdout
    lines = done.stdout.splitlines()
    assert [line for line in lines if line.startswith("  TLS at ")] == [
        f"  TLS at {where} for my-service.localhost: TLSv1.3 TLS_AES_256_GCM_SHA384, ALPN h2"
        for where in ("127.0.0.1:8443", "172.18.0.2:443", "10.244.81.67:8443")
    ]
    assert sum(line.startswith("  certificate 1: CN=my-service.localhost ") for line in lines) == 1
    assert "  the client trusts it" in lines
