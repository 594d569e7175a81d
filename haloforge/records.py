"""The words that cross every border: prompt, sample, verdict.

Plain frozen dataclasses of standard types, so that they pickle, compare and print.
Not here: how any of them comes to be.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

# Statuses of a verdict (docs/ARCHITECTURE.md, "Verdicts").
PASSED = "passed"
COMPILED = "compiled"
WRONG_ANSWER = "wrong_answer"
TESTS_FAILED = "tests_failed"
RUNTIME_ERROR = "runtime_error"
TIMEOUT = "timeout"
MEMORY_LIMIT = "memory_limit"
OUTPUT_LIMIT = "output_limit"
COMPILE_ERROR = "compile_error"
NO_CODE = "no_code"
VIOLATION = "violation"
UNKNOWN = "unknown"
INFRA_ERROR = "infra_error"

STATUSES = (
    PASSED,
    COMPILED,
    WRONG_ANSWER,
    TESTS_FAILED,
    RUNTIME_ERROR,
    TIMEOUT,
    MEMORY_LIMIT,
    OUTPUT_LIMIT,
    COMPILE_ERROR,
    NO_CODE,
    VIOLATION,
    UNKNOWN,
    INFRA_ERROR,
)
UNDECIDED = (UNKNOWN, INFRA_ERROR)
"""Statuses that say nothing about the sample: reward null, in no rate, never trained on."""
BUILT = (PASSED, COMPILED, WRONG_ANSWER, TESTS_FAILED, RUNTIME_ERROR, TIMEOUT, MEMORY_LIMIT, OUTPUT_LIMIT)
"""Statuses that only a sample which compiled can have."""


# Limits where neither the task nor the user says any; a config's block `limits` and the verifiers take them from here.
CPU_S = 2.0
"""CPU seconds per case."""
COMPILE_CPU_S = 10.0
"""CPU seconds of the compiler."""
MEMORY_MB = 512
"""Of each run."""
REFERENCE_MULTIPLE = 10.0
"""Times the CPU seconds of a reference solution's longest case."""
REFERENCE_FLOOR_S = 1.0
"""CPU seconds at the least, whatever a reference solution takes."""
LEAST_CPU_S = 0.01
"""A shorter limit is a mistake: it would end programs that do nothing."""


@dataclass(frozen=True, slots=True)
class Case:
    """One stdin/stdout check of a prompt."""

    stdin: str
    expected_stdout: str


@dataclass(frozen=True, slots=True)
class Checker:
    """A program that says whether an output is right, for tasks with several right answers."""

    language: str
    code: str
    protocol: str
    """testlib | kattis | open-r1: how it is called and how it answers."""
    full_score: float | None = None
    """What a right answer earns, for a testlib checker that gives points; less is a wrong answer."""


TESTS_KINDS = (
    "stdio", "compile_only", "python", "append_main", "append_cfg_test", "go_test", "append_go_test", "files"
)  # fmt: skip
"""How an answer is checked (docs/DATA.md)."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A task: what the model is asked, and how its answer is checked."""

    id: str
    text: str
    language: str | None = None
    cases: tuple[Case, ...] = ()
    """Checks with stdin and expected stdout, of tests_kind stdio."""
    entry_point: str | None = None
    time_limit_s: float | None = None
    """CPU seconds per case; None takes the verifier's default."""
    memory_mb: int | None = None
    compare: str | None = None
    """One of compare.COMPARE_WORDS; None: the verifier's default, mostly tokens."""
    validator_flags: str | None = None
    """Flags of the Kattis default validator; where present, also empty, they win over `compare`.
    With a checker of protocol kattis they are its arguments."""
    cflags: str | None = None
    tests: str = ""
    """Test code in the answer's language, as its kind says: a main, a test module, a test file, statements."""
    tests_kind: str = ""
    """One of TESTS_KINDS; left out, it is stdio where there are cases, else compile_only."""
    files: dict[str, str] = field(default_factory=dict)
    """A project's other files, by relative path (tests_kind files)."""
    code_path: str | None = None
    """Where the answer goes in the project."""
    cmd: str | None = None
    """What runs the project's tests."""
    checker: Checker | None = None
    """Decides instead of `compare` where present."""
    reference: str | None = None
    """A solution that is right: its CPU time gives the limit where `time_limit_s` does not. Nobody is shown it."""
    metadata: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.tests_kind:
            object.__setattr__(self, "tests_kind", "stdio" if self.cases else "compile_only")

    @property
    def names_language(self) -> bool:
        """Whether it says what language an answer is in; "any" says nothing."""
        return (self.language or "").strip().lower() not in ("", "any")

    @property
    def has_checks(self) -> bool:
        """Whether an answer must pass something; without, it is only compiled."""
        return self.tests_kind != "compile_only"


@dataclass(frozen=True, slots=True)
class SampleRequest:
    """One completion that the sampler shall draw."""

    id: str
    prompt: Prompt
    cycle: int
    index: int
    seed: int
    temperature: float
    """0 is greedy decoding; the seed then has no effect."""
    max_new_tokens: int
    top_p: float = 1.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One completion of a prompt, as the engine gave it."""

    id: str
    prompt_id: str
    cycle: int
    index: int
    text: str
    prompt_token_ids: tuple[int, ...]
    token_ids: tuple[int, ...]
    """Sampled tokens in order; the end token is here only where it was sampled."""
    finish_reason: str
    """stop: the model ended its answer; length: it was cut off."""
    seed: int = 0
    temperature: float = 1.0


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """What verification said of one sample: the verdict, and its reward.

    Raises TypeError or ValueError where a field is not what it should be: nobody would see it later.
    """

    success: bool
    reward: float | None
    """0…1 from verifiers of ours, any finite number from others; None where the status is undecided."""
    details: str = ""
    error: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    status: str = ""
    """One of STATUSES; where a verifier gives none it follows from `success`."""
    passed: int = 0
    total: int = 0
    """Checks passed, of how many."""
    cpu_s: float = 0.0
    """CPU seconds of everything run for this verdict (compiler and cases)."""
    wall_s: float = 0.0
    level: str = ""
    """Strength of the sandbox that it ran in: ns | landlock | a weaker one by name."""
    trust: str = ""
    """output | split | in_process | build | custom | remote: how the verdict could be forged; "" where nothing was
    built, run or compared."""
    code: str = ""
    """The program that was judged, extracted from the sample's text."""
    cached: bool = False

    def __post_init__(self) -> None:
        for name in ("success", "reward"):
            value = getattr(self, name)
            if hasattr(value, "item"):  # of numpy or torch
                object.__setattr__(self, name, value.item())
        if not self.status:
            object.__setattr__(self, "status", PASSED if self.success else TESTS_FAILED)
        for name, kinds, wanted in (
            ("success", bool, "True or False"),
            ("reward", int | float | None, "a number, or None"),
            ("details", str, "a text"),
            ("error", str | None, "a text, or None"),
            ("metadata", dict, "a dict"),
            ("status", str, f"one of {', '.join(STATUSES)}"),
            *((name, int, "a whole number") for name in ("passed", "total")),
            *((name, int | float, "a number") for name in ("cpu_s", "wall_s")),
        ):
            if not isinstance(getattr(self, name), kinds):
                raise TypeError(f"a VerifyResult's {name} is {getattr(self, name)!r}; wanted is {wanted}")
        if self.reward is not None and not math.isfinite(self.reward):
            raise ValueError(f"a VerifyResult's reward is {self.reward}; wanted is a finite number, or None")
        if self.status not in STATUSES:
            raise ValueError(f"a VerifyResult's status is {self.status!r}; wanted is one of {', '.join(STATUSES)}")


@dataclass(frozen=True, slots=True)
class Judged:
    """A sample with its verdict."""

    sample: Sample
    result: VerifyResult


@dataclass(frozen=True, slots=True)
class TrainingExample:
    """Token ids to train on; only the completion carries loss."""

    id: str
    prompt_token_ids: tuple[int, ...]
    token_ids: tuple[int, ...]
