"""A user's own verifiers: `module:Class` or `file.py:Class`, found, checked, and carried to every node.

    code = carried("checks.py:ShortEnough", {})   # where the run starts
    arrived(code)                                 # on a node; find("checks.py:ShortEnough") then works there too

A class travels as the text of the Python files that it is made of: its file or package and what these import from
beside them. What is installed does not travel, nor do data files: every node must have them.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import inspect
import os
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any

from haloforge import paths
from haloforge.errors import BadInput, MissingTool
from haloforge.verifiers.base import Verifier

MOST_BYTES = 4 << 20
"""Of one class's files: more is data, or another project."""
_OURS = ("haloforge", "actors")
"""They travel with the run."""


@dataclass(frozen=True, slots=True)
class Code:
    """What a class is made of."""

    place: str
    """A file in `files`, or a module's name."""
    files: dict[str, str]
    """Relative path → text."""


_arrived: dict[str, tuple[Path, str]] = {}
"""What the user wrote before the class's name → folder on this node, and what to import from there."""


def is_custom(named: str) -> bool:
    """Whether that is the name of a class, and not of a verifier of ours."""
    return ":" in named or "." in named


def find(named: str) -> type[Verifier]:
    """The class `module:Class`, `module.Class` or `file.py:Class`.

    Raises:
        BadInput: there is none, or it is no verifier.
        MissingTool: something that it imports is absent on this node.
    """
    place, name = _split(named)
    try:
        module = _imported(place)
    except ImportError as e:
        raise MissingTool(f"verifier.class {named!r} cannot be imported: {e}; {_REMEDY}") from e
    except BadInput:
        raise
    except Exception as e:  # whatever a user's module does while it is imported
        raise BadInput(f"verifier.class {named!r} cannot be imported: {_told(e)}") from e
    found = getattr(module, name, None)
    if found is None:
        raise BadInput(f"verifier.class {named!r} cannot be imported: {module.__file__} has no {name!r}")
    if not (isinstance(found, type) and issubclass(found, Verifier)):
        raise BadInput(f"verifier.class {named!r} is no subclass of haloforge.verifiers.Verifier; make it one")
    if found.verify is Verifier.verify and found.judge is Verifier.judge:
        raise BadInput(
            f"verifier.class {named!r} lacks verify; wanted is verify(self, code) or verify(self, code, task)"
        )
    signature = inspect.signature(found.verify)
    try:
        signature.bind(None, "code")
    except TypeError as e:
        raise BadInput(
            f"verifier.class {named!r} has verify{signature}; wanted is verify(self, code) or verify(self, code, task)"
        ) from e
    return found


_REMEDY = "a file is looked for beside the config and where you are, a module also on PYTHONPATH"


def _split(named: str) -> tuple[str, str]:
    place, _, name = named.rpartition(":" if ":" in named else ".")
    if not place or not name.isidentifier():
        raise BadInput(f"verifier.class is {named!r}; wanted is package.module:Class or file.py:Class")
    return place, name


def _told(error: BaseException) -> str:
    where = ""
    for frame in inspect.getinnerframes(error.__traceback__) if error.__traceback__ else ():
        if "importlib" not in frame.filename and not frame.filename.startswith(os.path.dirname(__file__)):
            where = f" ({frame.filename}, line {frame.lineno})"
    return f"{type(error).__name__}: {error}{where}"


def _imported(place: str) -> ModuleType:
    if place in _arrived:
        folder, place = _arrived[place]
    elif place.endswith(".py"):
        folder, place = _file(place).parent, _file(place).name
    else:
        folder = Path.cwd()  # as under `python -m`, also for the command and in a job
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    if not place.endswith(".py"):
        return importlib.import_module(place)
    file = folder / place
    # Under a name of its own: a file may be called like a module that somebody has.
    name = f"{file.stem}_{hashlib.sha256(str(file).encode()).hexdigest()[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _file(place: str) -> Path:
    return paths.find_input(place, "verifier.class").absolute()


def carried(kind: str, arguments: Mapping[str, Any]) -> dict[str, Code]:
    """What a verifier of that kind, or the stages of a chain, need on a node besides haloforge.

    Raises:
        BadInput: it is more than a few files of Python.
    """
    found: dict[str, Code] = {}
    if is_custom(kind) and (code := _code(_split(kind)[0])):
        found[_split(kind)[0]] = code
    for stage in arguments.get("stages") or ():
        if isinstance(stage, Mapping):
            found |= carried(str(stage.get("type") or stage.get("class")), stage.get("args") or {})
    return found


def _code(place: str) -> Code | None:
    """None: it is installed, so every node must have it."""
    if place.endswith(".py"):
        file = _file(place)
        root, first = file.parent, [file]
        place = file.name
    else:
        top = importlib.util.find_spec(place.partition(".")[0])
        if top is None or top.name in _OURS:
            return None
        where = top.origin if top.origin and not top.submodule_search_locations else None
        origin = Path(where or next(iter(top.submodule_search_locations or [""])))
        if any(origin.is_relative_to(sysconfig.get_path(name)) for name in ("stdlib", "platlib", "purelib")):
            return None
        root, first = origin.parent.absolute(), list(_python(origin))
    files: dict[str, str] = {}
    size = 0
    while first:
        file = first.pop()
        name = file.relative_to(root).as_posix()
        if name in files:
            continue
        files[name] = file.read_text(encoding="utf-8")
        size += len(files[name])
        if size > MOST_BYTES:
            raise BadInput(
                f"verifier.class: {place} and what it imports from {root} are more than {MOST_BYTES >> 20} MiB; "
                "put the class into a folder of its own, or install it on every node"
            )
        for imported in _imports(files[name]):
            if imported not in _OURS:
                first += [*_python(root / f"{imported}.py"), *_python(root / imported)]
    return Code(place, files)


def _python(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from (file for file in path.rglob("*.py") if file.is_file())
    elif path.is_file():
        yield path


def _imports(text: str) -> Iterator[str]:
    """First parts of the names of modules that a file imports."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name.partition(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def arrived(code: Mapping[str, Code]) -> None:
    """Write down what came from another node, once for all processes of this one; `find` then knows it.

    Raises:
        MissingTool: it cannot be written.
    """
    for named, one in code.items():
        digest = hashlib.sha256()
        for name, text in sorted(one.files.items()):
            digest.update(f"{len(name)} {name} {len(text)} {text}".encode("utf-8", "surrogatepass"))
        folder = paths.home() / "cache" / "verifiers" / digest.hexdigest()[:32]
        try:
            _write(folder, one.files)
        except OSError as e:
            raise MissingTool(f"cannot write {folder}, which verifier.class {named!r} needs: {e.strerror}") from e
        _arrived[named] = (folder, one.place)


def _write(folder: Path, files: Mapping[str, str]) -> None:
    if folder.is_dir():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".part-", ignore_cleanup_errors=True) as part:
        whole = Path(part) / "whole"
        for name, text in files.items():
            assert ".." not in PurePosixPath(name).parts
            (whole / name).parent.mkdir(parents=True, exist_ok=True)
            (whole / name).write_text(text, encoding="utf-8")
        try:
            whole.rename(folder)
        except OSError:
            if not folder.is_dir():  # another process was quicker
                raise
