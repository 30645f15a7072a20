"""What lies below the path: nodes' addresses, the way to the API, the machine's limits."""

import pytest

from hops.model.finding import Level
from tests.hops.trace.asked import codes, found
from tests.hops.trace.names import CLUSTER, CONTROL, CONTROL_IP, JSON, WORKER, WORKER_IP
from tests.hops.trace.objects import pod
from tests.hops.trace.observations import added, container, failed, healthy
from tests.hops.trace.observations import found as get


def _swapped() -> JSON:
    observation = healthy()
    for name, address in ((CONTROL, WORKER_IP), (WORKER, CONTROL_IP)):
        container(observation, name)["NetworkSettings"]["Networks"]["kind"]["IPAddress"] = address
    return observation


def test_nodes_that_swapped_their_addresses_are_reported_and_started_in_the_old_order() -> None:
    (finding,) = found(_swapped())
    assert (finding.code, finding.hop, finding.level) == ("T46", None, Level.ADVISORY)
    assert finding.remedy == "make up STACK=local"
    assert CONTROL_IP in finding.message
    broken = _swapped()
    failed(broken, "503", "client")
    assert [finding.level for finding in found(broken) if finding.code == "T46"] == [Level.MANDATORY]


def test_nodes_of_no_stack_are_started_in_the_order_of_their_old_addresses() -> None:
    observation = _swapped()
    observation["stack"] = None
    (finding,) = [finding for finding in found(observation) if finding.code == "T46"]
    assert finding.remedy == f"docker stop {WORKER} {CONTROL} && docker start {WORKER} {CONTROL}"


def test_the_kubelets_tell_the_old_addresses_where_no_api_answers() -> None:
    observation = _swapped()
    observation["cluster"] = None
    for node, address in zip(observation["nodes"], (CONTROL_IP, WORKER_IP), strict=True):
        assert node["name"] in (CONTROL, WORKER)
        node["kubelet_address"] = address if node["name"] == CONTROL else WORKER_IP
    assert codes(observation) == ["T46"]


def test_a_kubelet_that_its_image_configured_anew_is_where_docker_has_it() -> None:
    """The API follows a moment later."""
    observation = _swapped()
    for node in observation["nodes"]:
        node["kubelet_address"] = WORKER_IP if node["name"] == CONTROL else CONTROL_IP
    assert codes(observation) == []


def test_the_stack_s_outputs_tell_the_old_address_where_no_api_answers() -> None:
    observation = _swapped()
    observation["cluster"] = None
    assert codes(observation) == ["T47"]
    observation["stack"]["outputs"]["hops"] = [
        {"name": "host-port", "address": WORKER_IP, "service": "apps/my-service"}
    ]
    assert codes(observation) == ["T46"]
    observation = healthy()
    observation["cluster"] = None
    observation["stack"]["outputs"]["hops"] = [
        {"name": "host-port", "address": WORKER_IP, "service": "apps/my-service"}
    ]
    assert codes(observation) == ["T47"]


def test_a_stopped_node_has_no_address_to_compare() -> None:
    observation = healthy()
    container(observation, CONTROL)["State"] |= {"Running": False, "Status": "exited"}
    container(observation, CONTROL)["NetworkSettings"] = {"Ports": {}, "Networks": {"kind": {"IPAddress": ""}}}
    assert codes(observation) == []


def test_a_kubeconfig_of_another_cluster_is_reported_and_its_objects_are_not_judged() -> None:
    observation = healthy()
    for name in (CONTROL, WORKER):
        get(observation, "Node", name)["metadata"]["name"] = name.replace(CLUSTER, "elsewhere")
    observation["cluster"]["objects"] = [o for o in observation["cluster"]["objects"] if o["kind"] == "Node"]
    observation["stack"]["outputs"]["cluster"]["kubeconfig"] = "/home/me/kubeconfig/local"
    (finding,) = found(observation)
    assert (finding.code, finding.hop, finding.level) == ("T47", None, Level.ADVISORY)
    assert finding.remedy == (
        'eval "$(make -s env STACK=local)" && '
        f"kind export kubeconfig --name {CLUSTER} --kubeconfig /home/me/kubeconfig/local"
    )


def test_an_api_that_does_not_answer_is_reported_where_its_control_plane_runs() -> None:
    observation = healthy()
    observation["cluster"] = None
    observation["unseen"] = {"cluster": "connection to https://127.0.0.1:39871 refused"}
    (finding,) = found(observation)
    assert (finding.code, finding.remedy) == ("T47", f"docker restart {CONTROL}")
    assert "127.0.0.1:39871 refused" in finding.evidence
    observation["unseen"] = {"cluster": "connection to https://192.0.2.1:6443 refused"}
    (finding,) = found(observation)
    assert finding.remedy == f'eval "$(make -s env STACK=local)" && kind export kubeconfig --name {CLUSTER}'


@pytest.mark.parametrize(
    ("stack", "why", "remedy"),
    [
        (
            True,
            "the API refuses the client certificate of /k/local-1.yaml, which expired on 2026-11-01",
            "make up STACK=local",
        ),
        (
            False,
            "the API refuses the client certificate of /k/local-1.yaml, which expired on 2026-11-01",
            f"docker exec {CONTROL} kubeadm certs renew admin.conf && kind export kubeconfig --name {CLUSTER}",
        ),
        (
            True,
            "https://127.0.0.1:39871 does not answer: certificate verify failed: certificate has expired (_ssl.c:1016)",
            f"docker exec {CONTROL} kubeadm certs renew all && docker restart {CONTROL}",
        ),
    ],
)
def test_an_expired_certificate_has_a_remedy_of_its_own(stack: bool, why: str, remedy: str) -> None:  # noqa: FBT001
    observation = healthy()
    observation["cluster"] = None
    observation["unseen"] = {"cluster": why}
    if not stack:
        observation["stack"] = None
    (finding,) = [one for one in found(observation) if one.code == "T47"]
    assert finding.remedy == remedy
    assert f"API: {why}" in finding.evidence


def test_a_certificate_that_is_not_yet_valid_is_a_matter_of_the_clock() -> None:
    observation = healthy()
    observation["cluster"] = None
    why = "certificate verify failed: certificate is not yet valid (_ssl.c:1016)"
    observation["unseen"] = {"cluster": f"https://127.0.0.1:39871 does not answer: {why}"}
    (finding,) = [one for one in found(observation) if one.code == "T47"]
    assert (finding.remedy, finding.look) == ("", "date")


@pytest.mark.parametrize("part", ["docker", "stopped", "existing"])
def test_an_api_that_nothing_is_known_of_is_only_unseen(part: str) -> None:
    observation = healthy()
    observation["cluster"] = None
    if part == "docker":
        observation["docker"] = None
    elif part == "stopped":
        container(observation, CONTROL)["State"] |= {"Running": False, "Status": "exited"}
    else:
        observation["docker"] = observation["cluster_name"] = None
        observation["stack"]["settings"]["cluster"]["existing"] = "their-context"
    assert codes(observation) == []


_LOG = "kube-system/kube-proxy-zz9/kube-proxy previous"


def _exhausted(line: str = 'E1124 "Unable to create file watcher" err="too many open files"') -> JSON:
    observation = healthy()
    crashing = pod("kube-proxy-zz9", "kube-system", WORKER_IP, {"k8s-app": "kube-proxy"}, containers={"kube-proxy": []})
    crashing["status"]["containerStatuses"][0] |= {
        "ready": False,
        "restartCount": 5,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
    }
    added(observation, crashing)
    observation["host"]["inotify"]["max_user_instances"] = 128
    observation["cluster"]["logs"] = {_LOG: f"I1124 starting\n{line}\n"}
    return observation


@pytest.mark.parametrize(
    "line",
    ["too many open files", "inotify_init: no space left on device", "failed: inotify limit reached"],
)
def test_a_limit_that_a_crashing_container_met_is_reported(line: str) -> None:
    (finding,) = found(_exhausted(line))
    assert (finding.code, finding.hop) == ("T49", None)
    assert "fs.inotify.max_user_instances is 128" in finding.message
    assert finding.remedy == "sudo sysctl fs.inotify.max_user_instances=384"


def test_a_limit_that_stops_the_request_is_mandatory_and_one_that_does_not_is_advice() -> None:
    observation = _exhausted()
    assert [str(finding.level) for finding in found(observation)] == ["advisory"]
    failed(observation, "503", "client", "node", "envoy")
    assert [str(finding.level) for finding in found(observation)] == ["mandatory"]


def test_a_limit_alone_or_a_log_alone_is_nothing() -> None:
    high = _exhausted()
    high["host"]["inotify"]["max_user_instances"] = 512
    assert codes(high) == []
    quiet = _exhausted("starting the inotify watcher")
    assert codes(quiet) == []
    unseen = _exhausted()
    unseen["host"]["inotify"] = {}
    assert codes(unseen) == []
    unknown = _exhausted()
    unknown["cluster"]["logs"] = {"kube-system/kube-proxy-gone/kube-proxy": "too many open files"}
    assert codes(unknown) == []
    well = _exhausted()
    status = get(well, "Pod", "kube-proxy-zz9")["status"]["containerStatuses"][0]
    status |= {"ready": True, "state": {"running": {}}}
    assert codes(well) == []
