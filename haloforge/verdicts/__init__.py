"""Verdicts that are kept: found once (cache), for every command of a machine (store), and as rows of a file (rows)."""
