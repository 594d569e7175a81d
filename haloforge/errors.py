"""What can go wrong that is not the sample's fault.

    HaloforgeError
    ├── BadInput           exit 2   the user's config, file or flag; found before any engine starts
    │   └── MissingTool    exit 2   a compiler or sandbox that this node lacks
    ├── RunStopped         exit 3   the run ended itself: nothing kept twice, too many infra errors
    │   ├── SwapNotProved           the engine does not serve what was trained
    │   └── LossNotFinite
    └── SandboxFault                our side of a verdict failed; becomes the status `infra_error`
        └── SshFault                so did the way to another machine, or its compiler (haloforge/verifiers/msvc.py)

Every constructor takes one message and nothing that is required besides, so that an error
survives pickling and therefore Ray.
"""

from __future__ import annotations

EXIT_DONE = 0
EXIT_FAILURES = 1
EXIT_BAD_INPUT = 2
EXIT_STOPPED = 3
EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143


class HaloforgeError(Exception):
    """Base of all; the message is worded for the person who must act."""

    exit_code = EXIT_STOPPED


class BadInput(HaloforgeError):
    exit_code = EXIT_BAD_INPUT


class MissingTool(BadInput):
    pass


class RunStopped(HaloforgeError):
    exit_code = EXIT_STOPPED


class SwapNotProved(RunStopped):
    pass


class LossNotFinite(RunStopped):
    pass


class SandboxFault(HaloforgeError):
    pass
