"""The stacks of the project, and what the backend keeps of them."""
