"""Seeds that depend on what is drawn and on nothing else: not on batching, order or resumption."""

from __future__ import annotations

import hashlib


def derive(root: int, *parts: str | int) -> int:
    """A seed in 0 … 2^31−1 from the root seed and the names of what it is for.

    Parts are joined with their lengths, so that ("a", "bc") and ("ab", "c") differ.
    """
    text = "".join(f"{len(str(part))}:{part}" for part in (root, *parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1
