"""API versions that no supported API server has, and what replaces them.

Source: https://kubernetes.io/docs/reference/using-api/deprecation-guide/ and the release notes of Kubernetes 1.19 and
1.20, Contour, Gateway API (0.5, 0.6) and cert-manager (0.11, 1.6).
"""

from collections.abc import Mapping

_WORKLOADS = {
    f"{version} {kind}": ("Kubernetes 1.16", f"apps/v1 {kind}")
    for version in ("extensions/v1beta1", "apps/v1beta1", "apps/v1beta2")
    for kind in ("DaemonSet", "Deployment", "ReplicaSet", "StatefulSet")
}
_IN_122 = {
    "admissionregistration.k8s.io": ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"),
    "apiextensions.k8s.io": ("CustomResourceDefinition",),
    "apiregistration.k8s.io": ("APIService",),
    "certificates.k8s.io": ("CertificateSigningRequest",),
    "coordination.k8s.io": ("Lease",),
    "networking.k8s.io": ("Ingress", "IngressClass"),
    "rbac.authorization.k8s.io": ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"),
    "scheduling.k8s.io": ("PriorityClass",),
    "storage.k8s.io": ("CSIDriver", "CSINode", "StorageClass", "VolumeAttachment"),
}

_GATEWAY_API = ("Gateway", "GatewayClass", "HTTPRoute", "TCPRoute", "TLSRoute", "UDPRoute")
_CERTIFICATES = ("Certificate", "CertificateRequest", "ClusterIssuer", "Issuer")

REMOVED: Mapping[str, tuple[str, str]] = {
    **_WORKLOADS,
    "extensions/v1beta1 Ingress": ("Kubernetes 1.22", "networking.k8s.io/v1 Ingress"),
    "extensions/v1beta1 NetworkPolicy": ("Kubernetes 1.16", "networking.k8s.io/v1 NetworkPolicy"),
    **{
        f"{group}/v1beta1 {kind}": ("Kubernetes 1.22", f"{group}/v1 {kind}")
        for group, kinds in _IN_122.items()
        for kind in kinds
    },
    "batch/v2alpha1 CronJob": ("Kubernetes 1.21", "batch/v1 CronJob"),
    "batch/v1beta1 CronJob": ("Kubernetes 1.25", "batch/v1 CronJob"),
    "discovery.k8s.io/v1beta1 EndpointSlice": ("Kubernetes 1.25", "discovery.k8s.io/v1 EndpointSlice"),
    "events.k8s.io/v1beta1 Event": ("Kubernetes 1.25", "events.k8s.io/v1 Event"),
    "autoscaling/v2beta1 HorizontalPodAutoscaler": ("Kubernetes 1.25", "autoscaling/v2 HorizontalPodAutoscaler"),
    "autoscaling/v2beta2 HorizontalPodAutoscaler": ("Kubernetes 1.26", "autoscaling/v2 HorizontalPodAutoscaler"),
    "policy/v1beta1 PodDisruptionBudget": ("Kubernetes 1.25", "policy/v1 PodDisruptionBudget"),
    "policy/v1beta1 PodSecurityPolicy": ("Kubernetes 1.25", ""),
    "extensions/v1beta1 PodSecurityPolicy": ("Kubernetes 1.16", ""),
    "node.k8s.io/v1beta1 RuntimeClass": ("Kubernetes 1.25", "node.k8s.io/v1 RuntimeClass"),
    "settings.k8s.io/v1alpha1 PodPreset": ("Kubernetes 1.20", ""),
    "auditregistration.k8s.io/v1alpha1 AuditSink": ("Kubernetes 1.19", ""),
    **{f"networking.x-k8s.io/v1alpha1 {kind}": ("Gateway API 0.5", "") for kind in _GATEWAY_API},
    "gateway.networking.k8s.io/v1alpha2 ReferencePolicy": (
        "Gateway API 0.6",
        "gateway.networking.k8s.io/v1beta1 ReferenceGrant",
    ),
    **{
        f"cert-manager.io/{version} {kind}": ("cert-manager 1.6", f"cert-manager.io/v1 {kind}")
        for version in ("v1alpha2", "v1alpha3", "v1beta1")
        for kind in _CERTIFICATES
    },
    **{
        f"certmanager.k8s.io/v1alpha1 {kind}": ("cert-manager 0.11", f"cert-manager.io/v1 {kind}")
        for kind in _CERTIFICATES
    },
    "contour.heptio.com/v1beta1 IngressRoute": ("Contour 1.6", "projectcontour.io/v1 HTTPProxy"),
    "contour.heptio.com/v1beta1 TLSCertificateDelegation": (
        "Contour 1.6",
        "projectcontour.io/v1 TLSCertificateDelegation",
    ),
}
"""By `apiVersion Kind`: what removed it, and its successor; "" for none."""
