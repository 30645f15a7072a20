"""What is reported of objects that somebody changed, and what is left alone."""

import copy
import json
from typing import Any

import pytest

from hops.observe.in_cluster.api import APIError
from hops.observe.in_cluster.drift import AHEAD, Drift, declared, drift, removal
from tests.hops.observe.conftest import Connect, Server

Object = dict[str, Any]
SERVICE: Object = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web", "namespace": "apps", "labels": {"app": "web"}},
    "spec": {"type": "ClusterIP", "selector": {"app": "web"}, "ports": [{"name": "http", "port": 80}]},
}
DEPLOYMENT: Object = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "apps"},
    "spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": "main", "image": "web:1"}]}}},
}
ACCOUNT: Object = {
    "apiVersion": "v1",
    "kind": "ServiceAccount",
    "metadata": {"name": "web", "namespace": "apps"},
    "automountServiceAccountToken": False,
}
SERVICE_FIELDS: Object = {
    "f:metadata": {"f:labels": {"f:app": {}}},
    "f:spec": {"f:type": {}, "f:selector": {}, "f:ports": {'k:{"port":80,"protocol":"TCP"}': {"f:port": {}}}},
}
DEPLOYMENT_FIELDS: Object = {
    "f:spec": {
        "f:replicas": {},
        "f:template": {"f:spec": {"f:containers": {'k:{"name":"main"}': {".": {}, "f:image": {}}}}},
    }
}
PATHS = {
    "Service": "/api/v1/services",
    "Deployment": "/apis/apps/v1/deployments",
    "ServiceAccount": "/api/v1/serviceaccounts",
    "Secret": "/api/v1/secrets",
}


def state(*objects: Object) -> Object:
    """As `pulumi stack export` prints it; each object has its name as uid."""
    return {
        "deployment": {
            "resources": [
                {"urn": "urn:stack", "type": "pulumi:pulumi:Stack", "outputs": {}},
                *(
                    {
                        "urn": f"urn:{each['kind']}",
                        "type": f"kubernetes:core/v1:{each['kind']}",
                        "inputs": each,
                        "outputs": {**each, "metadata": {**each["metadata"], "uid": each["metadata"]["name"]}},
                    }
                    for each in objects
                ),
            ]
        }
    }


def owns(manager: str, fields: Object, subresource: str = "") -> Object:
    return {"manager": manager, "operation": "Update", "fieldsV1": fields, "subresource": subresource}


class Cluster:
    """A cluster that holds one object as declared, until a test changes it."""

    def __init__(self, server: Server, of: Object, fields: Object) -> None:
        self.server, self.of = server, of
        self.live = copy.deepcopy(of)
        self.live["metadata"] |= {
            "uid": "web",
            "managedFields": [owns("pulumi-kubernetes-1a2b", copy.deepcopy(fields))],
        }

    def by(self, manager: str, fields: Object, subresource: str = "") -> None:
        self.live["metadata"]["managedFields"].append(owns(manager, fields, subresource))

    def reported(self, connect: Connect) -> list[Drift]:
        path, kind = PATHS[self.of["kind"]], self.of["kind"]
        self.server.has(path, "PartialObjectMetadata", {"metadata": self.live["metadata"]})
        group, _, plural = path.rpartition("/")
        self.server.answers[f"{group}/namespaces/apps/{plural}/web"] = (200, json.dumps(self.live))
        assert kind in PATHS
        return drift(connect(), declared(state(self.of)))


@pytest.fixture
def service(server: Server) -> Cluster:
    return Cluster(server, SERVICE, SERVICE_FIELDS)


@pytest.fixture
def deployment(server: Server) -> Cluster:
    return Cluster(server, DEPLOYMENT, DEPLOYMENT_FIELDS)


def test_what_is_as_declared_costs_one_request_for_its_kind(service: Cluster, connect: Connect) -> None:
    assert service.reported(connect) == []
    assert [path for path, _, _ in service.server.asked] == ["/api/v1/services"]
    assert "PartialObjectMetadataList" in service.server.asked[0][1]


def test_an_object_that_owns_nothing_but_its_name_is_as_declared(server: Server, connect: Connect) -> None:
    account = Cluster(server, ACCOUNT, {"f:automountServiceAccountToken": {}})
    assert account.reported(connect) == []
    assert len(server.asked) == 1


def test_what_controllers_and_the_status_own_is_no_drift(service: Cluster, connect: Connect) -> None:
    service.by("kube-controller-manager", {"f:metadata": {"f:annotations": {"f:seen": {}}}})
    service.by("kubectl-edit", {"f:status": {"f:loadBalancer": {}}}, "status")
    assert service.reported(connect) == []


def test_a_missing_object_is_gone_and_so_is_one_of_an_unknown_kind(server: Server, connect: Connect) -> None:
    server.has("/api/v1/services", "PartialObjectMetadata")
    reported = drift(connect(), declared(state(SERVICE, DEPLOYMENT)))
    assert [str(each) for each in reported] == ["Service apps/web is gone", "Deployment apps/web is gone"]
    assert all(each.repaired and not each.added for each in reported)


def test_an_object_of_the_same_name_is_another(service: Cluster, connect: Connect) -> None:
    service.live["metadata"]["uid"] = "another"
    (reported,) = service.reported(connect)
    assert str(reported) == "Service apps/web was deleted, and somebody created another of that name"


def test_an_object_that_goes_is_waited_for(service: Cluster, connect: Connect) -> None:
    service.live["metadata"]["deletionTimestamp"] = "2026-11-28T17:00:00Z"
    (reported,) = service.reported(connect)
    assert reported.going


def test_a_changed_field_is_named_with_who_changed_it(deployment: Cluster, connect: Connect) -> None:
    deployment.live["spec"]["replicas"] = 5
    deployment.live["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"].pop("f:replicas")
    deployment.by("kubectl-edit", {"f:spec": {"f:replicas": {}}})
    (reported,) = deployment.reported(connect)
    assert str(reported) == "Deployment apps/web has spec.replicas changed by kubectl-edit"
    assert (reported.repaired, reported.added) == (True, ())


def test_a_field_that_lost_its_owner_is_compared(deployment: Cluster, connect: Connect) -> None:
    """As after `kubectl scale --replicas=0`, which leaves no manager behind."""
    del deployment.live["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]["f:replicas"]
    assert deployment.reported(connect) == [], "it has the declared value again"
    deployment.live["spec"]["replicas"] = 0
    (reported,) = deployment.reported(connect)
    assert str(reported) == "Deployment apps/web has spec.replicas changed by somebody"


def test_a_removed_label_is_named_as_removed(service: Cluster, connect: Connect) -> None:
    """As after `kubectl label service web app-`; the API server keeps no empty map."""
    del service.live["metadata"]["managedFields"][0]["fieldsV1"]["f:metadata"]
    del service.live["metadata"]["labels"]
    (reported,) = service.reported(connect)
    assert str(reported) == "Service apps/web has metadata.labels.app removed by somebody"
    assert (reported.repaired, reported.added) == (True, ())


def test_an_entry_that_is_gone_from_a_list_is_named_by_its_key(server: Server, connect: Connect) -> None:
    """As after `kubectl patch --type json` with the operation remove."""
    ports = [{"name": "http", "port": 80}, {"name": "admin", "port": 81}]
    fields = copy.deepcopy(SERVICE_FIELDS)
    fields["f:spec"]["f:ports"]['k:{"port":81,"protocol":"TCP"}'] = {".": {}, "f:port": {}}
    service = Cluster(server, {**SERVICE, "spec": {**SERVICE["spec"], "ports": ports}}, fields)
    assert service.reported(connect) == []
    assert len(server.asked) == 1
    del service.live["spec"]["ports"][0]
    del service.live["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]["f:ports"]['k:{"port":80,"protocol":"TCP"}']
    (reported,) = service.reported(connect)
    assert str(reported) == "Service apps/web has spec.ports.[port=80] removed by somebody"
    assert (reported.repaired, reported.added) == (True, ())
    # Somebody else owns the entry, and it is as declared.
    service.live["spec"]["ports"] = ports
    service.by("kubectl-edit", {"f:spec": {"f:ports": {'k:{"port":80,"protocol":"TCP"}': {"f:port": {}}}}})
    assert service.reported(connect) == []


def test_a_field_within_a_list_is_found_by_its_key(deployment: Cluster, connect: Connect) -> None:
    image: Object = {"f:containers": {'k:{"name":"main"}': {"f:image": {}}}}
    deployment.by("kubectl-set", {"f:spec": {"f:template": {"f:spec": image}}})
    assert deployment.reported(connect) == []
    deployment.live["spec"]["template"]["spec"]["containers"][0]["image"] = "web:2"
    (reported,) = deployment.reported(connect)
    assert str(reported).endswith("has spec.template.spec.containers.[name=main].image changed by kubectl-set")


def test_another_value_than_kubectl_left_is_no_drift(service: Cluster, connect: Connect) -> None:
    """Somebody changed it and changed it back."""
    service.by("kubectl-patch", {"f:spec": {"f:selector": {}}})
    assert service.reported(connect) == []


def test_added_fields_are_removed_by_a_patch(service: Cluster, connect: Connect) -> None:
    service.by("kubectl-patch", {"f:spec": {"f:selector": {}}})
    service.by("kubectl-label", {"f:metadata": {"f:labels": {"f:more": {}}}})
    service.live["spec"]["selector"]["extra"] = "x"
    service.live["metadata"]["labels"]["more"] = "y"
    (reported,) = service.reported(connect)
    assert str(reported) == "Service apps/web has spec.selector.extra, metadata.labels.more added by kubectl-patch"
    assert not reported.repaired
    assert removal(reported.added) == {"spec": {"selector": {"extra": None}}, "metadata": {"labels": {"more": None}}}


def test_a_restart_is_no_drift(deployment: Cluster, connect: Connect) -> None:
    restarted: Object = {"f:annotations": {"f:kubectl.kubernetes.io/restartedAt": {}}}
    deployment.by("kubectl-rollout", {"f:spec": {"f:template": {"f:metadata": restarted}}})
    deployment.live["spec"]["template"]["metadata"] = {"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}}
    assert deployment.reported(connect) == []


def test_what_was_added_to_a_list_is_left(deployment: Cluster, connect: Connect) -> None:
    second: Object = {"f:containers": {'k:{"name":"second"}': {".": {}, "f:image": {}}}}
    deployment.by("kubectl-edit", {"f:spec": {"f:template": {"f:spec": second}}})
    deployment.live["spec"]["template"]["spec"]["containers"].append({"name": "second", "image": "x"})
    (reported,) = deployment.reported(connect)
    assert not reported.repaired
    assert removal(reported.added) is None


SECRET: Object = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "web", "namespace": "apps"},
    "type": "kubernetes.io/tls",
    # As a state holds a secret value.
    "data": {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "v1:abc"},
}


@pytest.fixture
def secret(server: Server) -> Cluster:
    cluster = Cluster(server, SECRET, {"f:type": {}, "f:data": {"f:tls.crt": {}, "f:tls.key": {}}})
    cluster.live["data"] = {"tls.crt": "b25l", "tls.key": "dHdv"}
    return cluster


def test_a_secret_value_is_not_compared_with_its_ciphertext(secret: Cluster, connect: Connect) -> None:
    assert secret.reported(connect) == []


def test_a_secret_value_that_somebody_changed_is_restored_and_not_removed(secret: Cluster, connect: Connect) -> None:
    secret.by("kubectl-patch", {"f:data": {"f:tls.key": {}}})
    (found,) = secret.reported(connect)
    assert str(found) == "Secret apps/web has data changed by kubectl-patch"
    assert (found.repaired, found.added) == (True, ())


def test_a_secret_value_whose_fields_pulumi_lost_is_reported(secret: Cluster, connect: Connect) -> None:
    secret.live["metadata"]["managedFields"] = [owns("pulumi-kubernetes-1a2b", {"f:type": {}})]
    (found,) = secret.reported(connect)
    assert str(found) == "Secret apps/web has data changed by somebody"


def test_an_api_that_says_no_is_an_error(server: Server, connect: Connect) -> None:
    server.answers["/api/v1/services"] = (403, '{"message": "forbidden"}')
    with pytest.raises(APIError, match="forbidden"):
        drift(connect(), declared(state(SERVICE)))


def test_a_job_that_deletes_itself_is_not_missed() -> None:
    job = {"kind": "Job", "metadata": {"name": "once"}, "spec": {"ttlSecondsAfterFinished": 0}}
    assert declared(state(job)) == []


@pytest.mark.parametrize(
    ("version", "kind", "namespace", "path"),
    [
        ("v1", "Namespace", "", "/api/v1/namespaces/x"),
        ("networking.k8s.io/v1", "Ingress", "apps", "/apis/networking.k8s.io/v1/namespaces/apps/ingresses/x"),
        (
            "networking.k8s.io/v1",
            "NetworkPolicy",
            "apps",
            "/apis/networking.k8s.io/v1/namespaces/apps/networkpolicies/x",
        ),
        ("networking.k8s.io/v1", "IngressClass", "", "/apis/networking.k8s.io/v1/ingressclasses/x"),
        ("v1", "Endpoints", "apps", "/api/v1/namespaces/apps/endpoints/x"),
        (
            "gateway.networking.k8s.io/v1",
            "Gateway",
            "apps",
            "/apis/gateway.networking.k8s.io/v1/namespaces/apps/gateways/x",
        ),
        ("gateway.networking.k8s.io/v1", "GatewayClass", "", "/apis/gateway.networking.k8s.io/v1/gatewayclasses/x"),
    ],
)
def test_paths_of_the_api(version: str, kind: str, namespace: str, path: str) -> None:
    each = {"apiVersion": version, "kind": kind, "metadata": {"name": "x", "namespace": namespace}}
    (found,) = declared(state(each))
    assert found.path == path


def test_a_deployment_that_hops_dev_rolled_out_and_no_update_recorded_is_reported(
    deployment: Cluster, connect: Connect
) -> None:
    assert deployment.reported(connect) == []
    deployment.live["metadata"]["annotations"] = {AHEAD: "web:2"}
    (found,) = deployment.reported(connect)
    assert str(found).startswith("Deployment apps/web runs the image web:2, which `hops dev` rolled out")
    assert found.repaired
    assert removal(found.added) == {"metadata": {"annotations": {AHEAD: None}}}, "a refresh does not take it in"
