"""What lies below the path: nodes' addresses, the way to the API, the machine's limits."""

import pytest

from hops.model.finding import Level
from tests.hops.trace.asked import codes, found
from tests.hops.trace.names import CLUSTER, CONTROL, CONTROL_IP, JSON, WORKER, WORKER_IP
from tests.hops.trace.objects import pod
from tests.hops.trace.observations import added, container, failed, healthy
from tests.hops.trace.observations import found as get


def _swapped() -> JSON:
    sight = healthy()
    for name, address in ((CONTROL, WORKER_IP), (WORKER, CONTROL_IP)):
        container(sight, name)["NetworkSettings"]["Networks"]["kind"]["IPAddress"] = address
    return sight


def test_nodes_that_swapped_their_addresses_are_told_and_started_in_the_old_order() -> None:
    (finding,) = found(_swapped())
    assert (finding.code, finding.hop, finding.level) == ("T46", None, Level.ADVISORY)
    assert finding.remedy == "make up STACK=local"
    assert CONTROL_IP in finding.message
    broken = _swapped()
    failed(broken, "503", "client")
    assert [finding.level for finding in found(broken) if finding.code == "T46"] == [Level.MANDATORY]


def test_nodes_of_no_stack_are_started_in_the_order_of_their_old_addresses() -> None:
    sight = _swapped()
    sight["stack"] = None
    (finding,) = [finding for finding in found(sight) if finding.code == "T46"]
    assert finding.remedy == f"docker stop {WORKER} {CONTROL} && docker start {WORKER} {CONTROL}"


def test_the_kubelets_tell_the_old_addresses_where_no_api_answers() -> None:
    sight = _swapped()
    sight["cluster"] = None
    for node, address in zip(sight["nodes"], (CONTROL_IP, WORKER_IP), strict=True):
        assert node["name"] in (CONTROL, WORKER)
        node["kubelet_address"] = address if node["name"] == CONTROL else WORKER_IP
    assert codes(sight) == ["T46"]


def test_a_kubelet_that_its_image_configured_anew_is_where_docker_has_it() -> None:
    """The API follows a moment later."""
    sight = _swapped()
    for node in sight["nodes"]:
        node["kubelet_address"] = WORKER_IP if node["name"] == CONTROL else CONTROL_IP
    assert codes(sight) == []


def test_the_stack_s_outputs_tell_the_old_address_where_no_api_answers() -> None:
    sight = _swapped()
    sight["cluster"] = None
    assert codes(sight) == ["T47"]
    sight["stack"]["outputs"]["hops"] = [{"name": "host-port", "address": WORKER_IP, "service": "apps/my-service"}]
    assert codes(sight) == ["T46"]
    sight = healthy()
    sight["cluster"] = None
    sight["stack"]["outputs"]["hops"] = [{"name": "host-port", "address": WORKER_IP, "service": "apps/my-service"}]
    assert codes(sight) == ["T47"]


def test_a_stopped_node_has_no_address_to_compare() -> None:
    sight = healthy()
    container(sight, CONTROL)["State"] |= {"Running": False, "Status": "exited"}
    container(sight, CONTROL)["NetworkSettings"] = {"Ports": {}, "Networks": {"kind": {"IPAddress": ""}}}
    assert codes(sight) == []


def test_a_kubeconfig_of_another_cluster_is_told_and_its_objects_are_not_judged() -> None:
    sight = healthy()
    for name in (CONTROL, WORKER):
        get(sight, "Node", name)["metadata"]["name"] = name.replace(CLUSTER, "elsewhere")
    sight["cluster"]["objects"] = [o for o in sight["cluster"]["objects"] if o["kind"] == "Node"]
    sight["stack"]["outputs"]["cluster"]["kubeconfig"] = "/home/me/kubeconfig/local"
    (finding,) = found(sight)
    assert (finding.code, finding.hop, finding.level) == ("T47", None, Level.ADVISORY)
    assert finding.remedy == (
        'eval "$(make -s env STACK=local)" && '
        f"kind export kubeconfig --name {CLUSTER} --kubeconfig /home/me/kubeconfig/local"
    )


def test_an_api_that_does_not_answer_is_told_where_its_control_plane_runs() -> None:
    sight = healthy()
    sight["cluster"] = None
    sight["unseen"] = {"cluster": "connection to https://127.0.0.1:39871 refused"}
    (finding,) = found(sight)
    assert (finding.code, finding.remedy) == ("T47", f"docker restart {CONTROL}")
    assert "127.0.0.1:39871 refused" in finding.evidence
    sight["unseen"] = {"cluster": "connection to https://192.0.2.1:6443 refused"}
    (finding,) = found(sight)
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
    sight = healthy()
    sight["cluster"] = None
    sight["unseen"] = {"cluster": why}
    if not stack:
        sight["stack"] = None
    (finding,) = [one for one in found(sight) if one.code == "T47"]
    assert finding.remedy == remedy
    assert f"API: {why}" in finding.evidence


@pytest.mark.parametrize("part", ["docker", "stopped", "existing"])
def test_an_api_that_nothing_is_known_of_is_only_unseen(part: str) -> None:
    sight = healthy()
    sight["cluster"] = None
    if part == "docker":
        sight["docker"] = None
    elif part == "stopped":
        container(sight, CONTROL)["State"] |= {"Running": False, "Status": "exited"}
    else:
        sight["docker"] = sight["cluster_name"] = None
        sight["stack"]["settings"]["cluster"]["existing"] = "their-context"
    assert codes(sight) == []


_LOG = "kube-system/kube-proxy-zz9/kube-proxy previous"


def _exhausted(line: str = 'E1124 "Unable to create file watcher" err="too many open files"') -> JSON:
    sight = healthy()
    crashing = pod("kube-proxy-zz9", "kube-system", WORKER_IP, {"k8s-app": "kube-proxy"}, containers={"kube-proxy": []})
    crashing["status"]["containerStatuses"][0] |= {
        "ready": False,
        "restartCount": 5,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
    }
    added(sight, crashing)
    sight["host"]["inotify"]["max_user_instances"] = 128
    sight["cluster"]["logs"] = {_LOG: f"I1124 starting\n{line}\n"}
    return sight


@pytest.mark.parametrize(
    "line",
    ["too many open files", "inotify_init: no space left on device", "failed: inotify limit reached"],
)
def test_a_limit_that_a_crashing_container_met_is_told(line: str) -> None:
    (finding,) = found(_exhausted(line))
    assert (finding.code, finding.hop) == ("T49", None)
    assert "fs.inotify.max_user_instances is 128" in finding.message
    assert finding.remedy == "sudo sysctl fs.inotify.max_user_instances=384"


def test_a_limit_that_stops_the_request_is_mandatory_and_one_that_does_not_is_advice() -> None:
    sight = _exhausted()
    assert [str(finding.level) for finding in found(sight)] == ["advisory"]
    failed(sight, "503", "client", "node", "envoy")
    assert [str(finding.level) for finding in found(sight)] == ["mandatory"]


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
