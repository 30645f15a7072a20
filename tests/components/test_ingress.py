"""Ingress: one rule of host and path for one Service."""

from typing import Any

import pulumi
import pytest

from components import ArgumentError, Ingress, IngressArgs
from tests.recording import Recording, run


def recorded(**changes: Any) -> Recording:
    plain: Any = {
        "name": "example-ingress",
        "namespace": "default",
        "host": "my-service.local",
        "service": "my-service",
        "port": 8080,
    }
    args: IngressArgs = plain | changes
    return run(lambda: Ingress("web", args), Recording())


def test_the_documented_ingress() -> None:
    ingress = recorded().one("Ingress", "web-ingress").inputs
    assert (ingress["metadata"]["name"], ingress["metadata"]["namespace"]) == ("example-ingress", "default")
    backend = {"service": {"name": "my-service", "port": {"number": 8080}}}
    paths = [{"path": "/", "pathType": "Prefix", "backend": backend}]
    assert ingress["spec"] == {"rules": [{"host": "my-service.local", "http": {"paths": paths}}]}


def test_tls_names_a_secret_for_the_host() -> None:
    spec = recorded(tls="certificate").one("Ingress", "web-ingress").inputs["spec"]
    assert spec["tls"] == [{"hosts": ["my-service.local"], "secretName": "certificate"}]


def test_the_child_is_the_components() -> None:
    recording = recorded()
    component, child = recording.resources
    assert (component.type, component.name) == ("ingress-hops:index:Ingress", "web")
    assert component.inputs["host"] == "my-service.local"
    assert child.parent == component.urn
    assert "ingress-hops:index:Ingress$kubernetes:" in child.urn
    assert recording.registered[component.urn] == {"name": "example-ingress", "host": "my-service.local"}


def test_nobody_waits_ten_minutes_for_a_status() -> None:
    metadata = recorded().one("Ingress", "web-ingress").inputs["metadata"]
    assert metadata["annotations"] == {"pulumi.com/skipAwait": "true"}


def test_what_is_left_out_has_a_default() -> None:
    recording = run(lambda: Ingress("web", {"host": "a.local", "service": "a", "port": 80}), Recording())
    ingress = recording.one("Ingress", "web-ingress").inputs
    assert (ingress["metadata"]["name"], ingress["metadata"]["namespace"]) == ("web", "default")
    assert ingress["spec"]["rules"][0]["http"]["paths"][0]["path"] == "/"
    assert "tls" not in ingress["spec"]


def test_values_of_other_resources_are_taken() -> None:
    def program() -> None:
        host, service, tls = (pulumi.Output.from_input(value) for value in ("b.local", "b", "secret"))
        Ingress("web", {"host": host, "service": service, "port": 80, "tls": tls})

    spec = run(program, Recording()).one("Ingress", "web-ingress").inputs["spec"]
    assert spec["rules"][0]["host"] == "b.local"
    assert spec["rules"][0]["http"]["paths"][0]["backend"]["service"] == {"name": "b", "port": {"number": 80}}
    assert spec["tls"] == [{"hosts": ["b.local"], "secretName": "secret"}]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"host": "My.Local"}, 'Ingress web: the argument host is "My.Local": a host name is lower-case letters'),
        ({"port": 0}, "Ingress web: the argument port is 0: it has to be a whole number from 1 to 65535. Give it"),
        ({"path": "x"}, "a path starts with /"),
        ({"tls": ""}, 'the argument tls is ""'),
    ],
)
def test_a_wrong_argument_is_refused_before_anything_is_declared(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        recorded(**change)
    assert message in str(caught.value)


def test_what_is_missing_is_named() -> None:
    incomplete: Any = {"service": "a"}
    with pytest.raises(ArgumentError) as caught:
        run(lambda: Ingress("web", incomplete), Recording())
    assert str(caught.value).splitlines() == [
        "Ingress web: the argument host is missing; give it a value",
        "Ingress web: the argument port is missing; give it a value",
    ]


def of_another(name: str) -> Recording:
    """An Ingress with an argument whose value is an Output."""

    def program() -> None:
        args: Any = {"host": "a.local", "service": "a", "port": 80, name: pulumi.Output.from_input("of-another")}
        Ingress("web", args)

    return run(program, Recording())


@pytest.mark.parametrize("name", ["port", "path", "class_name"])
def test_an_output_in_a_plain_argument_is_refused_by_its_name(name: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        of_another(name)
    assert str(caught.value) == (
        f"Ingress web: the argument {name} is an Output, which a preview may not know. Give it a plain value"
    )


@pytest.mark.parametrize("name", ["host", "service", "namespace", "tls"])
def test_an_output_in_an_argument_for_one_is_taken(name: str) -> None:
    assert of_another(name).one("Ingress", "web-ingress").inputs["spec"]
