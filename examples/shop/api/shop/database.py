"""The connection to PostgreSQL."""

import os

import pg8000.native


def connect() -> pg8000.native.Connection:
    """A new connection, by the variables DATABASE_HOST and DATABASE_PASSWORD."""
    return pg8000.native.Connection(
        "postgres",
        host=os.environ["DATABASE_HOST"],
        database="shop",
        password=os.environ["DATABASE_PASSWORD"],
        timeout=5,
    )
