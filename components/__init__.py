"""The path's parts as component resources."""

from components.arguments import ArgumentError
from components.calico import Calico, CalicoArgs
from components.cluster import KindCluster, KindClusterArgs
from components.contour import Contour, ContourArgs
from components.gateway import Gateway, GatewayArgs
from components.http_proxy import HTTPProxy, HTTPProxyArgs
from components.http_route import HTTPRoute, HTTPRouteArgs
from components.image import Image, ImageArgs
from components.ingress import Ingress, IngressArgs
from components.workload import Workload, WorkloadArgs

__all__ = [
    "ArgumentError",
    "Calico",
    "CalicoArgs",
    "Contour",
    "ContourArgs",
    "Gateway",
    "GatewayArgs",
    "HTTPProxy",
    "HTTPProxyArgs",
    "HTTPRoute",
    "HTTPRouteArgs",
    "Image",
    "ImageArgs",
    "Ingress",
    "IngressArgs",
    "KindCluster",
    "KindClusterArgs",
    "Workload",
    "WorkloadArgs",
]
