"""`haloforge config show|validate|schema`: what a config says, whether it is right, and the schema for editors."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer

from haloforge import config as schema
from haloforge import paths
from haloforge.config import Layer, RaftConfig, Resolved, SftConfig
from haloforge.errors import BadInput
from haloforge.terminal import errors_shown

SCHEMAS: dict[str, type[RaftConfig] | type[SftConfig]] = {"raft": RaftConfig, "sft": SftConfig}
For = Annotated[str | None, typer.Option("--for", help="raft or sft; unset: what the file's keys fit")]

app = typer.Typer(no_args_is_help=True, help="Show, check and describe configs.")


@app.command()
def show(
    config: Annotated[str | None, typer.Option(help="YAML file")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="any key: training.learning_rate=2e-5")] = None,
    for_: For = None,
) -> None:
    """Print every value, and where it comes from."""
    with errors_shown():
        typed = dict(schema.parse_setting(text) for text in set_ or [])
        for line in schema.described(read(config, typed, for_)):
            print(line)


@app.command()
def validate(
    files: Annotated[list[str], typer.Argument(help="YAML files")],
    for_: For = None,
) -> None:
    """Check files against the schema; the exit code is 2 where one is wrong."""
    with errors_shown():
        wrong = []
        for file in files:
            try:
                found = read(file, {}, for_)
                check_verifier(file, found.config)
                print(f"{file}: ok ({'raft' if isinstance(found.config, RaftConfig) else 'sft'})")
            except BadInput as e:
                wrong.append(str(e))
        if wrong:
            raise BadInput("\n  ".join(wrong))


def check_verifier(file: str, config: RaftConfig | SftConfig) -> None:
    """Raises BadInput where a RAFT config names a verifier that there is none of."""
    from haloforge.verifiers import kind_of

    if isinstance(config, RaftConfig):
        try:
            kind_of(config.verifier.type)
        except BadInput as e:
            raise BadInput(f"{file}: {e}") from e


@app.command("schema")
def print_schema(kind: Annotated[str, typer.Argument(help="raft or sft")] = "raft") -> None:
    """Print the JSON schema, for editors that complete and check YAML."""
    with errors_shown():
        print(json.dumps(chosen(kind).model_json_schema(), indent=2, ensure_ascii=False))


def read(config: str | None, typed: Mapping[str, Any], kind: str | None) -> Resolved[Any]:
    """A file (or none) and typed values under the schema that is asked for, or that fits the keys."""
    layers = [schema.read_file(paths.find_config(config))] if config else []
    layers.append(Layer("--set", typed))
    keys = {key for layer in layers for key in layer.values}
    return schema.resolve(chosen(kind) if kind else fitting(keys), layers)


def chosen(kind: str) -> type[RaftConfig] | type[SftConfig]:
    if kind not in SCHEMAS:
        raise BadInput(f"there is no schema {kind!r}; known are {' and '.join(SCHEMAS)}")
    return SCHEMAS[kind]


def fitting(keys: Iterable[str]) -> type[RaftConfig] | type[SftConfig]:
    """The schema that knows most of the keys and of their blocks; RAFT's where both know as many."""
    known = {kind: set(schema.known_keys(kind)) for kind in SCHEMAS.values()}
    names = [name for key in keys for name in (key, key.partition(".")[0])]
    return max(known, key=lambda kind: sum(name in known[kind] for name in names))
