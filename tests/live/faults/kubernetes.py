"""A kind cluster's API, and objects that are away or otherwise for a while."""

import copy
import json
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

MISSING_IMAGE = "registry.invalid/missing:1"

Object = dict[str, Any]
Condition = Callable[[], bool]


class StuckError(AssertionError):
    """Something that had to happen did not."""


def until(what: str, condition: Condition, seconds: float = 90) -> None:
    """Waits for a condition; one that cannot be asked yet does not hold."""
    deadline, failure = time.monotonic() + seconds, ""
    while time.monotonic() < deadline:
        try:
            if condition():
                return
            failure = ""
        except (AssertionError, LookupError) as error:
            failure = f": {error!r}"
        time.sleep(0.1)
    raise StuckError(f"{what}: not within {seconds} s{failure}")


def bare(item: Mapping[str, Any]) -> Object:
    """An object as it could be made again: without what the cluster wrote into it."""
    kept = copy.deepcopy({key: value for key, value in item.items() if key != "status"})
    for key in ("uid", "resourceVersion", "creationTimestamp", "managedFields", "generation", "ownerReferences"):
        kept["metadata"].pop(key, None)
    annotations = kept["metadata"].get("annotations", {})
    given = {key: value for key, value in annotations.items() if not key.startswith("cni.projectcalico.org/")}
    kept["metadata"]["annotations"] = given
    if kept["kind"] == "Pod":
        kept["spec"].pop("nodeName", None)
    return kept


def ready(pod: Mapping[str, Any]) -> bool:
    conditions = {c["type"]: c["status"] for c in pod.get("status", {}).get("conditions", [])}
    return "deletionTimestamp" not in pod["metadata"] and conditions.get("Ready") == "True"


def waiting(pods: Iterable[Mapping[str, Any]]) -> set[str]:
    """Why containers wait."""
    return {
        status["state"]["waiting"].get("reason", "")
        for pod in pods
        for status in pod["status"].get("containerStatuses", [])
        if "waiting" in status["state"]
    }


def nowhere(daemon_set: Object) -> None:
    """Leaves no node to a DaemonSet."""
    daemon_set["spec"]["template"]["spec"]["nodeSelector"] = {"faults": "nowhere"}


class Kubernetes:
    """The API of a kind cluster, through its control plane's own kubectl."""

    def __init__(self, cluster: str) -> None:
        self.cluster = cluster

    def kubectl(self, *words: str, stdin: str = "") -> str:
        admin = ["kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf", "--request-timeout", "20s"]
        command = ["docker", "exec", "--interactive", f"{self.cluster}-control-plane", *admin, *words]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"kubectl {' '.join(words)}: {done.stderr[-2000:]}"
        return done.stdout

    def get(self, kind: str, name: str, namespace: str) -> Object:
        item: Object = json.loads(self.kubectl("get", kind, name, "--namespace", namespace, "--output", "json"))
        return item

    def list(self, kind: str, namespace: str, selector: str = "") -> list[Object]:
        words = ["get", kind, "--namespace", namespace, "--selector", selector, "--output", "json"]
        items: list[Object] = json.loads(self.kubectl(*words))["items"]
        return items

    def apply(self, verb: str, *items: Mapping[str, Any]) -> None:
        """verb: create or replace."""
        self.kubectl(verb, "--filename", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))

    def delete(self, kind: str, name: str, namespace: str, *, wait: bool = True) -> None:
        """A pod with the shortest grace that the kubelet still ends by itself."""
        how = ["--ignore-not-found", "--timeout=120s" if wait else "--wait=false"]
        how += ["--grace-period=1"] if kind == "pod" else []
        self.kubectl("delete", kind, name, "--namespace", namespace, *how)

    @contextmanager
    def created(self, *items: Mapping[str, Any]) -> Iterator[None]:
        """Objects that are there for a while."""
        self.apply("create", *items)
        try:
            yield
        finally:
            for item in reversed(items):
                self.delete(_kind(item), item["metadata"]["name"], item["metadata"].get("namespace", "default"))

    @contextmanager
    def deleted(self, kind: str, name: str, namespace: str) -> Iterator[None]:
        """An object that is away for a while."""
        saved = bare(self.get(kind, name, namespace))
        self.delete(kind, name, namespace)
        try:
            yield
        finally:
            self.apply("create", saved)

    @contextmanager
    def changed(self, kind: str, name: str, namespace: str, change: Callable[[Object], object]) -> Iterator[None]:
        """An object that is another for a while."""
        saved = bare(self.get(kind, name, namespace))
        other = copy.deepcopy(saved)
        change(other)
        assert other != saved, "the change changes nothing"
        self.apply("replace", other)
        try:
            yield
        finally:
            self.apply("replace", saved)

    def settled(self) -> bool:
        """Whether every pod that should run is ready, and as many run as their controllers want."""
        kinds = "pods,daemonsets,deployments"
        items = json.loads(self.kubectl("get", kinds, "--all-namespaces", "--output", "json"))["items"]
        return all(_settled(item) for item in items)


def _kind(item: Mapping[str, Any]) -> str:
    """As kubectl tells a kind from another of the same name."""
    group = item["apiVersion"].rpartition("/")[0]
    return ".".join([item["kind"].lower(), group]) if group else item["kind"].lower()


def _settled(item: Mapping[str, Any]) -> bool:
    status = item.get("status", {})
    if item["kind"] == "Pod":
        return status.get("phase") == "Succeeded" or ready(item)
    if status.get("observedGeneration") != item["metadata"]["generation"]:
        return False
    if item["kind"] == "DaemonSet":
        desired = status["desiredNumberScheduled"]
        return bool(desired and status["numberReady"] == status.get("updatedNumberScheduled") == desired)
    desired = item["spec"]["replicas"]
    return bool(status.get("readyReplicas", 0) == status.get("updatedReplicas", 0) == desired)
