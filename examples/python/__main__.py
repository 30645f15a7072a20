"""A cluster with an ingress controller and one workload behind it."""

import pulumi

from components import Calico, Contour, KindCluster, Workload

cluster = KindCluster("hops-python", {"http_port": 8088, "https_port": None})

calico = Calico("calico", {}, cluster.inside)
# Pods that are created before the pod network works fail at first.
after_calico = pulumi.ResourceOptions.merge(cluster.inside, pulumi.ResourceOptions(depends_on=[calico]))

contour = Contour("contour", {"host_ports": {"http": 80}}, after_calico)
hello = Workload(
    "hello",
    {
        "image": "python:3.13-slim",
        "command": ["python", "-m", "http.server", "8080", "--directory", "/srv"],
        "admit_from": contour.namespace,
    },
    after_calico,
)
ingress = hello.expose("hello.localhost")

pulumi.export("url", pulumi.Output.format("http://{}:8088/", ingress.host))
pulumi.export("kubeconfig", cluster.kubeconfig)
