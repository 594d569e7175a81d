"""Sampling and scoring with vLLM, without Ray. Import the modules: this package pulls nothing heavy by itself."""
