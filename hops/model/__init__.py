"""The model: settings, the plan of a stack, the hops of a path, versions and findings. Pure values."""
