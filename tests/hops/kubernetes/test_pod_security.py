"""The checks of the Pod Security Standards that depend on the version."""

from datetime import date

import pytest
import yaml

from hops.kubernetes.inventory import Inventory
from hops.kubernetes.pod_security import refusals
from hops.model.finding import Place

GOOD = """
allowPrivilegeEscalation: false, runAsNonRoot: true, capabilities: {drop: [ALL]}, seccompProfile: {type: RuntimeDefault}
""".strip()
ROOT = GOOD.replace("runAsNonRoot: true", "runAsNonRoot: false, runAsUser: 0")
UNMASKED = f"{GOOD}, procMount: Unmasked"
OWN_USERS = "hostUsers: false, "


def checks(level: str, minor: int, context: str = GOOD, pod: str = "", annotations: str = "{}") -> set[str]:
    """The names of the checks that refuse a pod with one container."""
    text = f"""
apiVersion: v1
kind: Pod
metadata: {{name: web, namespace: apps, annotations: {annotations}}}
spec: {{{pod} containers: [{{name: web, image: web, securityContext: {{{context}}}}}]}}
"""
    (pod_,) = Inventory([(yaml.safe_load(text), Place("pod.yaml", 0))], today=date(2026, 6, 1)).pods
    return {why.what.rpartition("(")[2].rstrip(")") for why in refusals(level, pod_, minor)}


@pytest.mark.parametrize("minor", [25, 34, 35, 36])
def test_a_good_pod_is_admitted_by_each_version(minor: int) -> None:
    assert checks("restricted", minor) == checks("restricted", minor, pod=OWN_USERS) == set()


@pytest.mark.parametrize(("minor", "refused"), [(34, {"runAsNonRoot", "runAsUser"}), (35, set())])
def test_since_1_35_a_pod_with_its_own_users_may_be_root(minor: int, refused: set[str]) -> None:
    assert checks("restricted", minor, ROOT, OWN_USERS) == refused
    assert checks("restricted", minor, ROOT, "hostUsers: true, ") == {"runAsNonRoot", "runAsUser"}
    pod = OWN_USERS + "securityContext: {runAsNonRoot: false, runAsUser: 0},"
    assert checks("restricted", minor, pod=pod) == refused


@pytest.mark.parametrize(
    ("level", "minor", "pod", "refused"),
    [
        ("baseline", 34, OWN_USERS, {"procMount"}),
        ("baseline", 35, OWN_USERS, set()),
        ("baseline", 35, "", {"procMount"}),
        ("restricted", 35, OWN_USERS, {"procMount"}),
    ],
)
def test_since_1_35_baseline_lets_a_pod_with_its_own_users_unmask_proc(
    level: str, minor: int, pod: str, refused: set[str]
) -> None:
    assert checks(level, minor, UNMASKED, pod) == refused


@pytest.mark.parametrize(("minor", "refused"), [(30, {"seLinuxOptions"}), (31, set())])
def test_since_1_31_a_container_engine_has_its_type(minor: int, refused: set[str]) -> None:
    assert checks("baseline", minor, "seLinuxOptions: {type: container_engine_t}") == refused


@pytest.mark.parametrize(
    ("minor", "refused"),
    [
        (18, {"allowPrivilegeEscalation", "runAsNonRoot"}),
        (19, {"allowPrivilegeEscalation", "runAsNonRoot", "seccompProfile_restricted"}),
        (22, {"allowPrivilegeEscalation", "runAsNonRoot", "seccompProfile_restricted", "capabilities_restricted"}),
        (
            24,
            {
                *("allowPrivilegeEscalation", "runAsNonRoot", "seccompProfile_restricted"),
                *("capabilities_restricted", "runAsUser"),
            },
        ),
        (25, {"runAsNonRoot", "runAsUser"}),
    ],
)
def test_restricted_grew_with_the_versions(minor: int, refused: set[str]) -> None:
    assert checks("restricted", minor, "runAsUser: 0", "os: {name: windows},") == refused


@pytest.mark.parametrize(("value", "refused"), [("''", set()), ("unconfined", {"appArmorProfile"})])
def test_an_empty_apparmor_annotation_is_none(value: str, refused: set[str]) -> None:
    annotations = f"{{container.apparmor.security.beta.kubernetes.io/web: {value}}}"
    assert checks("baseline", 34, annotations=annotations) == refused
