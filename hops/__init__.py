"""The core: what a stack is made of and where a request goes in it. Plain values; no Pulumi and no I/O."""
