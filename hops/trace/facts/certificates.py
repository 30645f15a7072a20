"""Whether Envoy and Contour trust each other, from their certificates and their connection."""

from collections.abc import Mapping
from datetime import datetime

from hops.kubernetes import objects
from hops.kubernetes.controller.secrets import CERTIFICATES
from hops.kubernetes.resources.pods import as_pod
from hops.kubernetes.values import JSON
from hops.model.finding import Identity
from hops.trace.facts.envoy_drift import contour_pods, contour_runs
from hops.trace.facts.path_facts import PathFacts
from hops.trace.facts.pod_states import events, holds, trouble
from hops.trace.readers import envoy

_REFUSED = ("x509:", "CERTIFICATE_VERIFY_FAILED", "tls:", "TLS handshake error", "TLS error", "TLS_error")
"""The errors of Go and Envoy. Plain words such as `certificate` also occur in the list that Envoy prints at start."""


def distrust(view: PathFacts) -> tuple[Identity, str, list[str], bool] | None:
    """What is wrong with the certificates: the object, a sentence, the evidence, and whether requests may suffer."""
    bad = _bad_certificate(view)
    holding = _holding(view)
    waiting = [p for p in (*contour_pods(view), *view.envoy_pods) if misses_secret(view, p)]
    evidence = [line for pod in waiting for line in events(view, pod, "FailedMount")[-1:]]
    if holding is not None:
        evidence.append(f"Envoy is {'' if holding else 'not '}connected to Contour")
    if bad:
        who, message = bad
        stopped = contour_runs(view) is False
        if stopped and not waiting and not _contour_refuses(view):
            # Contour does not run, and there is no evidence that its certificate is the reason.
            return None
        return who, message, [*evidence, *_tls_lines(view)], stopped or bool(waiting) or _cut_off(view)
    if _cut_off(view) and contour_runs(view):
        lines = [*_tls_lines(view), *_two_authorities(view)]
        if lines:
            secret = Identity("v1", "Secret", view.home, "envoycert")
            return secret, "Envoy and Contour refuse each other's certificate.", [*evidence, *lines], True
    return None


def _holding(view: PathFacts) -> bool | None:
    return envoy.connected(view.envoy) if view.envoy else None


def _cut_off(view: PathFacts) -> bool:
    """Whether Envoy has no connection to Contour, from its statistics or else from its readiness."""
    if (holding := _holding(view)) is not None:
        return not holding
    running = [pod for pod in view.envoy_pods if objects.phase(pod) == "Running"]
    return bool(running) and all(objects.ready(pod) is False and not trouble(view, pod) for pod in running)


def _two_authorities(view: PathFacts) -> list[str]:
    """The authorities of Contour and Envoy if they differ, as after a replacement of only one Secret."""
    given = view.observation.cluster.authorities if view.observation.cluster and view.sees_cluster else {}
    known = {name: given[key] for name in CERTIFICATES if (key := f"{view.home}/{name}") in given}
    if len(set(known.values())) < len(CERTIFICATES):
        return []
    return [f"ca.crt of Secret {name}: SHA-256 {digest[:16]}…" for name, digest in known.items()]


def _bad_certificate(view: PathFacts) -> tuple[Identity, str] | None:
    taken = datetime.fromisoformat(view.observation.taken)
    given = view.observation.cluster.certificates if view.observation.cluster and view.sees_cluster else {}
    for key, end in sorted(given.items()):
        namespace, _, rest = key.partition("/")
        name, _, entry = rest.partition("/")
        if namespace == view.home and name in CERTIFICATES and datetime.fromisoformat(end) < taken:
            return Identity(
                "v1", "Secret", namespace, name
            ), f"The certificate {entry} of Secret {name} ended on {end}."
    if view.envoy and (ended := [end for end in envoy.identities(view.envoy) if end < taken]):
        namespace, _, name = view.envoy.pod.partition("/")
        good = f"{view.home}/envoycert/tls.crt" in given
        message = f"Envoy still uses a certificate that ended on {min(ended).isoformat()}"
        message += "; that of its Secret is good." if good else "."
        return Identity("v1", "Pod", namespace, name), message
    if view.sees("Secret") and view.installed:
        for name in CERTIFICATES:
            used = any(name in as_pod(pod).secrets for pod in (*contour_pods(view), *view.envoy_pods))
            if used and not view.get("Secret", view.home, name):
                return Identity("v1", "Secret", view.home, name), f"There is no Secret {name}."
    return None


def misses_secret(view: PathFacts, pod: Mapping[str, JSON]) -> bool:
    """Whether a pod waits for one of the certificates."""
    waits = objects.phase(pod) == "Pending"
    return waits and any(name in line for line in events(view, pod, "FailedMount") for name in CERTIFICATES)


def _contour_refuses(view: PathFacts) -> bool:
    return any(holds(view, pod, *_REFUSED) for pod in contour_pods(view))


def _tls_lines(view: PathFacts) -> list[str]:
    """The last line about certificates in the logs of Envoy and of Contour."""
    given = view.observation.cluster.logs if view.observation.cluster else {}
    found = []
    for key, log in sorted(given.items()):
        if key.startswith((f"{view.home}/{view.envoy_workload.name}", f"{view.home}/{view.contour.name}")):
            lines = [line for line in log.splitlines() if any(word in line for word in _REFUSED)]
            found += [f"log of {key}: {lines[-1][:300]}"] if lines else []
    return found
