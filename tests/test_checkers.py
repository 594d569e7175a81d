"""Checkers and modes: who is called how, with which files, whose fault an ending is, and what the sample never sees."""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from dataclasses import replace

import pytest

from haloforge import sandbox
from haloforge.errors import BadInput, MissingTool, SandboxFault
from haloforge.records import Case, Checker, Prompt
from haloforge.sandbox import LANDLOCK, NS
from haloforge.verifiers import ExecutionVerifier, GCCVerifier, check_ready, checkers

pytestmark = pytest.mark.sandbox

PRINT = '#include <stdio.h>\nint main(void) {{ fputs("{}", stdout); return 0; }}\n'
# Accepts any two numbers with the sum that the input names; the answer must be one such pair.
SUM_C = """
#include <stdio.h>
int pair(const char *name, int *sum) {
  FILE *f = fopen(name, "r"); int a, b; char rest;
  if (!f) return 3;
  int n = fscanf(f, "%d %d %c", &a, &b, &rest);
  return n == 2 ? (*sum = a + b, 0) : n == 3 ? 4 : 2;
}
int main(int argc, char **argv) {
  int wanted, given, sum, fault; FILE *f = fopen(argv[1], "r");
  if (argc != 4 || !f || fscanf(f, "%d", &wanted) != 1) return 3;
  if (pair(argv[3], &given) || given != wanted) { fputs("FAIL the answer is wrong\\n", stderr); return 3; }
  if ((fault = pair(argv[2], &sum))) { fputs("wrong output format\\n", stderr); return fault; }
  if (sum != wanted) { fprintf(stderr, "wrong answer %d is not %d\\n", sum, wanted); return 1; }
  return 0;
}
"""
TESTLIB = Checker("c", SUM_C, "testlib")
KATTIS = Checker(
    "python",
    """
import sys
wanted, answer, folder, *flags = sys.argv[1:]
assert folder.endswith("/") and open(answer).read().split(), "an answer and a folder"
numbers = sys.stdin.read().split()
if len(numbers) == 2 and sum(map(int, numbers)) == int(open(wanted).read()):
    sys.exit(42)
with open(folder + "judgemessage.txt", "w") as f:
    f.write(f"{numbers} is not {open(wanted).read().strip()}; flags {flags}")
sys.exit(43)
""",
    "kattis",
)
OPEN_R1 = Checker(
    "python",
    """
import sys
def numbers(name):
    with open(name) as f:
        return [int(word) for word in f.read().split()]
def main():
    (wanted,), given, sample = map(numbers, sys.argv[1:])
    assert sum(given) == wanted
    print(1 if sum(sample) == wanted and len(sample) == 2 else 0.5 if sum(sample) == wanted else 0)
if __name__ == "__main__":
    main()
""",
    "open-r1",
)


@pytest.fixture(scope="module")
def gcc():
    return GCCVerifier(max_workers=1, cpu_s=2.0)


@pytest.fixture
def nothing_built(monkeypatch):
    monkeypatch.setattr(checkers, "_kept", OrderedDict())
    monkeypatch.setattr(checkers, "_reasons", {})


def task(checker, *cases, **fields):
    return Prompt("p", "text", cases=cases or (Case("7", "3 4\n"),), checker=checker, language="c", **fields)


def said(verifier, checker, printed, **fields):
    result = verifier.verify(PRINT.format(printed), task(checker, **fields))
    return result.status, result.details


@pytest.mark.parametrize("checker", [TESTLIB, KATTIS, OPEN_R1], ids=["testlib", "kattis", "open-r1"])
@pytest.mark.parametrize("level", [NS, LANDLOCK])
def test_every_protocol_accepts_another_right_answer_and_refuses_a_wrong_one(
    gcc, checker, level, nothing_built, monkeypatch
):
    monkeypatch.setattr(sandbox, "level", lambda allow_weak=False: level)
    assert said(gcc, checker, "5 2\\n") == ("passed", "1 of 1 cases")
    assert said(gcc, checker, "2\\n5")[0] == "passed"
    assert said(gcc, checker, "5 3\\n")[0] == "wrong_answer"
    assert gcc.verify(PRINT.format("5 2"), task(checker)).trust == "output"
    assert gcc.verify(PRINT.format("5 2"), task(None)).status == "wrong_answer"


def test_a_checkers_words_stand_in_the_verdict(gcc):
    assert said(gcc, TESTLIB, "5 3")[1] == "case 1 of 1: the checker says: wrong answer 8 is not 7"
    assert said(gcc, TESTLIB, "5")[1] == "case 1 of 1: the checker says: wrong output format"
    assert said(gcc, TESTLIB, "5 2 9")[1] == "case 1 of 1: the checker says: wrong output format"
    assert said(gcc, KATTIS, "5 3", validator_flags="case_sensitive max 9")[1] == (
        "case 1 of 1: the checker says: ['5', '3'] is not 7; flags ['case_sensitive', 'max', '9']"
    )
    assert (
        said(gcc, OPEN_R1, "5 3")[1]
        == "case 1 of 1: the checker refuses it without a word: printed '5 3', its answer is '3 4'"
    )


def test_each_case_is_checked_and_the_first_wrong_one_named(gcc):
    add = '#include <stdio.h>\nint main(void) { int n; scanf("%d", &n); printf("%d 1", n - (n < 9 ? 1 : 2)); }'
    cases = [Case(str(n), f"{n} 0") for n in (5, 7, 9, 11)]
    result = gcc.verify(add, task(OPEN_R1, *cases))
    assert (result.status, result.passed, result.total) == ("wrong_answer", 2, 4)
    assert result.details.startswith("case 3 of 4: ")
    assert result.cpu_s > 0.02
    assert ExecutionVerifier(max_workers=1).verify(add, task(OPEN_R1, *cases)).reward == 0.75


def points(code, text, full=None, protocol="testlib"):
    code = f'#include <stdio.h>\nint main(void) {{ fputs("{text}", stderr); return {code}; }}'
    return Checker("c", code, protocol, full)


@pytest.mark.parametrize(
    ("checker", "status", "score"),
    [
        (points(7, "points 3.5 good", 5.0), "wrong_answer", 3.5),
        (points(7, "points 5 all", 5.0), "passed", None),
        (points(7, "points 6 more than all", 5.0), "unknown", None),
        (points(7, "points nan", 5.0), "unknown", None),
        (points(7, "points 5 found\\npoints 5", 5.0), "unknown", None),
        (points(7, "points 5"), "unknown", None),
        (points(0, "partially correct (0) nothing"), "wrong_answer", 0.0),
        (points(7, "partially correct (7) some"), "wrong_answer", 7.0),
        (Checker("python", "print(0.25)", "open-r1"), "wrong_answer", 0.25),
        (Checker("python", "print('1.0')", "open-r1"), "passed", None),
    ],
)
def test_less_than_the_full_score_is_a_wrong_answer_with_its_score(gcc, checker, status, score):
    result = gcc.verify(PRINT.format("x"), task(checker))
    assert (result.status, result.metadata.get("checker_score")) == (status, score), result.details


def test_a_score_is_that_of_the_case_that_decided(gcc):
    by_answer = Checker("python", "import sys; print(open(sys.argv[2]).read())", "open-r1")
    result = gcc.verify(PRINT.format("x"), task(by_answer, Case("", "1"), Case("", "0.25"), Case("", "0.5")))
    assert (result.details[:11], result.metadata["checker_score"]) == ("case 2 of 3", 0.25)


C_EXIT = "int main(void) {{ {} }}"
FAULTS = [
    (Checker("c", C_EXIT.format("return 3;"), "testlib"), "says that the judge is at fault"),
    (Checker("c", C_EXIT.format("return 5;"), "testlib"), "ended with exit code 5"),
    (Checker("c", C_EXIT.format("*(volatile int *)0 = 1;"), "testlib"), "killed by SIGSEGV"),
    (Checker("c", C_EXIT.format("for (;;) {}"), "testlib"), "used more than 0.3 s of CPU time"),
    (Checker("c", '#include <unistd.h>\nint main(void) { sleep(60); }', "kattis"), "did not end, idle for 1 s"),
    (Checker("c", '#include <stdio.h>\nint main(void) { for (;;) puts("1"); }', "open-r1"), "wrote more than 1 MB"),
    (Checker("c", C_EXIT.format("return 0;"), "kattis"), "ended with exit code 0"),
    (Checker("c", C_EXIT.format("return 1;"), "kattis"), "ended with exit code 1"),
    (Checker("python", "raise ValueError('odd')", "testlib"), "ended with exit code 99: .*ValueError: odd"),
    (Checker("python", "import threading as t\nx = t.Thread(target=lambda: 1 / 0); x.start(); x.join()", "testlib"),
     "ended with exit code 99: .*ZeroDivisionError"),
    (Checker("python", "print(1); 1 / 0", "open-r1"), "ended with exit code 99"),
    (Checker("python", "print('yes')", "open-r1"), "printed 'yes'; wanted is a number from 0 to 1"),
    (Checker("python", "print(-1)", "open-r1"), "gave -1 points of 1"),
    (Checker("python", "print(1, 1)", "open-r1"), "printed '1 1'"),
    (Checker("python", "", "open-r1"), "printed ''"),
]  # fmt: skip


@pytest.mark.parametrize(("checker", "why"), FAULTS)
def test_a_judges_fault_is_never_a_verdict_on_the_sample(gcc, checker, why, monkeypatch):
    monkeypatch.setattr(checkers, "CHECK_LIMITS", replace(checkers.CHECK_LIMITS, cpu_s=0.3, wall_s=1.0))
    result = gcc.verify(PRINT.format("3 4"), task(checker, Case("7", "3 4"), Case("7", "3 4")))
    assert (result.status, result.reward, result.success) == ("unknown", None, False)
    assert re.match(f"case 1 of 2: the checker cannot tell: {why}", result.details, re.S), result.details


def test_the_first_failing_case_gives_the_status_also_where_the_checker_fails_later(gcc):
    faulty = Checker("python", "import sys; print({'1': 0, '2': 'x'}[open(sys.argv[1]).read()])", "open-r1")
    result = gcc.verify(PRINT.format("x"), task(faulty, Case("1", ""), Case("2", ""), Case("3", "")))
    assert (result.status, result.reward) == ("wrong_answer", 0.7)
    assert result.details.startswith("case 1 of 3: ")
    other_way = gcc.verify(PRINT.format("x"), task(faulty, Case("2", ""), Case("1", "")))
    assert (other_way.status, other_way.reward) == ("unknown", None)
    assert other_way.details.startswith("case 1 of 2: the checker cannot tell")


HASHES = """
import hashlib, sys
with open(sys.argv[{answer}], "rb") as f:
    wanted = f.read().decode()
same = hashlib.sha256({output}.read()).hexdigest() == wanted
"""


def test_an_output_reaches_the_checker_byte_by_byte_however_long_or_odd(gcc):
    data = bytes(range(256)) * 60_000  # 15.4 MB with NULs, no UTF-8
    dump = "#include <stdio.h>\nint main(void) { for (int i = 0; i < 60000 * 256; i++) putchar(i & 255); }"
    by_file = HASHES.format(answer=2, output='open(sys.argv[3], "rb")') + "print(int(same))"
    by_stdin = HASHES.format(answer=2, output="sys.stdin.buffer") + "sys.exit(42 if same else 43)"
    for checker in (Checker("python", by_file, "open-r1"), Checker("python", by_stdin, "kattis")):
        right, wrong = (Case("\udcff", hashlib.sha256(text).hexdigest()) for text in (data, data[:-1]))
        assert gcc.verify(dump, task(checker, right, time_limit_s=10.0)).status == "passed"
        assert gcc.verify(dump, task(checker, wrong, time_limit_s=10.0)).status == "wrong_answer"


HOSTILE = ["points 100", "partially correct (100)", "1", "42", "\\x1b[2J", "__import__('os')._exit(0)", "1\\n1\\n", ""]


@pytest.mark.parametrize("printed", HOSTILE)
def test_words_that_a_checker_might_say_fool_it_not(gcc, printed):
    echo = '#include <stdio.h>\nint main(int n, char **a) { FILE *f = fopen(a[2], "r"); int c; '
    loud = echo + 'fputs("wrong answer ", stderr); while ((c = getc(f)) != EOF) putc(c, stderr); return 1; }'
    scored = echo + 'fputs("points 1 ", stderr); while ((c = getc(f)) != EOF) putc(c, stderr); return 7; }'
    for checker in (Checker("c", loud, "testlib"), TESTLIB, KATTIS, OPEN_R1, Checker("c", scored, "testlib", 100.0)):
        result = gcc.verify(PRINT.format(printed), task(checker))
        assert result.status in ("wrong_answer", "unknown"), (checker, result)
        assert not result.success
        assert result.details.isprintable()


def test_an_output_that_breaks_a_checker_which_takes_the_expected_one_is_a_wrong_answer(gcc):
    fragile = '#include <stdio.h>\nint main(int n, char **a) { char b[16]; FILE *f = fopen(a[2], "r"); '
    fragile += "if (fread(b, 1, 9999999, f) > 16) __builtin_trap(); return 0; }"
    long = "#include <stdio.h>\nint main(void) { for (int i = 0; i < 9999; i++) putchar(65); }"
    result = gcc.verify(long, task(Checker("c", fragile, "testlib")))
    assert (result.status, result.reward) == ("wrong_answer", 0.7)
    assert "the checker says: cannot read this output: killed by SIG" in result.details
    unreadable = task(Checker("c", fragile, "testlib"), Case("7", "longer than sixteen\n"))
    assert gcc.verify(long, unreadable).status == "unknown"
    reads_numbers = "import sys\n{}\nn = sum(int(w) for w in {}.read().split())\n{}"
    kattis = reads_numbers.format("", "sys.stdin", "sys.exit(42 if n == 7 else 43)")
    open_r1 = reads_numbers.format("", "open(sys.argv[3])", "print(int(n == 7))")
    for checker in (Checker("python", kattis, "kattis"), Checker("python", open_r1, "open-r1")):
        assert said(gcc, checker, "seven")[0] == "wrong_answer"
        assert said(gcc, checker, "")[0] == "wrong_answer"
        assert said(gcc, checker, "5 2")[0] == "passed"
        assert gcc.verify(PRINT.format("seven"), task(checker, Case("7", "odd"))).status == "unknown"
        assert gcc.verify(PRINT.format("seven"), task(checker, Case("7", "1 1"))).status == "unknown"
    assert gcc.verify(PRINT.format("7"), task(Checker("c", fragile, "testlib"))).status == "passed"


# Prints all that it finds below the folders that a box can write in, and its environment.
WALK = r"""
#define _GNU_SOURCE
#include <ftw.h>
#include <sys/stat.h>
#include <stdio.h>
static void dump(const char *path) {
  FILE *f = fopen(path, "r"); int c;
  printf("== %s\n", path);
  while (f && (c = getc(f)) != EOF) putchar(c);
  if (f) fclose(f);
}
static int show(const char *path, const struct stat *s, int kind, struct FTW *w) {
  if (kind == FTW_F && S_ISREG(s->st_mode) && s->st_size < 100000) dump(path);
  return 0;
}
int main(void) {
  const char *folders[] = {".", "/work", "/tmp", "/dev"};
  for (int i = 0; i < 4; i++) nftw(folders[i], show, 8, FTW_PHYS);
  dump("/proc/self/environ"); dump("/proc/self/mountinfo");
}
"""


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("== ./main.c", "passed"),  # it does find what is there
        ("a7f3c1", "wrong_answer"),
        ("b9e2d4", "wrong_answer"),
        ("correct_output", "wrong_answer"),
        ("solution_output", "wrong_answer"),
    ],
)
@pytest.mark.parametrize("level", [NS, LANDLOCK])
def test_the_samples_box_holds_neither_checker_nor_expected_output(
    gcc, word, status, level, nothing_built, monkeypatch
):
    monkeypatch.setattr(sandbox, "level", lambda allow_weak=False: level)
    code = f"import sys  # a7f3c1\nprint(int({word!r}.encode() in open(sys.argv[3], 'rb').read()))"
    # Before the second case's program looks around, the checker has run for the first.
    result = gcc.verify(WALK, task(Checker("python", code, "open-r1"), Case("1", "b9e2d4"), Case("2", "b9e2d4")))
    assert result.status == status, result.details


def test_one_checks_files_are_not_in_the_next_ones_box(gcc):
    code = "import os\nfound = os.path.exists('seen')\nopen('seen', 'w').close()\nprint(0 if found else 1)"
    result = gcc.verify(PRINT.format("x"), task(Checker("python", code, "open-r1"), *[Case("", "")] * 3))
    assert result.status == "passed"


def test_a_checker_is_built_once_for_all_samples_and_threads(monkeypatch):
    built = []
    real = checkers._build

    def noted(checker, *more):
        built.append(checker)
        return real(checker, *more)

    monkeypatch.setattr(checkers, "_build", noted)
    verifier = GCCVerifier(max_workers=4)
    checker = replace(TESTLIB, code=SUM_C + "// once")
    results = verifier.verify_batch([PRINT.format(f"{n} {7 - n}") for n in range(8)], task(checker))
    assert {one.status for one in results} == {"passed"}
    assert GCCVerifier(max_workers=1).verify(PRINT.format("0 7"), task(checker)).status == "passed"
    check_ready("gcc", {}, [task(checker)])
    assert built == [checker]


def test_what_is_kept_has_a_bound_and_comes_back(gcc, monkeypatch):
    monkeypatch.setattr(checkers, "KEPT_BYTES", 1)
    many = [Checker("python", f"print(1)  # {n}", "open-r1") for n in range(3)]
    for checker in [*many, *many]:
        assert said(gcc, checker, "x")[0] == "passed"
    assert len(checkers._kept) == 1


NOT_READY = [
    (Checker("cpp", "int main() { return absent(); }", "testlib"), "a checker that does not compile: .*absent"),
    (Checker("cpp", "int twice(int n) { return n; }", "testlib"), "a checker that does not compile: .*main"),
    (Checker("python", "print(1", "open-r1"), "a checker that does not compile: .*SyntaxError"),
    (Checker("cpp", '#include "testlib.h"\nint main() {}', "testlib"), "testlib.h: No such file.*verifier.mounts"),
    (Checker("klingon", "x", "testlib"), "a checker in klingon of protocol testlib; known are c, cpp, python"),
    (Checker("java", "x", "kattis"), "a checker in java; known are python, c"),
    (Checker("cpp", "int main() {}", "spj"), "a checker whose protocol is 'spj'; known are testlib, kattis, open-r1"),
]


@pytest.mark.parametrize(("checker", "why"), NOT_READY)
def test_a_checker_that_cannot_be_used_is_refused_before_a_run_and_unknown_in_python(gcc, checker, why):
    with pytest.raises(BadInput, match=f"(?s)prompt 'p', which has .*{why}"):
        check_ready("gcc", {}, [task(None), task(checker)])
    result = gcc.verify(PRINT.format("5 2"), task(checker))
    assert (result.status, result.reward) == ("unknown", None)
    assert re.search(why, result.details, re.S), result.details


@pytest.mark.parametrize("fault", ["lasting", "passing"])
def test_a_checker_is_not_blamed_for_a_broken_compiler(gcc, fault, nothing_built, monkeypatch):
    plain, faults = sandbox.Box.run, [b"gcc: fatal error: Killed signal terminated program cc1"]

    def broken(self, argv, *rest):
        if argv[0].endswith("/gcc") and (faults or fault == "lasting"):
            return sandbox.Outcome(1, None, b"", faults.pop() if fault == "passing" else b"", 0.0, 0.0, 0, None, "ns")
        return plain(self, argv, *rest)

    prompt = task(points(0, "good"))
    with monkeypatch.context() as m:
        m.setattr(sandbox.Box, "run", broken)
        if fault == "lasting":
            with pytest.raises(SandboxFault, match="gcc is broken on this node"):
                gcc.check([prompt])
            assert gcc.verify(PRINT.format("x"), prompt).status == "infra_error"
        else:
            gcc.check([prompt])
    assert gcc.verify(PRINT.format("x"), prompt).status == "passed"


def test_a_checker_in_python_where_boxes_see_none_is_a_missing_tool(gcc, nothing_built, monkeypatch):
    with monkeypatch.context() as m:
        m.setattr(checkers, "_pythons", lambda: ["/nowhere/python3"])
        with pytest.raises(MissingTool, match="tried are /nowhere/python3; install"):
            gcc.check([task(OPEN_R1)])
        assert gcc.verify(PRINT.format("5 2"), task(OPEN_R1)).status == "infra_error"
    assert gcc.verify(PRINT.format("5 2"), task(OPEN_R1)).status == "passed"


def test_a_checker_needs_cases():
    with pytest.raises(BadInput, match="no stdin/stdout cases"):
        check_ready("gcc", {}, [Prompt("p", "text", checker=TESTLIB, language="c")])


def test_headers_are_found_in_mounted_folders(tmp_path):
    (tmp_path / "testlib.h").write_text("#define RIGHT 0\n")
    tmp_path.chmod(0o755)
    verifier = GCCVerifier(max_workers=1, mounts=[str(tmp_path)])
    checker = Checker("cpp", '#include "testlib.h"\nint main() { return RIGHT; }', "testlib")
    assert said(verifier, checker, "x") == ("passed", "1 of 1 cases")
    assert said(GCCVerifier(max_workers=1), checker, "x")[0] == "unknown"


def test_a_fault_of_the_sandbox_is_ours(gcc, monkeypatch):
    said(gcc, TESTLIB, "5 2")  # built
    start = sandbox.Box._start

    def second_fails(box):
        if any(name == b"solution_output.txt" for name, _ in box._files):
            raise SandboxFault("no room")
        start(box)

    monkeypatch.setattr(sandbox.Box, "_start", second_fails)
    result = gcc.verify(PRINT.format("5 2"), task(TESTLIB))
    assert (result.status, result.reward, result.error) == ("infra_error", None, "no room")


# ---- modes of `execution` --------------------------------------------------------------------------------


def judged(mode, expected, printed, **fields):
    verifier = ExecutionVerifier(max_workers=1, cpu_s=2.0, mode=mode)
    return verifier.verify(PRINT.format(printed), task(None, Case("", expected), **fields)).status


@pytest.mark.parametrize(
    ("mode", "expected", "printed", "status"),
    [
        (None, "a b", "a\\nb", "passed"),
        ("exact", "a b", "a\\nb", "wrong_answer"),
        ("exact", "a b\n", "\\n a b", "passed"),
        ("contains", "two\n", "one two three", "passed"),
        ("contains", "two", "one Two three", "wrong_answer"),
        ("regex", r"\d+ (left|right)$", "12 left\\n", "passed"),
        ("regex", r"\d+", "12 and more", "passed"),
        ("regex", r"\d+", "x12", "wrong_answer"),
        ("regex", r"\d+\Z", "12 and more", "wrong_answer"),
        ("regex", r"(?s).*größe.*\w$", "die gr\\xc3\\xb6\\xc3\\x9f\" \"e\\n\\xff: \\xc3\\xa9", "passed"),
        ("numeric", "0.3333333", "0.33333331", "passed"),
        ("numeric", "0.3333333", "0.3334", "wrong_answer"),
        ("numeric", "2", "2.0000000", "passed"),
    ],
)  # fmt: skip
def test_a_mode_is_the_rule_where_a_task_names_none(mode, expected, printed, status):
    assert judged(mode, expected, printed) == status


def test_what_a_task_says_wins_over_the_mode():
    assert judged("exact", "a b", "a  b", compare="tokens") == "passed"
    assert judged("contains", "b", "a b", validator_flags="") == "wrong_answer"
    assert judged(None, r"\d+", "12", compare="regex") == "passed"


def test_an_output_on_which_a_pattern_backtracks_for_ever_does_not_match_it(monkeypatch):
    monkeypatch.setattr(checkers, "REGEX_LIMITS", replace(checkers.REGEX_LIMITS, cpu_s=0.3, wall_s=2.0))
    verifier = ExecutionVerifier(max_workers=1, mode="regex")
    result = verifier.verify(PRINT.format("a" * 60 + "!"), task(None, Case("", "(a+)+$"), Case("", "a")))
    assert (result.status, result.passed, result.reward) == ("wrong_answer", 1, 0.75)
    assert result.details.startswith("case 1 of 2: the checker says: cannot read this output: used more than 0.3 s")
    assert result.cpu_s < 3
    always = "(?:(?:a|b|ab)*c)?(?:" + "(?:x?){30}" * 8 + "){30}y"
    assert verifier.verify(PRINT.format("x" * 60), task(None, Case("", always))).status in ("unknown", "wrong_answer")


@pytest.mark.parametrize(
    ("mode", "expected", "why"),
    [
        ("contains", " \n", "cases whose expected output is empty, which every output contains"),
        ("regex", "(", r"cases whose expected output '\(' is no regular expression"),
        ("regex", "a{99999999999}", "is no regular expression"),
    ],
)
def test_an_expected_output_that_means_nothing_in_a_mode_is_refused(mode, expected, why):
    prompt = task(None, Case("", "1"), Case("", expected))
    with pytest.raises(BadInput, match=why):
        check_ready("execution", {"mode": mode}, [prompt])
    result = ExecutionVerifier(max_workers=1, mode=mode).verify(PRINT.format("1"), prompt)
    assert (result.status, result.reward) == ("unknown", None)
    check_ready("execution", {}, [prompt])


def test_an_unknown_mode_is_refused():
    with pytest.raises(BadInput, match="mode is 'fuzzy'; wanted is one of exact, contains, regex, numeric"):
        ExecutionVerifier(mode="fuzzy")
