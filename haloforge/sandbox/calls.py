"""A call: a function that the zygote has imported, run in a fork of a box's process 1 as if Python had just started.

`hold` runs in the zygote, `run` in the forked child. All of the sample's memory is then a copy of process 1's, so
nothing that a sample must not see may ever be in there: see `Init`.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
from _signal import SIG_DFL, SIGINT, SIGXCPU, default_int_handler, signal

TYPE_CHECKING = False  # importing typing would make every clone larger
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

SCRIPT = "haloforge.sandbox.script"
"""Every zygote with a flavour holds it."""
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""Set before modules are imported: a process that clones itself has one thread."""
_OURS = "haloforge.sandbox."
_ModuleType = type(sys)


def hold(modules: list[str], packages: list[str]) -> None:
    """Import `modules`, with `packages` (paths in a site-packages folder) importable, then and later.

    Raises OSError; its file name is the word import and the module.
    """
    import importlib
    import site

    # What `site` does for a Python that was started without -S; programs call exit().
    site.setquit()
    site.setcopyright()
    site.sethelper()
    sys.path += dict.fromkeys(os.path.dirname(path) for path in packages)
    for name in (SCRIPT, *modules):
        try:
            _stand_in_for_packages(name)
            importlib.import_module(name)
        except Exception as e:
            raise OSError(0, f"{type(e).__name__}: {e}", f"import {name}") from e
        if len(os.listdir("/proc/self/task")) > 1:
            raise OSError(0, "it starts threads, which no process that clones itself may have", f"import {name}")


def _stand_in_for_packages(name: str) -> None:
    """For the packages of haloforge that `name` lies in: their own `__init__` would import half of it."""
    parts = name.split(".")
    if parts[0] != "haloforge":
        return
    for n in range(2, len(parts)):
        package = ".".join(parts[:n])
        if package not in sys.modules:
            module = sys.modules[package] = _ModuleType(package)
            module.__path__ = [f"{sys.modules['haloforge'].__path__[0]}/{'/'.join(parts[1:n])}"]


def find(entry: str) -> Callable[[bytes], object]:
    """The function of "module:function". Raises LookupError or AttributeError."""
    module, _, name = entry.partition(":")
    return getattr(sys.modules[module], name)


def run(function: Callable[[bytes], object], argument: bytes, work: str) -> NoReturn:
    """Be a Python that has just been started in `work`, call the function, and end as Python ends."""
    code = 1
    try:
        # Only now: process 1 itself must never import from the sample's folder.
        sys.path.insert(0, work)
        sys.dont_write_bytecode = True
        sys.argv[:] = [""]
        sys.orig_argv[:] = [sys.executable]
        sys.modules["__main__"] = _ModuleType("__main__")
        # SIGPIPE and SIGXFSZ stay ignored, as Python has them.
        signal(SIGXCPU, SIG_DFL)
        signal(SIGINT, default_int_handler)
        if numpy_random := sys.modules.get("numpy.random"):
            numpy_random.seed()  # the module random does so by itself
        sys.setrecursionlimit(sys.getrecursionlimit() + _depth())
        gc.enable()
        code = _exit_code(function, argument)
    finally:
        os._exit(code)


def _exit_code(function: Callable[[bytes], object], argument: bytes) -> int:
    code = 0
    try:
        function(argument)
    except SystemExit as e:
        if e.code is not None and not isinstance(e.code, int):
            print(e.code, file=sys.stderr)
            code = 1
        else:
            code = (e.code or 0) & 0xFF
    except BaseException as e:
        traceback = e.__traceback__
        while traceback and str(traceback.tb_frame.f_globals.get("__name__")).startswith(_OURS):
            traceback = traceback.tb_next
        sys.excepthook(type(e), e.with_traceback(traceback), traceback)
        code = 1
    if threading := sys.modules.get("threading"):
        threading._shutdown()  # waits for those that are no daemons
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None and not stream.closed:
                stream.flush()
        except Exception:
            code = code or 120
    return code


def _depth() -> int:
    depth, frame = 0, sys._getframe()
    while frame := frame.f_back:  # type: ignore[assignment]
        depth += 1
    return depth
