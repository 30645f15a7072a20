"""Whether Contour can use a Secret as a certificate.

From Contour 1.33: internal/dag.
"""

from collections.abc import Sequence

from hops.kubernetes.inventory import Inventory
from hops.kubernetes.targets import home
from hops.kubernetes.values import at, mapping, matches, sequence, text, texts


def secret_problem(
    inventory: Inventory, user: str | None, namespace: str | None, name: str, given: Sequence[str]
) -> str:
    """Why Contour cannot use a Secret as a certificate, as a sentence without a full stop; "" if it can.

    inventory: the declared objects.
    user: namespace of the object that references the Secret.
    namespace, name: the Secret.
    given: patterns Secret/namespace/name of Secrets that exist outside the stack.
    """
    if user != namespace and not _delegated(inventory, user, namespace, name):
        return f"no TLSCertificateDelegation in namespace {namespace} allows namespace {user} to use Secret {name}"
    secret = inventory.find("Secret", namespace, name)
    if secret is None:
        made = (namespace, name) in inventory.once(made_secrets)
        if made or any(matches(pattern, f"Secret/{namespace}/{name}") for pattern in given):
            return ""
        return f"Secret {name} does not exist in namespace {namespace}"
    kind = text(at(secret.body, "type")) or "Opaque"
    if kind not in ("kubernetes.io/tls", "Opaque"):
        return f"{secret} has type {kind}; kubernetes.io/tls is required"
    held = {**mapping(at(secret.body, "data")), **mapping(at(secret.body, "stringData"))}
    missing = [key for key in ("tls.crt", "tls.key") if key not in held]
    return f"{secret} has no {' and no '.join(missing)}" if missing else ""


def _delegated(inventory: Inventory, user: str | None, namespace: str | None, name: str) -> bool:
    for resource in inventory.of_kind("TLSCertificateDelegation"):
        for entry in sequence(at(resource.body, "spec", "delegations")) if home(resource) == namespace else ():
            allowed = texts(at(entry, "targetNamespaces"))
            if at(entry, "secretName") == name and (user in allowed or tuple(allowed) == ("*",)):
                return True
    return False


def made_secrets(inventory: Inventory) -> frozenset[tuple[str | None, str | None]]:
    """The Secrets that controllers make of declared objects, by namespace and name."""
    found: set[tuple[str | None, str | None]] = set()
    for kind, group, keys in _MAKERS:
        for resource in inventory.of_kind(kind):
            if resource.api_version.startswith(group):
                named_by = text(at(resource.body, *keys)) or text(at(resource.body, "metadata", "name"))
                found.add((home(resource), named_by))
    return frozenset(found)


_MAKERS = (
    ("Certificate", "cert-manager.io/", ("spec", "secretName")),
    ("ExternalSecret", "external-secrets.io/", ("spec", "target", "name")),
    ("SealedSecret", "bitnami.com/", ("spec", "template", "metadata", "name")),
)
