"""Go project folders: what `go test` would run, built package by package, with the same driver as single answers.

One module without requirements, with packages in sub-folders and `_test.go` files inside and beside (`x_test`) a
package. Files for some systems only, cgo and embedded files are refused by name, as are commands that ask for more.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from haloforge.source.assemble import Program
from haloforge.source.assemble.go import test_names
from haloforge.source.lexing import masked, words
from haloforge.verifiers.drivers import Driven, NotDriven, Secret
from haloforge.verifiers.drivers.go import (
    Package,
    check_tests,
    driven,
    examples,
    guard,
    hidden,
    imports,
    package_name,
    renamed,
)
from haloforge.verifiers.go_toolchain import toolchain

_NO_EFFECT = re.compile(r"--?(?:v|json|cover|failfast|(?:count|timeout|vet|shuffle)=\S+)$")
_SYSTEM = re.compile(
    r"_(?:aix|android|darwin|dragonfly|freebsd|illumos|ios|js|linux|netbsd|openbsd|plan9|solaris|wasip1|windows|386|"
    r"amd64|arm|arm64|loong64|mips|mips64|mips64le|mipsle|ppc64|ppc64le|riscv64|s390x|wasm)(?:_test)?\.go$"
)
_UNSEEN = re.compile(r"(?:^|/)(?:testdata|vendor|[._][^/]*)(?:/|$)")
"""Folders in which the go command looks for no packages, and files that it leaves alone."""


def drive(program: Program, arguments: Sequence[str], secret: Secret) -> Driven:
    """The tests of the packages that a `go test` names.

    Args:
        arguments: flags that change no verdict, and packages: none, `.`, `./...`, `./folder`, `./folder/...`.

    Raises:
        NotDriven: the command or the project is of a kind that we don't run; the text says what.
    """
    patterns = [word for word in arguments if not _NO_EFFECT.match(word)] or ["."]
    if unknown := [word for word in patterns if not re.match(r"\.(?:/|$)", word)]:
        raise NotDriven(
            f"cmd {program.cmd!r} has {unknown[0]!r}; known are packages such as ./... and flags such as -v"
        )
    theirs = {name: text for name, text in program.files.items() if name != program.code_path}
    module, flags = _module(theirs)
    folders: dict[str, list[str]] = {}
    for name in sorted(map(posixpath.normpath, program.files)):
        if name.endswith(".go") and not _UNSEEN.search(name):
            folders.setdefault(posixpath.dirname(name), []).append(name)
    files, packages = {posixpath.normpath(name): text for name, text in program.files.items()}, []
    for folder, names in folders.items():
        covered = any(_covers(pattern, folder) for pattern in patterns)
        chosen = [name for name in names if covered or not name.endswith("_test.go")]
        packages += _of_folder(posixpath.join(module, folder).rstrip("/"), folder, chosen, theirs, files, flags, secret)
    if not any(package.tests or package.examples for package in packages):
        raise NotDriven(f"no package that {program.cmd!r} names has a function Test… (t *testing.T)")
    ordered = _ordered(packages, files, theirs)
    return driven(files, ordered, secret, [test for package in ordered for test in package.tests])


def _covers(pattern: str, folder: str) -> bool:
    whole = posixpath.normpath(pattern)
    if posixpath.basename(whole) == "...":
        above = posixpath.dirname(whole)
        return not above or folder == above or folder.startswith(above + "/")
    return folder == ("" if whole == "." else whole)


def _module(theirs: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """The module's path, and the compiler's flags for the language version that it names."""
    files = [name for name in theirs if posixpath.basename(name) in ("go.mod", "go.work")]
    if files != ["go.mod"]:
        raise NotDriven(f"the project has {', '.join(files) or 'no go.mod'}; wanted is one go.mod, at its top")
    text = re.sub(r"//[^\n]*", "", theirs["go.mod"])
    found = re.search(r"^\s*module\s+\"?([^\s\"]+)", text, re.M)
    required = re.findall(r"^\s*(?:require\s+)?([\w.-]+\.[\w.-]+/\S+)\s+v\d", text, re.M)
    if not found or required or re.search(r"^\s*require\b", text, re.M):
        raise NotDriven(f"go.mod requires {', '.join(dict.fromkeys(required)) or 'modules'}: there is no network")
    language = re.search(r"^\s*go\s+(\d+)\.(\d+)", text, re.M)
    version = (int(language[1]), int(language[2])) if language else (1, 16)  # the go command's default
    if version > (release := toolchain().release):  # what it then says of an answer may be its own fault
        raise NotDriven(f"go.mod wants Go {version[0]}.{version[1]}; here is Go {release[0]}.{release[1]}")
    return found[1], (f"-lang=go{version[0]}.{version[1]}",)


def _of_folder(
    path: str,
    folder: str,
    names: list[str],
    theirs: Mapping[str, str],
    files: dict[str, str],
    flags: tuple[str, ...],
    secret: Secret,
) -> list[Package]:
    """The package of a folder with the tests inside it, and the package of those beside it; `files` gets our guard."""
    answer = [name for name in names if name not in theirs]
    tests = [name for name in names if name.endswith("_test.go")]
    code = [name for name in names if name not in tests]
    if set(answer) & set(tests):
        raise NotDriven(f"the answer is a test file, {answer[0]}")
    for name in set(names) - set(answer):
        _check(name, theirs[name])
    said = {
        package_name(theirs[name]).removesuffix("_test" if name in tests else "") for name in set(names) - set(answer)
    }
    if len(said) > 1:
        raise NotDriven(f"{folder or 'the top folder'} has the packages {', '.join(sorted(said))}; wanted is one")
    own = said.pop() if said else package_name(files[answer[0]])
    beside = [name for name in tests if package_name(files[name]) == f"{own}_test"]
    inside = [name for name in tests if name not in beside]
    called = [tuple(test for name in part for test in test_names(theirs[name])) for part in (inside, beside)]
    texts = ["\n".join(theirs[name] for name in part) for part in (inside, beside)]
    mains = [check_tests(text) for text in texts]
    shown = [tuple(example for name in part for example in examples(theirs[name])) for part in (inside, beside)]
    if answer:  # ours says which package it is, also where the answer says another one
        taken = hidden(texts[0], "\n".join(files[name] for name in answer), secret)
        files |= {name: renamed(files[name], taken) for name in inside}
        ours = posixpath.join(folder, f"{secret.name}_test.go")
        files[ours] = guard(own, words(masked(texts[0], "go")), taken, secret)
        inside = [*inside, ours]
    where = folder or "."
    found = [
        Package(path, (*code, *inside), called[0], mains[0], shown[0], (), where, flags),
        # By a name that nobody knows: nothing can import the tests.
        Package(f"{secret.name}/{path}_test", (*beside,), called[1], mains[1], shown[1], (), where, flags),
    ]
    return [package for package in found if package.files]


def _check(name: str, text: str) -> None:
    if _SYSTEM.search("/" + name) or re.search(r"^//(?:go:build|\s*\+build)\b", text, re.M):
        raise NotDriven(f"{name} is built on some systems only")
    if "C" in imports(text) or re.search(r"^//go:embed\b", text, re.M):
        raise NotDriven(f"{name} uses cgo or embedded files")


def _ordered(packages: list[Package], files: Mapping[str, str], theirs: Mapping[str, str]) -> list[Package]:
    """Each behind those that it imports; where imports go round through the answer, the compiler will say so.

    Raises:
        NotDriven: they go round, or to a package that is not there, whatever the answer imports.
    """
    by_path = {package.path: package for package in packages}
    foreign = {need for p in packages for name in p.files if name in theirs for need in imports(files[name])}
    foreign -= {*by_path, *toolchain().public}
    if foreign:
        raise NotDriven(f"the project imports {', '.join(sorted(foreign))}, which it does not have")

    def order(whose: Mapping[str, str]) -> list[Package]:
        needs = {
            p.path: sorted({n for name in p.files if name in whose for n in imports(files[name])} & set(by_path))
            for p in packages
        }
        return [by_path[path] for path in TopologicalSorter(needs).static_order()]

    try:
        without_answer = order(theirs)
    except CycleError as e:
        raise NotDriven(f"tests and packages import each other: {', '.join(e.args[1])}") from e
    try:
        return order(files)
    except CycleError:
        return without_answer
