"""`haloforge …`, and `python -m haloforge …`: can be interrupted while the commands (haloforge.cli) are loaded."""

from __future__ import annotations

from haloforge import interrupts


def main() -> None:
    interrupts.leave_at_once()
    from haloforge.cli import main

    main()


if __name__ == "__main__":
    main()
