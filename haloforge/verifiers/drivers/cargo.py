"""Cargo projects: the library and each file of tests as a crate of its own, built by rustc, called by our driver.

Not for what needs cargo: dependencies, build scripts, workspaces, tests of binaries, tests inside the library.
"""

from __future__ import annotations

import fnmatch
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from haloforge.source.assemble import Program
from haloforge.source.lexing import masked
from haloforge.verifiers.drivers import Driven, NotDriven, Secret
from haloforge.verifiers.drivers import rust as driver
from haloforge.verifiers.languages.rustc import rustc

_PROGRAM = "program"
_NOTHING = {
    "--offline", "--locked", "--frozen", "--quiet", "-q", "--verbose", "-v", "--no-fail-fast", "--tests", "--all",
    "--workspace",
}  # fmt: skip
"""Words of `cargo test` that change no verdict here."""
_NOTHING_OF_TESTS = re.compile(r"--(?:nocapture|no-capture|show-output|quiet|test-threads(?:=\d+)?)|-q|\d+")
_TEST = re.compile(r"#\s*\[\s*(?:\w+\s*::\s*)*test\b")


@dataclass
class _Command:
    """What the words after `cargo test` ask for."""

    features: list[str] = field(default_factory=list)
    default: bool = True
    every: bool = False
    ignored: str = "skip"


def drive(program: Program, words: Sequence[str], secret: Secret) -> Driven:
    """The project at `program.files`, ready to be built.

    Raises:
        NotDriven: it needs cargo itself, or the command asks for something that is not known here.
    """
    command = _read(words)
    manifest = _manifest(program)
    cfgs = _features(manifest.get("features", {}), command)
    package = manifest["package"]
    edition = package.get("edition", "2015")
    library = manifest.get("lib", {})
    root = library.get("path", "src/lib.rs")
    name = library.get("name", package["name"]).replace("-", "_")
    targets = list(_targets(manifest, program, cfgs))
    _nothing_else(program, root, targets)

    files, total, externs = dict(program.files), 0, {name: f"lib{name}.rlib"}
    files[program.code_path] = driver.refusal(program.code) or files[program.code_path]
    commands = [rustc(root, externs[name], edition=edition, kind="lib", name=name, cfgs=sorted(cfgs))]
    hidden: set[str] = set()
    tables = [f"{secret.name}_tests()"]
    for number, path in enumerate(targets):
        last = number == len(targets) - 1
        tests = driver.instrumented(files[path], secret, cfgs | {"test"}, command.ignored)
        total += tests.total
        text = tests.text + driver.crate_part(secret)
        crate = f"{secret.name}_{number}"
        if last:
            text += f"fn {secret.name}_all() -> {driver.u64(secret)} {{ {' + '.join(tables)} }}\n"
            text += f"fn main() {{ {secret.name}::main({secret.name}_all, {total}) }}\n"
        output = _PROGRAM if last else f"lib{crate}.rlib"
        kind = "bin" if last else "lib"
        commands.append(
            rustc(path, output, edition=edition, kind=kind, name=crate, cfgs=sorted(cfgs | {"test"}), externs=externs)
        )
        if not last:
            externs[crate] = output
            tables.append(f"::{crate}::{secret.name}_tests()")
        files[path], files[driver.driver_path(path, secret)] = text, driver.driver(secret, files[path])
        hidden |= {path, driver.driver_path(path, secret)}
    for path in files:
        if path.startswith("tests/") and path.endswith(".rs") and path not in hidden:
            files[path] = driver.by_path(files[path], secret)
    if not total:
        raise NotDriven("the project's tests/ has no test that this command runs")
    return Driven(files, targets[-1], total, tuple(commands), tuple(sorted(hidden)))


def _read(words: Sequence[str]) -> _Command:
    command, at = _Command(), 0
    cut = list(words).index("--") if "--" in words else len(words)
    while at < cut:
        word, at = words[at], at + 1
        name, _, value = word.partition("=")
        if name in ("--features", "-F"):
            if not value and at < cut:
                value, at = words[at], at + 1
            command.features += re.split(r"[\s,]+", value.strip())
        elif word == "--all-features":
            command.every = True
        elif word == "--no-default-features":
            command.default = False
        elif word not in _NOTHING:
            raise NotDriven(f"{word!r} in cargo test is not known here")
    for word in words[cut + 1 :]:
        if word in ("--include-ignored", "--ignored"):
            command.ignored = "include" if word == "--include-ignored" else "only"
        elif not _NOTHING_OF_TESTS.fullmatch(word):
            raise NotDriven(f"{word!r} behind cargo test -- is not known here")
    return command


def _manifest(program: Program) -> dict[str, Any]:
    try:
        manifest = tomllib.loads(program.files["Cargo.toml"])
    except KeyError:
        raise NotDriven("the project has no Cargo.toml") from None
    except tomllib.TOMLDecodeError as e:
        raise NotDriven(f"Cargo.toml cannot be read: {e}") from e
    package = manifest.get("package")
    if not isinstance(package, dict) or not isinstance(package.get("name"), str):
        raise NotDriven("Cargo.toml has no [package] with a name")
    if not isinstance(package.get("edition", ""), str) or "workspace" in manifest:
        raise NotDriven("Cargo.toml is of a workspace")
    needed = sorted(_dependencies(manifest))
    if needed:
        raise NotDriven(f"Cargo.toml needs the crates {', '.join(needed)}; only the standard library is here")
    if package.get("build", "build.rs" in program.files):
        raise NotDriven("the project has a build script")
    if manifest.get("lib", {}).get("proc-macro"):
        raise NotDriven("the library is a procedural macro")
    if package.get("autotests") is False and "test" not in manifest:
        raise NotDriven("Cargo.toml has no tests: autotests is false")
    return manifest


def _dependencies(tables: dict[str, Any]) -> Iterator[str]:
    for kind in ("dependencies", "dev-dependencies", "build-dependencies"):
        for name, said in tables.get(kind, {}).items():
            if not (isinstance(said, dict) and said.get("optional")):
                yield name
    for table in tables.get("target", {}).values():
        yield from _dependencies(table)


def _features(table: dict[str, list[str]], command: _Command) -> frozenset[str]:
    """`feature="x"` of all that are on. Raises NotDriven where one brings a dependency."""
    wanted = [*command.features, *(["default"] if command.default else []), *(table if command.every else [])]
    on: set[str] = set()
    while wanted:
        name = wanted.pop()
        if name in on or (name == "default" and name not in table):
            continue
        if name not in table:
            raise NotDriven(f"the feature {name} is not in Cargo.toml, or brings a dependency")
        on.add(name)
        wanted += table[name]
    return frozenset(f'feature="{name}"' for name in on)


def _targets(manifest: dict[str, Any], program: Program, cfgs: frozenset[str]) -> Iterator[str]:
    """Root files of the crates with tests, as cargo finds them."""
    said = manifest.get("test", [])
    paths = set()
    for target in said:
        path = target.get("path", f"tests/{target.get('name')}.rs")
        paths.add(path)
        if target.get("harness") is False:
            raise NotDriven(f"{path} has a harness of its own")
        if path not in program.files:
            raise NotDriven(f"Cargo.toml names {path}, which is not in the project")
        if all(f'feature="{name}"' in cfgs for name in target.get("required-features", ())):
            yield path
    if manifest["package"].get("autotests") is not False:
        for path in sorted(program.files):
            top = path.count("/") == 1 and fnmatch.fnmatchcase(path, "tests/*.rs")
            if (top or fnmatch.fnmatchcase(path, "tests/*/main.rs")) and path not in paths:
                yield path


def _nothing_else(program: Program, root: str, targets: list[str]) -> None:
    """Raises NotDriven where cargo would run tests that we do not, or the answer is what tests."""
    path = program.code_path
    if not targets:
        raise NotDriven("the project has no file in tests/")
    if path in targets or not path.endswith(".rs") or path.startswith("tests/"):
        raise NotDriven(f"the answer goes to {path}, which is no file of the library")
    for name, text in program.files.items():
        if name == path:  # nothing in it decides whether it is judged
            continue
        if "CARGO_BIN_EXE" in text:
            raise NotDriven(f"{name} starts a program that cargo builds")
        if name.endswith(".rs") and name not in targets and _TEST.search(masked(text, "rust")):
            raise NotDriven(f"{name} has tests that only cargo finds")
    if root not in program.files:
        raise NotDriven(f"the project has no library at {root}")
