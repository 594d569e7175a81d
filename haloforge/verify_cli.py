"""`haloforge verify`: answers in, verdicts out, without a model or a run; and `haloforge verifiers list`."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import re
import sys
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from haloforge import config as schema
from haloforge import paths
from haloforge.errors import EXIT_DONE, EXIT_FAILURES, BadInput, MissingTool
from haloforge.records import COMPILED, INFRA_ERROR, STATUSES, UNKNOWN, Prompt, VerifyResult
from haloforge.terminal import errors_shown, show, tell, terminable, write_out
from haloforge.verdicts.rows import VerdictRows, line_of, row_of
from haloforge.watching.progress import seen_by_a_person, ticking, told
from haloforge.watching.stages import Several, Stage

if TYPE_CHECKING:
    from haloforge.tasks.answers import Answer, Bad
    from haloforge.verdicts.cache import VerdictCache
    from haloforge.verification import AnswerJudge
    from haloforge.verifiers import Verifier
    from haloforge.verifiers.self_test import Found

app = typer.Typer(no_args_is_help=True, help="What verifies here, and whether it works.")
HERE = "auto"
"""The cluster that runs on this machine."""


class ClusterAlone(TyperCommand):
    """Lets `--cluster` stand without an address, which typer's options cannot."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        after = dict(zip(args, [*args[1:], ""], strict=False))
        if "--cluster" in after and not re.fullmatch(rf"{HERE}|\S+:\d+", after["--cluster"]):
            args = [word for arg in args for word in ([arg, HERE] if arg == "--cluster" else [arg])]
        return super().parse_args(ctx, args)


Cluster = Annotated[
    str | None,
    typer.Option(metavar="[HOST:PORT]", help="use a Ray cluster; without an address the one that runs here"),
]


def verify(
    source: Annotated[str | None, typer.Argument(help="a source file, - for standard input, or a JSONL file")] = None,
    input: Annotated[str | None, typer.Option(help="JSONL with an answer per line")] = None,
    output: Annotated[str | None, typer.Option(help="JSONL with a verdict per line; unset: standard output")] = None,
    verifier: Annotated[str, typer.Option(help="one of `haloforge verifiers list`")] = "auto",
    prompts: Annotated[str | None, typer.Option(help="JSONL with the tasks that the answers name")] = None,
    language: Annotated[str | None, typer.Option(help="of the source file or of standard input")] = None,
    args: Annotated[list[str] | None, typer.Option(help="verifier.args: run_after_compile=true")] = None,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="a row that cannot be judged is `unknown`")] = False,
    max_workers: Annotated[int | None, typer.Option(min=1, help="answers judged at once (the cores)")] = None,
    cluster: Cluster = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="take and leave no verdicts in the cache")] = False,
    allow_weak: Annotated[bool, typer.Option("--allow-weak", help="go on without the full sandbox")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="no progress and no summary")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="tracebacks and debug logs")] = False,
) -> None:
    """Verify answers: a JSONL file of them, one source file, or standard input. Exit code 1: not all are good.

    The same command again goes on where an output file ends.
    """
    with errors_shown(debug, quiet):
        settings = dict(schema.parse_setting(text, "--args", "cpu_s=2") for text in args or [])
        if max_workers:
            settings["max_workers"] = max_workers
        if allow_weak:
            settings["allow_weak"] = True
        single = source is not None and not source.endswith(".jsonl")
        job = prepared(source, input, language, prompts, verifier, settings, skip_bad, cluster)
        stage = asyncio.run(play(job, output, no_cache, quiet, single and output is None))
        raise typer.Exit(EXIT_DONE if stage.solved == stage.done else EXIT_FAILURES)


@dataclass(frozen=True)
class Job:
    """Everything checked and nothing begun."""

    kind: str
    settings: dict[str, Any]
    """Arguments of the verifier's constructor."""
    verifier: Verifier
    answers: list[Answer]
    bad: list[Bad]
    languages: list[str]
    cluster: str | None

    @property
    def made_from(self) -> dict[str, Any]:
        """What an output must share to be gone on with."""
        from haloforge.verdicts.store import POOL_SETTINGS, deciding

        digest = hashlib.sha256()
        for a in sorted(self.answers, key=lambda a: a.id):
            whole = [a.id, a.text, a.as_it_stands, deciding(a.task).decode()]
            digest.update(json.dumps(whole).encode())
        for bad in sorted(self.bad, key=lambda bad: bad.id):
            digest.update(json.dumps([bad.id]).encode())
        settings = {name: value for name, value in self.settings.items() if name not in POOL_SETTINGS}
        plain = json.loads(json.dumps(settings, default=repr))
        return {"answers": digest.hexdigest(), "verifier": self.kind, "args": plain}


def prepared(
    source: str | None,
    input: str | None,
    language: str | None,
    prompts: str | None,
    kind: str,
    settings: dict[str, Any],
    skip_bad: bool,
    cluster: str | None,
) -> Job:
    """Read and check all that can be wrong. Raises BadInput or MissingTool before any work."""
    from haloforge.tasks.answers import Bad, read_answers
    from haloforge.tasks.prompts import read_prompts
    from haloforge.verifiers import get_verifier

    if (source is None) == (input is None):
        raise BadInput(
            "name what to verify, and one thing only: --input answers.jsonl, a source file, or - for standard input"
        )
    verifier = get_verifier(kind, **({"max_workers": os.cpu_count() or 1} | settings))
    bad: list[Bad] = []
    path = None
    if source is not None and not source.endswith(".jsonl"):
        if prompts:
            raise BadInput("--prompts has an effect with --input only: a source file names no task")
        answers = [_source(source, language)]
    else:
        if language:
            raise BadInput('--language has an effect on a source file only; in a row it is "language"')
        path = paths.find_input(input or source or "", "input")
        tasks = read_prompts(paths.find_input(prompts, "prompts")) if prompts else ()
        answers = read_answers(path, tasks, bad.append if skip_bad else None)
        if not answers and not bad:
            raise BadInput(f'{path} has no answers; a line is a JSON object with "code" or "completion"')
        _require_tests(verifier, answers, path, bool(prompts))
    unfit = [Bad(a.id, a.line, reason) for a in answers if (reason := _unfit(verifier, a.task))]
    if unfit and not skip_bad:
        first = unfit[0]
        more = f" (and {len(unfit) - 1} more)" if len(unfit) > 1 else ""
        where = f"{path}, line {first.line}, " if path else ""
        raise BadInput(f"{where}answer {first.id!r}{more}: {first.reason}; with --skip-bad such are `unknown`")
    bad += unfit
    left_out = {one.id for one in unfit}
    answers = [a for a in answers if a.id not in left_out]
    languages = _needed(verifier, [a.task for a in answers])
    if cluster is None:
        verifier.prepare(languages)
    return Job(kind, settings, verifier, answers, bad, languages, cluster)


def _require_tests(verifier: Verifier, answers: Sequence[Answer], path: Path, prompts: bool) -> None:
    """Raises BadInput where the tasks that the rows name must be in a file that nobody named: no row has any test, and
    all would be green that compile."""
    from haloforge.verifiers.programs import ProgramVerifier

    named = next((answer for answer in answers if answer.task_named), None)
    tests = any(answer.task.has_checks for answer in answers)
    if not named or prompts or tests or not isinstance(verifier, ProgramVerifier) or verifier.check_only:
        return
    raise BadInput(
        f"{path}, line {named.line} names a task ({named.task_named}), and no row has tests: name the file with the "
        'tasks, --prompts FILE, or give rows that shall only be compiled "tests_kind": "compile_only"'
    )


def _names_language(task: Prompt) -> bool:
    return task.names_language or bool(task.tests)


def _unfit(verifier: Verifier, task: Prompt) -> str:
    """Why the verifier cannot judge answers to this task, absent tools aside; "" where it can."""
    from haloforge.verifiers import languages_of

    try:
        verifier.check([task])
        for language in languages_of([task]) if _names_language(task) else ():
            with contextlib.suppress(MissingTool):
                verifier.required_tools(language)
    except BadInput as e:
        return str(e)
    return ""


def _needed(verifier: Verifier, tasks: Sequence[Prompt]) -> list[str]:
    """The languages whose tools must be there; of an answer that names none, C and C++ where the verifier has them."""
    from haloforge.verifiers import languages_of

    said = set(languages_of(t for t in tasks if _names_language(t)))
    usual = set(languages_of([Prompt("", "")])) & set(getattr(verifier, "rows", ()))
    return sorted(said | (usual if any(not _names_language(t) for t in tasks) else set()))


def _source(name: str, language: str | None) -> Answer:
    """A program as it stands in a file, or on standard input."""
    from haloforge.source.detect import known_language
    from haloforge.tasks.answers import Answer

    if language and known_language(language) is None:
        raise BadInput(f"--language is {language!r}, which haloforge does not know")
    if name == "-":
        content, name = sys.stdin.buffer.read(), "standard input"
    else:
        path = paths.find_input(name, "source file")
        try:
            content = path.read_bytes()
        except OSError as e:
            raise BadInput(f"cannot read {path}: {e.strerror}") from e
        suffix = path.suffix.removeprefix(".")
        language = language or known_language(suffix)
        if language is None:
            raise BadInput(f"{path}: no language has files named .{suffix}; say --language, or --input for rows")
    return Answer(name, content.decode("utf-8", "replace"), True, Prompt(name, "", language))


async def play(job: Job, output: str | None, no_cache: bool, quiet: bool, single: bool) -> Stage:
    """Verify what is missing; returns the counts of all."""
    rows = VerdictRows(paths.output(output), job.made_from) if output else None
    with rows or contextlib.nullcontext(), terminable():
        done = rows.done if rows else {}
        total = len(job.answers) + len(job.bad)
        stage = Stage("verify", unit="answers", total=total, done=len(done), cached=len(done))
        stage.statuses.update(row["status"] for row in done.values())
        stage.solved = sum(row["success"] for row in done.values())
        from_cache = 0

        def give(id: str, result: VerifyResult) -> None:
            nonlocal from_cache
            from_cache += result.cached
            if rows:
                rows.append(row_of(id, result))
            elif single:
                show(*in_words(id, result))
            else:
                write_out(line_of(row_of(id, result)))

        for bad in job.bad:
            if bad.id not in done:
                where = f"line {bad.line}: " if bad.line else ""
                give(bad.id, VerifyResult(False, None, where + bad.reason, status=UNKNOWN))
                stage.done += 1
                stage.statuses[UNKNOWN] += 1
        missing = [answer for answer in job.answers if answer.id not in done]
        if missing:
            shown = Several(*([] if single else seen_by_a_person(quiet)))
            async with judging(job, no_cache) as (judge, cache):
                stage.started = stage.clock()  # a cluster's answer is not the verifiers' time
                with told(shown), shown.during(stage):
                    async with ticking(shown):
                        from haloforge.verification import verify_answers

                        await verify_answers(missing, judge, cache, stage, lambda a, result: give(a.id, result))
    if not single and not quiet:
        summary(stage, from_cache, rows)
    return stage


@asynccontextmanager
async def judging(job: Job, no_cache: bool) -> AsyncIterator[tuple[AnswerJudge, VerdictCache]]:
    """Who judges, here or on a cluster, and what is known already."""
    from haloforge.verdicts.cache import verdict_cache

    async with contextlib.AsyncExitStack() as until_end:
        judge: AnswerJudge
        machines: list[Mapping[str, Any] | None]
        if job.cluster is None:
            from haloforge.verification import JudgeHere

            judge = until_end.enter_context(contextlib.closing(JudgeHere(job.verifier)))
            machines = [] if no_cache else [job.verifier.fingerprint()]
        else:
            from actors.verifying import verifiers_on

            on_cluster = verifiers_on(job.cluster, job.kind, job.settings, job.languages)
            judge, machines = await until_end.enter_async_context(on_cluster)
        cache = verdict_cache(job.kind, job.settings, machines, not no_cache)
        yield judge, until_end.enter_context(contextlib.closing(cache))


def in_words(name: str, result: VerifyResult) -> Iterable[str]:
    """A verdict for a person; what a program or compiler said is plain text."""
    from haloforge.verifiers.base import printable

    reward = "" if result.reward is None else f", reward {result.reward:g}"
    known = ", from the cache" if result.cached else ""
    ran = f"{result.cpu_s:.2f} s of CPU time, level {result.level}" if result.level else "not run"
    yield f"{printable(name, 200)}: {result.status}{reward} ({ran}{known})"
    for text in filter(None, (result.details, result.error)):
        yield from (f"  {line}" for line in printable(text, 2000).splitlines())


def summary(stage: Stage, from_cache: int, rows: VerdictRows | None) -> None:
    """Statuses and counts: on standard output, or on standard error where that has the rows."""
    said = {COMPILED: "   no test was run on these"}
    counted = [(status, stage.statuses[status]) for status in STATUSES if stage.statuses[status]]
    lines = [f"{status:<14} {count:>7}{said.get(status, '')}" for status, count in counted]
    new = stage.done - stage.cached
    words = [f"{stage.done} verdict{'' if stage.done == 1 else 's'}, {stage.solved} good"]
    if stage.cached:
        words.append(f"{stage.cached} {'was' if stage.cached == 1 else 'were'} there already")
    if from_cache:
        words.append(f"{from_cache} from the cache")
    words.append(f"{new} in {stage.seconds:.1f} s")
    if lost := stage.statuses[INFRA_ERROR]:
        words.append(f"{lost} lost to a fault of our side, which the same command asks for again")
    lines.append(", ".join(words) + (f": {paths.shown(rows.path)}" if rows else ""))
    if rows:
        show(*lines)
    else:
        tell("\n".join(lines))


@app.command("list", cls=ClusterAlone)
def list_verifiers(
    cluster: Cluster = None,
    debug: Annotated[bool, typer.Option("--debug", help="tracebacks and debug logs")] = False,
) -> None:
    """Print each verifier, its tools, and whether a good and a bad program get their verdicts. Exit code 1: no."""
    with errors_shown(debug, quiet=not debug):
        if cluster is None:
            from haloforge.verifiers.self_test import self_test

            level, found = self_test()
            nodes = [("this machine", level, found)]
        else:
            from actors.verifying import self_tests

            nodes = asyncio.run(self_tests(cluster))
        for number, (node, level, found) in enumerate(nodes):
            show(*([""] if number else []), *listed(node, level, found))
        broken = any(one.works is False for _, _, found in nodes for one in found)
        raise typer.Exit(EXIT_FAILURES if broken else EXIT_DONE)


def listed(node: str, level: str, found: Iterable[Found]) -> Iterable[str]:
    """A node's verifiers, a language a line."""
    yield f"{node}: {level}"
    last = ""
    for one in found:
        tools = ", ".join(version or f"no {tool}" for tool, version in one.tools.items())
        how = {True: "works: ", False: "FAILED: ", None: ""}[one.works]
        name, last = one.verifier if one.verifier != last else "", one.verifier
        yield f"{name:<10} {one.language:<11} {how}{one.words}"
        if tools:
            yield f"{'':<10} {'':<11} {tools}"
