"""Serves the components to programs in any language: `pulumi package add` reads this folder. It does not return."""

from pulumi.provider.experimental import component_provider_host

from components import Calico, Contour, HTTPProxy, Image, Ingress, KindCluster, Workload

component_provider_host(
    name="ingress-hops", components=[Calico, Contour, HTTPProxy, Image, Ingress, KindCluster, Workload], version="0.1.0"
)
