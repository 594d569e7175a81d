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
    from collections.abc import Callable, Iterator
    from importlib.machinery import ModuleSpec
    from importlib.metadata import Distribution, DistributionFinder
    from typing import NoReturn

SCRIPT = "haloforge.sandbox.script"
"""Every zygote with a flavour holds it."""
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""Set before modules are imported: a process that clones itself has one thread."""
_exit = os._exit  # a sample may have set the other name to something else
_DEEPER = 1
"""Frames between `run` and the function that it calls."""
_OURS = "haloforge.sandbox."
_INFO = ".dist-info"
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
    if packages:
        sys.meta_path.append(Shown(packages))
    for name in (SCRIPT, *modules):
        try:
            _stand_in_for_packages(name)
            importlib.import_module(name)
        except Exception as e:
            remedy = f"install it for {sys.executable}, name its package too, or leave it out"
            raise OSError(0, f"{type(e).__name__}: {e}; {remedy}", f"import {name}") from e
        if len(os.listdir("/proc/self/task")) > 1:
            raise OSError(
                0, "it starts threads, and a process that clones itself has none; leave it out", f"import {name}"
            )


class Shown:
    """Finds the packages that the box shows, and nothing else of the folder that they lie in.

    That folder on sys.path would also offer what cannot be opened in the box, or what should not be in it.
    """

    def __init__(self, paths: list[str]) -> None:
        self.paths = {_module_name(path): path for path in paths if not path.endswith(_INFO)}
        self.infos = [path for path in paths if path.endswith(_INFO)]

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        from importlib.machinery import ModuleSpec
        from importlib.util import spec_from_file_location

        if path is not None or name not in self.paths:
            return None
        file = self.paths[name]
        if not os.path.isdir(file):
            return spec_from_file_location(name, file)
        if os.path.exists(f"{file}/__init__.py"):
            return spec_from_file_location(name, f"{file}/__init__.py", submodule_search_locations=[file])
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = [file]
        return spec

    def find_distributions(self, context: DistributionFinder.Context) -> Iterator[Distribution]:
        from importlib.metadata import PathDistribution
        from pathlib import Path

        for path in self.infos:
            name = os.path.basename(path).partition("-")[0].replace(".", "_").lower()
            if (context.name or name).replace("-", "_").replace(".", "_").lower() == name:
                yield PathDistribution(Path(path))


def _module_name(path: str) -> str:
    name = os.path.basename(path)
    return name if os.path.isdir(path) else name.partition(".")[0]


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
        sys.setrecursionlimit(sys.getrecursionlimit() + _depth() + _DEEPER)  # programs count on all of it
        gc.enable()
        code = _exit_code(function, argument)
    finally:
        _exit(code)


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
