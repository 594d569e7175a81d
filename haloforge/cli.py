"""`haloforge …`: one door to all commands. Imports torch, vllm and ray only once a command needs them."""

from __future__ import annotations

import typer

from haloforge import __version__, config_cli, raft, sft

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Improve a code model with nothing but compilers and tests.",
)
raft_app = typer.Typer(no_args_is_help=True, help="RAFT: sample, verify, keep, train, swap, repeat.")
raft_app.command("train")(raft.train)
app.add_typer(raft_app, name="raft")
sft_app = typer.Typer(no_args_is_help=True, help="Supervised fine-tuning on prompts with answers.")
sft_app.command("train")(sft.train)
app.add_typer(sft_app, name="sft")
app.add_typer(config_cli.app, name="config")


@app.command()
def version() -> None:
    """Print the version."""
    print(__version__)


def main() -> None:
    app()


if __name__ == "__main__":
    main()
