"""The names and addresses of the path that the checks are tried on."""

from typing import Any

from hops.model.pod_network import POD_NETWORK

JSON = dict[str, Any]

CLUSTER = "ingress-hops-local"
CONTROL, WORKER = f"{CLUSTER}-control-plane", f"{CLUSTER}-worker"
CONTROL_IP, WORKER_IP, GATEWAY = "172.18.0.3", "172.18.0.2", "172.18.0.1"
HOST, PORT = "my-service.localhost", 8080
ENVOY, ENVOY_IP = "envoy-7xk2p", "10.244.81.67"
POD, POD_IP = "example-pod", "10.244.81.68"
WORKER_IPV6, ENVOY_IPV6, POD_IPV6 = "fc00:f853:ccd:e793::2", "fd00:10:244:81::3", "fd00:10:244:81::4"
CONTOUR, CONTOUR_IP = "contour-6d5f8b7c9-m4qzt", "10.244.81.66"
DNS_IP, KUBE_CONTROLLERS_IP = "10.244.90.1", "10.244.81.65"
SERVICE_IP, SERVICE_IPV6 = "10.96.143.21", "fd00:10:96::21"
MTU = 1450
POD_INTERFACE = POD_NETWORK.interface("apps", POD)
ENVOY_INTERFACE = POD_NETWORK.interface("projectcontour", ENVOY)
CONTOUR_INTERFACE = POD_NETWORK.interface("projectcontour", CONTOUR)
KUBE_CONTROLLERS = "calico-kube-controllers-5d7d9cdfd8-x2v4k"
KUBE_CONTROLLERS_INTERFACE = POD_NETWORK.interface("kube-system", KUBE_CONTROLLERS)
DNAT_CHAIN = "CNI-DN-4b1a3c9f0e6d2b7785a1c"
PORTMAP_ID = "5b2f0c7d1e9a4d3f8c6b7a5948372615aabbccddeeff00112233445566778899"
