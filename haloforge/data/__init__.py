"""Data that haloforge makes or reads."""
