"""A gRPC server: hello.Greeter/Hello greets whom the request names, and the health protocol answers."""

from concurrent.futures import ThreadPoolExecutor

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

PORT = 50051


def hello(name: str, _: grpc.ServicerContext) -> str:
    """The greeting."""
    return f"hello {name}"


def main() -> None:
    """Serves until the process is ended."""
    server = grpc.server(ThreadPoolExecutor())
    # Messages are plain texts, so that the example needs no code that protoc generates.
    handler = grpc.unary_unary_rpc_method_handler(hello, bytes.decode, str.encode)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("hello.Greeter", {"Hello": handler}),))
    state = health.HealthServicer()
    state.set("", health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(state, server)
    server.add_insecure_port(f"[::]:{PORT}")
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
