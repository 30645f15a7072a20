"""Two stacks on one machine: what the rules XS01 to XS03 say of the one beside the other."""

import dataclasses
from collections.abc import Iterable
from datetime import date

import pytest

from hops.kubernetes.resources.claims import Fleet
from hops.model.plan import plan
from hops.model.settings.stack_config import settings
from hops.model.settings.stack_settings import Settings
from hops.rules.other_stacks import claims, claims_of_outputs, clashes

TODAY = date(2026, 11, 24)


def stack(name: str, host: str | None = None, /, **cluster: object) -> Settings:
    """Camel case in, as in a stack file."""
    return settings(name, {"cluster": cluster, "services": [{"host": host or f"{name}.localhost"}]})


ALICE = stack("alice", httpPort=8080, httpsPort=8443)


def reported(of: Settings, held: Fleet) -> list[str]:
    return [f"{finding.code} {finding.message}" for finding in clashes(of, held, TODAY)]


def without_holders(fleet: Fleet) -> tuple[set[object], set[object]]:
    def plain(held: Iterable[object]) -> set[object]:
        return {dataclasses.replace(claim, holder="") for claim in held}  # type: ignore[type-var]

    return plain(fleet.ports), plain(fleet.names)


@pytest.mark.parametrize(
    ("bob", "sentences"),
    [
        (
            stack("bob", httpPort=8080, httpsPort=None),
            ["XS01 127.0.0.1:8080/TCP is already used by the stack alice."],
        ),
        (
            stack("bob", httpPort=8443, httpsPort=None),
            ["XS01 127.0.0.1:8443/TCP is already used by the stack alice."],
        ),
        (
            stack("bob", httpPort=80, httpsPort=8443, listenAddress="0.0.0.0"),
            ["XS01 0.0.0.0:8443/TCP is already used by the stack alice."],
        ),
        (
            stack("bob", "alice.localhost", httpPort=80),
            ["XS02 host alice.localhost is already used by the stack alice."],
        ),
        (
            stack("bob", httpPort=80, name="ingress-hops-alice"),
            ["XS03 cluster name ingress-hops-alice is already used by the stack alice."],
        ),
        (
            stack("bob", existing="kind-ingress-hops-alice"),
            ["XS03 context kind-ingress-hops-alice is already used by the stack alice."],
        ),
    ],
    ids=["http port", "https port", "every address", "host", "cluster", "context"],
)
def test_a_clash_is_reported_of_both(bob: Settings, sentences: list[str]) -> None:
    assert reported(bob, claims("alice", ALICE)) == sentences
    backwards = reported(ALICE, claims("bob", bob))
    assert [sentence[:4] for sentence in backwards] == [sentence[:4] for sentence in sentences]
    assert all(sentence.endswith("is already used by the stack bob.") for sentence in backwards)


@pytest.mark.parametrize(
    "bob",
    [
        stack("bob", httpPort=8081, httpsPort=None),
        stack("bob", httpPort=8080, httpsPort=8443, listenAddress="127.0.0.2"),
        stack("bob", existing="kind-bob", httpPort=8080),
    ],
    ids=["port", "address", "existing cluster"],
)
def test_stacks_side_by_side_are_left_alone(bob: Settings) -> None:
    assert reported(bob, claims("alice", ALICE)) == reported(ALICE, claims("bob", bob)) == []


def test_the_stack_says_what_is_done_about_it() -> None:
    policy = {"rules": {"XS01": {"level": "advisory"}, "XS02": {"level": "disabled"}}}
    services = [{"host": "alice.localhost"}]
    bob = settings("bob", {"cluster": {"httpPort": 8080, "httpsPort": None}, "services": services, "policy": policy})
    assert [str(finding.level) for finding in clashes(bob, claims("alice", ALICE), TODAY)] == ["advisory"]


@pytest.mark.parametrize("of", [ALICE, stack("cloud", existing="office")], ids=["kind", "existing"])
def test_the_outputs_of_a_stack_hold_what_its_settings_do(of: Settings) -> None:
    intended = plan(of)
    cluster = {"context": intended.context} | ({} if of.cluster.existing else {"name": of.cluster.name})
    hops = [dataclasses.asdict(hop) for path in intended.paths for hop in path.hops]
    published = claims_of_outputs("gone", {"hops": hops, "cluster": cluster})
    assert without_holders(published) == without_holders(claims("gone", of))
    assert {claim.holder for claim in published.names} == {"the stack gone (it has no file)"}
    assert claims_of_outputs("gone", {}) == Fleet()
