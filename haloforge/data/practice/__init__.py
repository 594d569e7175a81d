"""The embedded demo's own tasks, corpus and tiny base model: no network, no GPU, nothing to download."""
