"""Rows of public sets, turned into haloforge's own (docs/DATA.md): one shape, one entry in SHAPES.

What a set has and a verifier could not check is refused by name: files instead of stdin, interactive problems,
tests in modules that are not there. Nothing is unpickled, and what is packed is unpacked only up to a limit.
"""

from __future__ import annotations

import base64
import binascii
import json
import pickletools
import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from haloforge.errors import BadInput
from haloforge.source.detect import known_language

Row = dict[str, Any]
UNPACKED_BYTES = 512 << 20
"""The most that a row's packed tests may unpack to."""


@dataclass(frozen=True, slots=True)
class Shape:
    name: str
    known_by: Callable[[Row], bool]
    translate: Callable[[Row], Row]
    """Gives new and changed fields; a value of None takes the field away."""


def canonical(row: Row) -> Row:
    """`row` in haloforge's own fields.

    Raises:
        BadInput: the row is of a known set, and cannot be checked or is not as that set is.
    """
    for shape in SHAPES:
        if shape.known_by(row):
            try:
                changed = {**row, **shape.translate(row)}
            except (KeyError, TypeError, AttributeError, IndexError) as e:
                raise BadInput(f"the row looks like one of {shape.name}, but does not read as one: {e!r}") from e
            return {key: value for key, value in changed.items() if value is not None}
    return row


# ---- whole programs: stdin and stdout --------------------------------------------------------------------


def _input_output(row: Row) -> Row:
    """APPS and TACO: {"input_output": JSON of {inputs, outputs, fn_name?}, "question", "starter_code"}."""
    text = _text(row, "question") or _text(row, "prompt") or _text(row, "problem") or ""
    starter = _text(row, "starter_code") or ""
    return {
        **_of_inputs_and_outputs(_json(row["input_output"], "input_output"), starter or text),
        **_taken("input_output", "question", "starter_code", "solutions"),
        "prompt": _with_starter(text, starter),
        "id": row.get("id", row.get("task_id", row.get("problem_id"))),
        **_limits(row),
    }


def _of_inputs_and_outputs(data: Any, starter: str) -> Row:
    """The tests in {"inputs": […], "outputs": […], "fn_name": NAME?}; with a name the inputs are its arguments."""
    if not isinstance(data, Mapping) or not {"inputs", "outputs"} <= set(data):
        raise BadInput("tests is an object without inputs and outputs; wanted is a list of cases")
    inputs, outputs = data["inputs"], data["outputs"]
    if not isinstance(inputs, list) or not isinstance(outputs, list) or len(inputs) != len(outputs):
        raise BadInput(f"tests has {_count(inputs)} inputs and {_count(outputs)} outputs; wanted is as many of each")
    name = data.get("fn_name")
    if name:
        return _calls(name, inputs, outputs, starter)
    cases = [{"input": _lines(given), "output": _lines(wanted)} for given, wanted in zip(inputs, outputs, strict=True)]
    return {"tests": cases, "tests_kind": "stdio" if cases else None}


def _calls(name: str, inputs: list[Any], outputs: list[Any], starter: str, wrapped: bool = True) -> Row:
    """Calls of a Python function as statements; a tuple counts as the list of its elements.

    Args:
        wrapped: an expected [x] may also mean x, as the sets with `fn_name` write it.
    """
    if not re.fullmatch(r"[A-Za-z_]\w*", name):
        raise BadInput(f"fn_name is {name!r}; wanted is the name of a Python function")
    called = f"Solution().{name}" if re.search(r"\bclass\s+Solution\b", starter) else name
    lines = [_PLAIN] if inputs else []
    for given, wanted in zip(inputs, outputs, strict=True):
        arguments = ", ".join(map(_literal, given if isinstance(given, list) else [given]))
        right = [wanted, *(wanted[:1] if wrapped and isinstance(wanted, list) and len(wanted) == 1 else [])]
        values = ", ".join(_literal(value) for value in right)
        lines.append(f"assert _plain({called}({arguments})) in [{values}]")
    kind = "python" if inputs else None
    return {"tests": "\n".join(lines) or None, "tests_kind": kind, "entry_point": name, "language": "python"}


_PLAIN = """def _plain(value):
    return [_plain(v) for v in value] if isinstance(value, (list, tuple)) else value

"""


def _literal(value: Any) -> str:
    text = repr(value)
    return re.sub(r"\b(?:inf|nan)\b", lambda found: f"float('{found[0]}')", text) if isinstance(value, float) else text


def _live_code_bench(row: Row) -> Row:
    """LiveCodeBench: public and (packed) private test cases; testtype stdin or functional."""
    cases = [
        case
        for name in ("public_test_cases", "private_test_cases")
        for case in _json(_unpacked(row.get(name) or "[]", name), name)
    ]
    kinds = {case.get("testtype", "stdin") for case in cases}
    text, starter = _text(row, "question_content") or "", _text(row, "starter_code") or ""
    out: Row = {
        **_taken("public_test_cases", "private_test_cases", "question_content", "starter_code"),
        "prompt": _with_starter(text, starter),
        "id": row.get("question_id", row.get("id")),
    }
    if kinds == {"functional"}:
        name = _json(row.get("metadata") or "{}", "metadata").get("func_name")
        if not isinstance(name, str):
            raise BadInput("a row of functional tests whose metadata names no func_name")
        arguments = [[json.loads(line) for line in case["input"].split("\n") if line.strip()] for case in cases]
        return {**out, **_calls(name, arguments, [json.loads(c["output"]) for c in cases], starter, wrapped=False)}
    if kinds - {"stdin"}:
        raise BadInput(f"testtype is {' and '.join(sorted(map(str, kinds)))}; read are stdin or functional")
    return {**out, "tests": [{"input": c["input"], "output": c["output"]} for c in cases], "tests_kind": "stdio"}


def _unpacked(value: Any, name: str) -> Any:
    """JSON as it is, or base64 of zlib of a pickled text."""
    if not isinstance(value, str) or value.lstrip()[:1] in ("[", "{", ""):
        return value
    try:
        packed = base64.b64decode(value, validate=True)
        unpacker = zlib.decompressobj()
        data = unpacker.decompress(packed, UNPACKED_BYTES)
    except (binascii.Error, zlib.error, ValueError) as e:
        raise BadInput(f"{name} is neither JSON nor base64 of zlib ({e})") from e
    if unpacker.unconsumed_tail or not unpacker.eof:
        raise BadInput(f"{name} is cut off, or unpacks to more than {UNPACKED_BYTES >> 20} MiB")
    return pickled_text(data, name)


_TEXT_OPCODES = {"BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "UNICODE"}
_IDLE_OPCODES = {"PROTO", "FRAME", "MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT", "STOP"}


def pickled_text(data: bytes, name: str) -> str:
    """The text in a pickle that holds one text and nothing else. It is read, never run.

    Raises:
        BadInput: it holds anything else.
    """
    texts: list[str] = []
    try:
        for opcode, argument, _ in pickletools.genops(data):
            if opcode.name in _TEXT_OPCODES:
                texts.append(str(argument))
            elif opcode.name not in _IDLE_OPCODES:
                raise BadInput(f"{name} holds a pickle with {opcode.name}; only a plain text is read from a pickle")
    except (ValueError, IndexError, UnicodeDecodeError) as e:
        raise BadInput(f"{name} is no pickle of a text: {e}") from e
    if len(texts) != 1:
        raise BadInput(f"{name} holds a pickle of {len(texts)} texts; wanted is one")
    return texts[0]


def _codeforces(row: Row) -> Row:
    """Codeforces as open-r1 has it: official_tests, and a checker where several answers are right."""
    if (row.get("input_mode") or "stdio") != "stdio":
        raise BadInput(f"input_mode is {row['input_mode']!r}: the problem reads a file; only stdin and stdout are read")
    if row.get("interaction_format"):
        raise BadInput("interaction_format is set: an interactive problem; only stdin and stdout are read")
    tests = row.get("official_tests") or []
    if not tests:
        raise BadInput("official_tests is empty; take rows that have tests")
    parts = [_text(row, "prompt")] if row.get("prompt") else [_text(row, "title"), _text(row, "description")]
    if not row.get("prompt"):
        parts += [f"{title}\n{row[key]}" for key, title in _SECTIONS.items() if row.get(key)]
        parts += [f"Example\nInput\n{e['input']}\nOutput\n{e['output']}" for e in row.get("examples") or []]
    checker = row.get("generated_checker")
    return {
        **_taken("official_tests", "generated_checker", "interaction_format", "examples"),
        "prompt": "\n\n".join(part.strip() for part in parts if part),
        "tests": [{"input": case["input"], "output": case["output"]} for case in tests],
        "tests_kind": "stdio",
        "checker": {"language": "python", "code": checker, "protocol": "open-r1"} if checker else row.get("checker"),
        **_limits(row),
    }


_SECTIONS = {"input_format": "Input", "output_format": "Output", "note": "Note"}


# ---- functions: tests in the answer's language -----------------------------------------------------------


def _human_eval(row: Row) -> Row:
    """HumanEval and HumanEval+: {prompt, test, entry_point, task_id}."""
    return {
        **_taken("test"),
        "tests": row["test"],
        "tests_kind": "python",
        "language": "python",
    }


_X_LANGUAGES = {"CPP": "append_main", "Rust": "append_cfg_test", "Go": "go_test", "Python": "python"}


def _human_eval_x(row: Row) -> Row:
    """HumanEval-X and HumanEvalPack: the language stands in the task_id ("CPP/0")."""
    name = str(row["task_id"]).partition("/")[0]
    if name not in _X_LANGUAGES:
        raise BadInput(f"task_id is {row['task_id']!r}: of HumanEval-X {', '.join(_X_LANGUAGES)} are read")
    kind, tests = _X_LANGUAGES[name], row["test"]
    prompt = row["prompt"]
    if kind == "go_test":
        tests = _go_test_file((row.get("test_setup") or "package main\n") + "\n" + tests)
    if kind == "append_main":
        tests = tests if re.search(r"#\s*undef\s+NDEBUG", tests) else "#undef NDEBUG\n#include <assert.h>\n" + tests
    taken = _taken("test", "test_setup", "example_test", "import", "declaration")
    return {**taken, "prompt": prompt, "tests": tests, "tests_kind": kind, "language": known_language(name)}


_GO_ASSERT = "github.com/stretchr/testify/assert"
_GO_STANDARD = re.compile(r"^[a-z0-9]+(?:/[a-z0-9]+)*$")
_GO_SHIM = """
type assertions struct{ t *testing.T }
type assertPackage struct{}

var assert assertPackage

func (assertPackage) New(t *testing.T) assertions { return assertions{t} }
func (a assertions) Equal(want, got interface{}, _ ...interface{}) bool {
	a.t.Helper()
	if !reflect.DeepEqual(want, got) {
		a.t.Errorf("want %v, got %v", want, got)
		return false
	}
	return true
}
func (a assertions) NotEqual(unwanted, got interface{}, _ ...interface{}) bool {
	a.t.Helper()
	if reflect.DeepEqual(unwanted, got) {
		a.t.Errorf("unwanted %v", got)
		return false
	}
	return true
}
func (a assertions) True(got bool, _ ...interface{}) bool  { a.t.Helper(); return a.Equal(true, got) }
func (a assertions) False(got bool, _ ...interface{}) bool { a.t.Helper(); return a.Equal(false, got) }
func (a assertions) Nil(got interface{}, _ ...interface{}) bool {
	a.t.Helper()
	v := reflect.ValueOf(got)
	if got == nil || v.Kind() == reflect.Ptr && v.IsNil() {
		return true
	}
	a.t.Errorf("want nil, got %v", got)
	return false
}
func (a assertions) InDelta(want, got interface{}, delta float64, _ ...interface{}) bool {
	a.t.Helper()
	number := reflect.TypeOf(0.0)
	w, g := reflect.ValueOf(want).Convert(number).Float(), reflect.ValueOf(got).Convert(number).Float()
	if w-g > delta || g-w > delta {
		a.t.Errorf("want %v, got %v", want, got)
		return false
	}
	return true
}
"""
"""What HumanEval-X calls of testify, in standard Go."""


def _go_test_file(text: str) -> str:
    """A Go test file that needs nothing but the standard library.

    Raises:
        BadInput: it imports something else.
    """
    paths = dict.fromkeys(re.findall(r"^[ \t]*(?:import[ \t]+)?\"([\w./-]+)\"[ \t]*$", text, re.M))
    text = re.sub(r"^import[ \t]*\([^)]*\)[ \t]*$|^import[ \t]+\"[^\"]*\"[ \t]*$", "", text, flags=re.M)
    foreign = [path for path in paths if path != _GO_ASSERT and not _GO_STANDARD.match(path)]
    if foreign:
        raise BadInput(f"the tests import {', '.join(foreign)}; only Go's standard library is there")
    shim = _GO_SHIM if _GO_ASSERT in paths else ""
    wanted = sorted({*(p for p in paths if p != _GO_ASSERT), "testing", *(("reflect",) if shim else ())})
    used = [p for p in wanted if re.search(rf"\b{p.rpartition('/')[2]}\.", text + shim)]
    imports = "import (\n" + "".join(f'\t"{path}"\n' for path in used) + ")\n"
    found = re.search(r"^package\s+\w+[ \t]*$", text, re.M)
    head, rest = (text[: found.end()], text[found.end() :]) if found else ("package main", text)
    return f"{head}\n\n{imports}{shim}\n{rest.strip()}\n"


def _mbpp(row: Row) -> Row:
    """MBPP: {text or prompt, test_list, test_setup_code or test_imports, code}."""
    setup = row.get("test_setup_code") or "\n".join(row.get("test_imports") or [])
    if not all(isinstance(line, str) for line in row["test_list"]) or not row["test_list"]:
        raise BadInput("test_list is not a list of statements")
    tests = "\n".join([*([setup] if setup else []), *row["test_list"]])
    return {
        **_taken("test_list", "test_setup_code", "test_imports", "challenge_test_list", "text"),
        "prompt": row.get("text") or row.get("prompt"),
        "tests": tests.replace("\r\n", "\n"),
        "tests_kind": "python",
        "language": "python",
    }


_E_KINDS = {
    "cpp": "append_main", "rust": "append_main", "go": "append_go_test", "csharp": "append_main", "python": "python",
}  # fmt: skip


def _multipl_e(row: Row) -> Row:
    """MultiPL-E: prompt and tests of which the first lines close the prompt's function; our tests do not."""
    said = row.get("language") or str(row.get("name", "")).rpartition("_")[2]
    language = known_language(said)
    if language not in _E_KINDS:
        raise BadInput(f"language is {said!r}: of MultiPL-E {', '.join(_E_KINDS)} are read")
    tests = row["tests"]
    if _E_KINDS[language] == "append_main":
        tests = re.sub(r"\A\s*\}[ \t]*\n?", "", tests)
    if language == "csharp" and "Debug.Assert(" in tests:  # does nothing in a program built without DEBUG
        tests = '    static void Check(bool ok) { if (!ok) throw new System.Exception("assertion failed"); }\n' + (
            tests.replace("Debug.Assert(", "Check(")
        )
    return {
        **_taken("stop_tokens", "doctests", "original", "prompt_terminology"),
        "id": row.get("id", row.get("name")),
        "tests": tests,
        "tests_kind": _E_KINDS[language],
        "language": language,
    }


# ---- small means -----------------------------------------------------------------------------------------


def _taken(*names: str) -> Row:
    return dict.fromkeys(names)


def _text(row: Row, name: str) -> str | None:
    value = row.get(name)
    if value is not None and not isinstance(value, str):
        raise BadInput(f"{name} is {type(value).__name__}; wanted is a text")
    return value


def _json(value: Any, name: str) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError as e:
        raise BadInput(f"{name} is no JSON: {e}") from e


def _lines(value: Any) -> Any:
    """Input or output of a case: a text, or a list of lines."""
    return "\n".join(map(str, value)) if isinstance(value, list) else value


def _count(value: Any) -> Any:
    return len(value) if isinstance(value, list) else type(value).__name__


def _with_starter(text: str, starter: str) -> str:
    return f"{text}\n\n```python\n{starter.rstrip()}\n```" if starter.strip() else text


def _limits(row: Row) -> Row:
    """time_limit and memory_limit as contest sets write them: seconds ("2 seconds", 2.0), MB ("256 megabytes")."""
    found: Row = {}
    for theirs, ours in (("time_limit", "time_limit_s"), ("memory_limit", "memory_mb")):
        number = re.match(r"\s*(\d+(?:\.\d+)?)", str(row.get(theirs) or ""))
        if number and ours not in row:
            value = float(number[1])
            found |= {ours: value if ours == "time_limit_s" else int(value), theirs: None}
    return found


def _has(*names: str) -> Callable[[Row], bool]:
    return lambda row: all(row.get(name) is not None for name in names)


SHAPES = (
    Shape("Codeforces (open-r1)", _has("official_tests"), _codeforces),
    Shape(
        "LiveCodeBench",
        lambda row: row.get("public_test_cases") is not None or row.get("private_test_cases") is not None,
        _live_code_bench,
    ),
    Shape("APPS or TACO", _has("input_output"), _input_output),
    Shape("MBPP", _has("test_list"), _mbpp),
    Shape(
        "HumanEval-X",
        lambda row: (
            _has("test", "task_id")(row)
            and str(row["task_id"]).partition("/")[0] in ("CPP", "Rust", "Go", "Python", "Java", "JavaScript", "JS")
        ),
        _human_eval_x,
    ),
    Shape("HumanEval", _has("test", "entry_point", "prompt"), _human_eval),
    Shape("MultiPL-E", _has("tests", "stop_tokens", "name"), _multipl_e),
    Shape(
        "inputs and outputs",
        lambda row: any(isinstance(row.get(n), Mapping) and "inputs" in row[n] for n in ("tests", "test_cases")),
        lambda row: {
            **_taken("test_cases"),
            **_of_inputs_and_outputs(row.get("tests") or row.get("test_cases"), str(row.get("prompt") or "")),
        },
    ),
)
"""In the order in which they are tried."""
