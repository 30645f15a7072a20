"""Whether Contour can use a Secret as a certificate.

From Contour 1.33: internal/dag.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from hops.kubernetes.inventory import Inventory
from hops.kubernetes.routing.targets import home
from hops.kubernetes.values import JSON, Undecidable, at, mapping, matches, sequence, text, texts


def secret_problem(
    inventory: Inventory,
    user: str | None,
    namespace: str | None,
    name: str,
    given: Sequence[str],
    *,
    required: Sequence[str] = ("tls.crt", "tls.key"),
) -> str:
    """Why Contour cannot use a Secret as a certificate, as a sentence without a full stop; "" if it can.

    inventory: the declared objects.
    user: namespace of the object that references the Secret.
    namespace, name: the Secret.
    given: patterns Secret/namespace/name of Secrets that exist outside the stack.
    required: the keys that the Secret must have. Default: those of a server certificate.
    """
    if user != namespace and not _delegated(inventory, user, namespace, name):
        return f"no TLSCertificateDelegation in namespace {namespace} allows namespace {user} to use Secret {name}"
    secret = inventory.find("Secret", namespace, name)
    if secret is None:
        made = (namespace, name) in inventory.once(made_secrets) or ("Secret", name) in inventory.once(generated)
        if made or any(matches(pattern, f"Secret/{namespace}/{name}") for pattern in given):
            return ""
        return f"Secret {name} {inventory.lacks} in namespace {namespace}"
    kind = text(at(secret.body, "type")) or "Opaque"
    if kind not in ("kubernetes.io/tls", "Opaque"):
        return f"{secret} has type {kind}; kubernetes.io/tls is required"
    held = {**mapping(at(secret.body, "data")), **mapping(at(secret.body, "stringData"))}
    missing = [key for key in required if key not in held]
    return f"{secret} has no {' and no '.join(missing)}" if missing else ""


def _delegated(inventory: Inventory, user: str | None, namespace: str | None, name: str) -> bool:
    delegated, unsure = inventory.once(_delegations)
    allowed = delegated.get((namespace, name), set())
    if user in allowed or _EVERY in allowed:
        return True
    if unsure & {None, namespace}:
        raise Undecidable
    return False


CERTIFICATES = ("contourcert", "envoycert")
"""The Secrets that `contour certgen` makes for Contour and Envoy (examples/contour/02-job-certgen.yaml)."""
_EVERY = "*"


def _delegations(inventory: Inventory) -> tuple[Mapping[tuple[str | None, JSON], set[str]], set[str | None]]:
    """The namespaces that may use a Secret, by its namespace and name.

    Beside them the namespaces, None for all, that have unknown delegations.
    """
    allowed: dict[tuple[str | None, JSON], set[str]] = defaultdict(set)
    unsure: set[str | None] = set()
    for resource in inventory.of_kind("TLSCertificateDelegation"):
        if resource.unknown:
            unsure.add(None if resource.nowhere else resource.namespace)
            continue
        for entry in sequence(at(resource.body, "spec", "delegations")):
            listed, name = texts(at(entry, "targetNamespaces")), text(at(entry, "secretName"))
            # Beside other names, * is a name.
            allowed[resource.namespace, name].update(listed if listed == (_EVERY,) else set(listed) - {_EVERY})
    return allowed, unsure


def made_secrets(inventory: Inventory) -> frozenset[tuple[str | None, str | None]]:
    """The Secrets that controllers make of declared objects, by namespace and name."""
    found: set[tuple[str | None, str | None]] = set()
    for kind, group, keys in _MAKERS:
        for resource in inventory.of_kind(kind):
            if resource.api_version.startswith(group):
                named_by = text(at(resource.body, *keys)) or text(at(resource.body, "metadata", "name"))
                found.add((home(resource), named_by))
    for pod in inventory.pods:
        for container in pod.containers:
            words = (*texts(container.body.get("command")), *texts(container.body.get("args")))
            if "certgen" in words:
                found |= {(pod.resource.namespace, name) for name in CERTIFICATES}
            if "create" in words:
                # kube-webhook-certgen, which ingress-nginx runs in a Job.
                found |= {(pod.resource.namespace, word[len(_NAMED) :]) for word in words if word.startswith(_NAMED)}
    return frozenset(found)


_NAMED = "--secret-name="
_MAKERS = (
    ("Certificate", "cert-manager.io/", ("spec", "secretName")),
    ("ExternalSecret", "external-secrets.io/", ("spec", "target", "name")),
    ("SealedSecret", "bitnami.com/", ("spec", "template", "metadata", "name")),
)


KUSTOMIZE = "kustomize.config.k8s.io/v1beta1"
"""The apiVersion of a Kustomization; other groups use the kind for other objects."""


def generated(inventory: Inventory) -> frozenset[tuple[str, str]]:
    """The ConfigMaps and Secrets that a Kustomization generates, by kind and name.

    Their namespaces and the hashes at the end of their names are known only when Kustomize renders them.
    """
    return frozenset(
        (kind, name)
        for resource in inventory.of_kind("Kustomization")
        if resource.api_version == KUSTOMIZE
        for kind, key in (("ConfigMap", "configMapGenerator"), ("Secret", "secretGenerator"))
        for entry in sequence(resource.body.get(key))
        if (name := text(at(entry, "name")))
    )
