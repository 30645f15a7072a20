"""This machine: Docker, ports, name resolution and files."""
