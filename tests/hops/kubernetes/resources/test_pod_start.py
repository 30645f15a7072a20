"""How far a pod has come, how long it is waited for, and what is said of one that never serves."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from hops.kubernetes.resources.pod_start import (
    LOG_LINES,
    SECONDS_AT_MOST,
    SECONDS_FAILING,
    SECONDS_RUNNING,
    Patience,
    PodStart,
    ServicePod,
    migration_failed,
    not_ready,
    pod_start,
    unanswered,
)


def pod(phase: str, state: dict[str, Any] | None = None, *, ready: bool = False, **more: Any) -> dict[str, Any]:
    containers = [] if state is None else [{"state": state, "restartCount": 0, **more}]
    conditions = [{"type": "Ready", "status": str(ready)}]
    return {"status": {"phase": phase, "conditions": conditions, "containerStatuses": containers}}


def waiting(reason: str, **more: Any) -> dict[str, Any]:
    return pod("Pending", {"waiting": {"reason": reason, "message": "why"}}, **more)


ENDED = {"terminated": {"exitCode": 3, "reason": "Error"}}
STATES: list[tuple[str, Any, tuple[bool, bool, bool]]] = [
    ("ready", pod("Running", {"running": {}}, ready=True), (True, False, False)),
    ("running", pod("Running", {"running": {}}), (False, False, False)),
    ("before its startup probe", pod("Running", {"running": {}}, started=False), (False, True, False)),
    ("after its startup probe", pod("Running", {"running": {}}, started=True), (False, False, False)),
    (
        "killed by its startup probe",
        pod("Running", {"running": {}}, started=False, restartCount=1),
        (False, False, True),
    ),
    ("accepted", pod("Pending"), (False, True, False)),
    ("creating", waiting("ContainerCreating"), (False, True, False)),
    ("missing", None, (False, False, False)),
    ("no image", waiting("ImagePullBackOff"), (False, False, True)),
    ("no configuration", waiting("CreateContainerConfigError"), (False, False, True)),
    ("ended", pod("Running", ENDED), (False, False, True)),
    ("crash loop", pod("Running", {"waiting": {"reason": "CrashLoopBackOff"}}, restartCount=2), (False, False, True)),
    ("between two crashes", pod("Running", {"running": {}}, restartCount=2), (False, False, True)),
    ("restarted once, ready", pod("Running", {"running": {}}, ready=True, restartCount=2), (True, False, False)),
    (
        "nowhere to run",
        {"status": {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "X"}]}},
        (False, False, True),
    ),
]


@pytest.mark.parametrize(("body", "expected"), [s[1:] for s in STATES], ids=[s[0] for s in STATES])
def test_how_far_a_pod_has_come(body: Any, expected: tuple[bool, bool, bool]) -> None:
    start = pod_start(body)
    assert (start.ready, start.starting, start.failing) == expected


def test_what_a_process_ended_by_is_read() -> None:
    start = pod_start(
        pod("Running", {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}}, lastState=ENDED)
    )
    assert (start.reason, start.message, start.exit_code) == ("CrashLoopBackOff", "back-off", 3)


@pytest.mark.parametrize("body", [{}, {"status": None}, {"status": {"containerStatuses": [None], "conditions": 1}}, []])
def test_a_body_of_another_form_is_no_error(body: Any) -> None:
    assert not pod_start(body).ready


READY, RUNNING = PodStart("Running", ready=True), PodStart("Running")
STARTING, FAILING = PodStart("Pending"), PodStart("Pending", reason="ImagePullBackOff")


def spent_at(*steps: tuple[float, Sequence[PodStart]]) -> list[float]:
    patience = Patience(0)
    return [now for now, pods in steps if patience.spent(now, pods)]


def test_pods_that_run_have_their_time_from_when_they_run() -> None:
    late = SECONDS_RUNNING + 50
    assert spent_at((0, [STARTING]), (50, [RUNNING]), (late - 1, [RUNNING]), (late, [RUNNING])) == [late]
    assert spent_at((0, [READY]), (SECONDS_RUNNING, [READY])) == [SECONDS_RUNNING], "a route can fail too"


def test_a_failing_pod_has_less_and_a_recovered_one_starts_again() -> None:
    assert spent_at((0, [FAILING]), (SECONDS_FAILING - 1, [FAILING]), (SECONDS_FAILING, [FAILING])) == [SECONDS_FAILING]
    assert spent_at((0, [READY, FAILING]), (SECONDS_FAILING, [READY, FAILING])) == [SECONDS_FAILING]
    assert spent_at((0, [FAILING]), (10, [RUNNING]), (SECONDS_FAILING, [FAILING])) == []


def test_a_starting_pod_is_waited_for_to_the_bound() -> None:
    assert spent_at((0, [STARTING]), (SECONDS_AT_MOST - 1, [STARTING]), (SECONDS_AT_MOST, [STARTING])) == [
        SECONDS_AT_MOST
    ]


def of(start: PodStart, log: Sequence[str] = ()) -> ServicePod:
    return ServicePod("services[1]", "apps/web", "web:1", ["serve", "-x"], 8080, start, log, "team")


REMEDIES = [
    (PodStart("missing"), "The pod does not exist"),
    (FAILING, "kind load docker-image web:1 --name team"),
    (PodStart("Pending", reason="InvalidImageName"), "correct services[1].image"),
    (PodStart("Running", reason="CrashLoopBackOff", exit_code=128), "no such command: correct services[1].command"),
    (
        PodStart("Running", reason="X", message='exec: "serve": executable file not found in $PATH'),
        "no such command: correct services[1].command, which is: serve -x",
    ),
    (PodStart("Running", reason="CrashLoopBackOff", exit_code=1), "does not stay up: correct services[1].command"),
    (PodStart("Pending", reason="Unschedulable"), "lower services[1].replicas"),
    (STARTING, "still being started"),
    (RUNNING, "does not listen on port 8080"),
    (PodStart("Running", unprobed=True), "correct services[1].probes.startup"),
    (PodStart("Running", unprobed=True, restarts=1), "correct services[1].probes.startup"),
]


@pytest.mark.parametrize(("start", "remedy"), REMEDIES)
def test_what_to_change_follows_from_the_state(start: PodStart, remedy: str) -> None:
    assert remedy in unanswered("services[1]", "web", "http://web.localhost/", [of(start)]).splitlines()[-1]


def test_a_probe_of_its_own_that_fails_is_what_to_correct() -> None:
    said = not_ready("services[1]", "web", [replace(of(RUNNING), probed=True)])
    assert "its readiness probe fails: correct services[1].probes.readiness" in said


def test_the_message_of_the_api_server_says_why_there_is_no_pod() -> None:
    said = not_ready("services[1]", "web", [of(PodStart("missing", reason="FailedCreate", message="too many pods"))])
    assert "too many pods\n  The API server refuses the pod" in said


def test_an_unanswered_route_is_reported_with_key_state_and_log() -> None:
    start = PodStart("Running", reason="CrashLoopBackOff", message="back-off\n  5m", exit_code=1, restarts=4)
    said = unanswered("services[1]", "web", "http://web.localhost/", [of(start, [f"line\t{n}" for n in range(20)])])
    first, state, message, *log, _ = said.splitlines()
    assert first == "ingress-hops:services[1] (web): no pod answered http://web.localhost/"
    assert state == "pod apps/web: Running, CrashLoopBackOff, exit code 1, 4 restarts"
    assert message == "  back-off 5m"
    assert log == [f"  log: line {n}" for n in range(20 - LOG_LINES, 20)]


def test_a_route_whose_pods_are_ready_is_the_traces_business() -> None:
    assert unanswered("services[0]", "web", "http://web/", []).endswith("hops trace shows where.")


def test_a_replica_that_is_not_ready_is_reported() -> None:
    assert not_ready("services[1]", "web", [of(RUNNING)]).splitlines()[:2] == [
        "ingress-hops:services[1] (web): not all pods are ready",
        "pod apps/web: Running, not ready",
    ]


def test_a_container_without_a_command_of_its_own_runs_that_of_the_image() -> None:
    start = PodStart("Running", reason="CrashLoopBackOff", restarts=3, exit_code=1)
    pod = ServicePod("services[1]", "apps/web", "web:1", [], 8080, start, (), "team")
    assert "correct services[1].command, which is: that of the image" in not_ready("services[1]", "web", [pod])


def test_a_failed_migration_is_reported_with_its_log_and_key() -> None:
    said = migration_failed(
        "services[1]", "api", "apps/api-m", PodStart("Failed", reason="Error", exit_code=2), ["no\x1bdb"]
    )
    assert said.splitlines() == [
        "ingress-hops:services[1] (api): its migration did not succeed, so its pods stay as they were",
        "pod apps/api-m: Failed, Error, exit code 2",
        "  log: no db",
        "  Correct services[1].migration.command, or what it needs; the next up runs it again",
    ]
