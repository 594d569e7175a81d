"""`python -m haloforge.raft`: RAFT from a start point, prompts and a verifier. Without arguments, the demo.

Reads flags and config, brings up Ray and the actors, runs the loop, and says what came out.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from haloforge import config as schema
from haloforge import output_folder, paths
from haloforge.config import RaftConfig, Resolved
from haloforge.ledger import RunFolder
from haloforge.terminal import errors_shown, show, terminable
from haloforge.watching.curves import Curves
from haloforge.watching.progress import LOG_FILE, ProgressFile, log_file, seen_by_a_person, ticking, told
from haloforge.watching.stages import Progress, Several, Stage

if TYPE_CHECKING:
    from actors.cluster import Cluster
    from actors.crew import Plan
    from haloforge.models import StartPoint
    from haloforge.preparation import Prepared

log = logging.getLogger("haloforge")

DEMO = "demo.yaml"
DEMO_NAMES = {"model", "model.name", "sft_checkpoint", "prompts", "output_dir"}
"""The demo starts only where none of these is typed."""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command()
def train(
    config: Annotated[str | None, typer.Option(help="YAML file; alone or with flags, which win")] = None,
    checkpoint: Annotated[str | None, typer.Option(help="model or adapter folder to start from")] = None,
    model: Annotated[str | None, typer.Option(help="base model folder")] = None,
    prompts: Annotated[str | None, typer.Option(help="JSONL with one prompt per line")] = None,
    verifier: Annotated[str | None, typer.Option(help="gcc, auto, execution … (docs/VERIFIERS.md)")] = None,
    cycles: Annotated[int | None, typer.Option(help="RAFT cycles (5)")] = None,
    output: Annotated[str | None, typer.Option(help="run folder (models/raft)")] = None,
    lr_decay: Annotated[float | None, typer.Option(help="learning rate factor per cycle (0.85)")] = None,
    batch_size: Annotated[int | None, typer.Option(help="training.batch_size, samples per step")] = None,
    samples: Annotated[int | None, typer.Option(help="samples per prompt (8)")] = None,
    temperature: Annotated[float | None, typer.Option(help="sampling temperature (0.7)")] = None,
    host: Annotated[str | None, typer.Option(help="verifier msvc: the Windows machine")] = None,
    user: Annotated[str | None, typer.Option(help="verifier msvc: the user there")] = None,
    ssh_key: Annotated[str | None, typer.Option(help="verifier msvc: the private key's file")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="any key: training.learning_rate=2e-5")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="move an earlier run's folder aside and start anew")] = False,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="take and leave no verdicts in the cache")] = False,
    allow_weak: Annotated[bool, typer.Option("--allow-weak", help="go on without the full sandbox")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="check everything, say what would run, start nothing")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="only warnings, errors and the table at the end")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="tracebacks and debug logs")] = False,
) -> None:
    """Improve a model with a verifier as its teacher; without arguments, run the embedded demo."""
    typed: dict[str, Any] = {
        "sft_checkpoint": checkpoint,
        "model.name": model,
        "prompts": prompts,
        "verifier.type": verifier,
        "raft.num_cycles": cycles,
        "output_dir": output,
        "raft.lr_decay": lr_decay,
        "training.batch_size": batch_size,
        "raft.samples_per_prompt": samples,
        "generation.temperature": temperature,
        "verifier.args.host": host,
        "verifier.args.user": user,
        "verifier.args.ssh_key": ssh_key,
        "allow_weak": allow_weak or None,
        "verifiers.cache": False if no_cache else None,
    }
    with errors_shown(debug, quiet):
        settings = {key: value for key, value in typed.items() if value is not None}
        settings |= dict(schema.parse_setting(text) for text in set_ or [])
        demo = not any((config, model, checkpoint, prompts, output)) and not set(settings) & DEMO_NAMES
        if demo:
            log.info("no config, model, prompts or output is named: this is the embedded demo")
        run_command(resolved(DEMO if demo else config, settings, fresh), fresh, dry_run, quiet)


def resolved(config_name: str | None, typed: dict[str, Any], fresh: bool = False) -> Resolved[RaftConfig]:
    """Typed values over the config file, over what the run folder was started with (unless fresh), over defaults."""
    return output_folder.resolved(RaftConfig, config_name, typed, lambda config: config.output_dir, fresh)


def run_command(found: Resolved[RaftConfig], fresh: bool, dry_run: bool, quiet: bool = False) -> None:
    """Everything between the typed line and the exit code 0; all else is raised."""
    from haloforge.loop import finished
    from haloforge.preparation import prepare, warn_without_effect

    config = found.config
    folder = RunFolder(paths.output(config.output_dir))
    prepared = prepare(config)
    warn_without_effect(config, found.sources, prepared.prompts.values())
    if dry_run:
        folder.require_place()
        if not fresh:
            folder.load()
            check_identity(folder, config, prepared)
        show(*dry_run_lines(found, prepared, folder))
        return
    if fresh and (aside := folder.set_aside()):
        log.info("--fresh: the earlier run is now %s", aside)
    folder.open()
    try:
        with log_file(folder.path / LOG_FILE):
            log.info("run folder: %s", folder.path)
            check_identity(folder, config, prepared)
            if not finished(folder, config):
                asyncio.run(drive(config, prepared, folder, quiet))
    finally:
        folder.close()
    show_end(folder)


def dry_run_lines(found: Resolved[RaftConfig], prepared: Prepared, folder: RunFolder) -> list[str]:
    """What would run: inputs, counts, and every value that is not a default."""
    config = found.config
    done = sum(1 for entry in folder.statistics["cycles"] if entry["cycle"] and entry.get("complete"))
    going_on = f", goes on after cycle {done} of {config.raft.num_cycles}" if folder.statistics["cycles"] else ""
    start = prepared.start or "the practice base"
    samples = len(prepared.prompts) * config.raft.samples_per_prompt
    held_out = ", ".join(f"{name} {len(prompts)}" for name, prompts in prepared.held_out.items()) or "none"
    lines = [
        "dry run: everything was checked but the cluster, and nothing was started",
        f"start point: {start if isinstance(start, str) else start.adapter_dir or start.base_dir}",
        f"prompts: {len(prepared.prompts)} to train on; held out: {held_out}",
        f"samples per cycle: {samples}; cycles: {config.raft.num_cycles}; verifier: {config.verifier.type}",
        f"run folder: {prepared.output}{going_on}",
        "settings that are not defaults:",
    ]
    return lines + [f"  {line}" for line in schema.described(found, defaults=False)]


def identity(config: RaftConfig, prepared: Prepared) -> dict[str, Any]:
    """All that makes a run the run it is: settings, and digests of the prompts and the start point."""
    digests = {"prompts_digest": prepared.prompts_digest, "start_digest": prepared.start_digest}
    return {**schema.identity(config), **digests}


def check_identity(folder: RunFolder, config: RaftConfig, prepared: Prepared) -> None:
    """Refuse to continue a run that was another one, and say by which settings."""
    before = folder.statistics["run"].get("identity")
    if before is not None:
        folder.require_same(schema.over_defaults(before), identity(config, prepared))


def record_identity(folder: RunFolder, config: RaftConfig, prepared: Prepared, nodes: dict[str, Any]) -> None:
    """Write what this run is; only once it really starts, so that a refused setting is not taken up again."""
    from haloforge.versions import versions

    folder.statistics["run"] |= {"identity": identity(config, prepared), "name": folder.path.name}
    folder.write_config(config.model_dump(mode="json"))
    folder.write_json("versions.json", {**versions(), "nodes": nodes})
    folder.save()


async def drive(config: RaftConfig, prepared: Prepared, folder: RunFolder, quiet: bool = False) -> None:
    """Bring up Ray and the actors, run the loop, and take down what was brought up; a signal ends it in order."""
    from actors.cluster import connect
    from actors.crew import crew, plan
    from actors.metrics import RayMetrics, gpus_watched
    from haloforge.loop import Run, run_raft
    from haloforge.preparation import cache_of

    file = ProgressFile(folder.path)
    shown = Several(file, *seen_by_a_person(quiet), Curves(folder.path))
    joined = connect(folder.path.name, config.cluster)
    with told(shown), joined as cluster, terminable():  # after Ray, which sets handlers of its own
        file.facts |= {"dashboard": cluster.dashboard, "ray_address": cluster.address, "namespace": cluster.namespace}
        metrics = RayMetrics(folder.path.name)
        progress = Several(metrics, shown)
        async with ticking(progress), AsyncExitStack() as open_until_end:
            share = await plan(cluster, config, prepared.model_dir, prepared.every_prompt)
            start = prepared.start or await practice_base(prepared, cluster, share, progress)
            folder.statistics["run"]["base"] = start.base_dir
            adapter = Path(start.adapter_dir) if start.adapter_dir else None
            with progress.during(Stage("start engine, trainer and verifiers")):
                ports = await open_until_end.enter_async_context(crew(cluster, config, start, share))
            record_identity(folder, config, prepared, share.nodes)
            watched = {"generator-0": ports[0].status, "trainer-0": ports[2].status}
            await open_until_end.enter_async_context(gpus_watched(metrics, watched))
            held_out, control_of = prepared.held_out, prepared.control_of
            cache = open_until_end.enter_context(closing(cache_of(config, share.machines)))
            run = Run(
                config, folder, prepared.prompts, held_out, *ports, adapter, control_of, cache=cache, progress=progress
            )
            await run_raft(run)


async def practice_base(prepared: Prepared, cluster: Cluster, share: Plan, progress: Progress) -> StartPoint:
    """The demo's own base, trained by the SFT stage on first use."""
    from actors.sft import Place, train_in_actor
    from haloforge.models import StartPoint

    practice = prepared.practice
    assert practice is not None
    if not practice.is_built():
        log.info("training the practice base from random weights (once; it is kept in %s)", practice.folder)
        place = Place(share.trainer, 1 if share.gpus.trainer_gpus else 0)
        job = practice.sft_job(place.threads)
        with progress.during(Stage("build the practice base", unit="steps", total=practice.recipe.steps)) as stage:
            report = await train_in_actor(cluster, place, job, practice.base, stage.take_row)
        log.info("practice base: %d steps in %.0f s", report.update.optimizer_steps, report.update.seconds)
    return StartPoint(str(practice.base))


def show_end(folder: RunFolder) -> None:
    """The table, the best cycle, where everything is, and what to type next."""
    from haloforge.watching import report

    show(*report.ending(folder.statistics, folder.path))


if __name__ == "__main__":
    app()
