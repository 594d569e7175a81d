"""Verifiers of one's own, and what came of one: see `make demo-forging`."""
