"""How a run is seen: stages and counts, the terminal, progress.json, curves, status, the table at the end."""
