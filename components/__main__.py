"""Serves the components to programs in any language: `pulumi package add` reads this folder. It does not return."""

from pulumi.provider.experimental import component_provider_host

from components import Calico, Contour, Gateway, HTTPProxy, HTTPRoute, Image, Ingress, KindCluster, Workload

component_provider_host(
    name="ingress-hops",
    components=[Calico, Contour, Gateway, HTTPProxy, HTTPRoute, Image, Ingress, KindCluster, Workload],
    version="0.1.0",
)
