"""`haloforge …`: one door to all commands. Imports torch, vllm and ray only once a command needs them."""

from __future__ import annotations

from typing import Annotated

import typer

from haloforge import __version__, config_cli, doctor, raft, sft, verify_cli
from haloforge.terminal import errors_shown, show
from haloforge.watching import report
from haloforge.watching import status as run_status

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
app.command()(doctor.doctor)
app.command(cls=verify_cli.ClusterAlone)(verify_cli.verify)
app.add_typer(verify_cli.app, name="verifiers")


@app.command()
def status(
    run: Annotated[str | None, typer.Argument(help="run folder (the one that was written last)")] = None,
    actors: Annotated[bool, typer.Option("--actors", help="also ask the actors of a running run")] = False,
) -> None:
    """Say what a run is doing or has done, from its folder."""
    with errors_shown():
        found = run_status.read(run_status.find(run))
        show(*found.lines())
        if actors and found.holder and "ray_address" in found.progress:
            from actors.watching import statuses

            told = statuses(found.progress["ray_address"], found.progress["namespace"])
            show(*(f"{name}: {report.one_line(said)}" for name, said in told.items()))
        if found.statistics["cycles"]:
            show(*report.ending(found.statistics, found.folder, found.state == "finished"))


@app.command()
def version() -> None:
    """Print the version."""
    print(__version__)


def main() -> None:
    app()


if __name__ == "__main__":
    main()
