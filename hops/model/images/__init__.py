"""The images of services: what goes into one, its name, and the registries that nodes ask."""
