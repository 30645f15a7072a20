"""The policy pack: what the engine is about to make, judged by the rules of `hops.rules`."""
