"""Manifests that the examples of several rules begin with; an example replaces what its rule is about."""

SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: web, namespace: apps}
spec: {selector: {app: web}, ports: [{name: http, port: 80}]}
"""
INGRESS = """
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: apps}
spec:
  ingressClassName: contour
  rules:
  - host: web.localhost
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
"""
ENVOY = """
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: envoy, namespace: projectcontour}
spec:
  selector: {matchLabels: {app: envoy}}
  template:
    metadata: {labels: {app: envoy}}
    spec: {containers: [{name: envoy, image: envoyproxy/envoy:v1.38.3, ports: [{containerPort: 8080, hostPort: 80}]}]}
"""
CLUSTER = """
apiVersion: kind.x-k8s.io/v1alpha4
kind: Cluster
name: dev
nodes:
- {role: control-plane}
- {role: worker, extraPortMappings: [{containerPort: 80, hostPort: 80, listenAddress: 127.0.0.1}]}
"""
CONTOUR = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: contour, namespace: projectcontour}
spec:
  selector: {matchLabels: {app: contour}}
  template:
    metadata: {labels: {app: contour}}
    spec:
      containers:
      - name: contour
        image: ghcr.io/projectcontour/contour:v1.33.6
        command: [contour]
        args: [serve, --incluster]
"""
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: apps}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: web, ports: [{containerPort: 8080}]}]}
"""
ROUTED = """
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: apps}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: apps}
spec:
  rules:
  - host: web.localhost
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
"""
CONTROLLER = (
    """
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: envoy, namespace: projectcontour}
spec:
  selector: {matchLabels: {app: envoy}}
  template:
    metadata: {labels: {app: envoy}}
    spec:
      containers:
      - {name: envoy, image: "envoyproxy/envoy:v1.35.0", ports: [{name: http, containerPort: 8080, hostPort: 80}]}
---"""
    + CONTOUR
)
SERVED_POD = """
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: apps, labels: {app: web}}
spec:
  containers:
  - name: web
    image: web:1
    ports: [{name: http, containerPort: 8080}]
"""


def service_example(spec: str, name: str = "web") -> str:
    return f"""---
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: apps}}
spec: {spec}
"""
