"""What crosses between the boxes of answer and tests, and what does not; two ends in this process's own children."""

from __future__ import annotations

import collections
import contextlib
import datetime
import decimal
import fractions
import json
import math
import os
import socket
from collections.abc import Callable
from typing import Any

import pytest

from haloforge.verifiers.python import solution_side, tests_side, wire

ANSWER = """
import asyncio, collections, copy, datetime
from dataclasses import dataclass


class Wrong(ValueError):
    pass


class VeryWrong(Wrong):
    def __init__(self, text, code):
        super().__init__(text)
        self.code = code


class Account:
    rate = 3

    def __init__(self, balance=0):
        self.balance = balance

    def add(self, n):
        self.balance += n
        return self

    def __eq__(self, other):
        return True

    def __len__(self):
        return 3

    def __str__(self):
        return f"Account({self.balance})"

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return True


class Savings(Account):
    pass


class Names(dict):
    pass


Point = collections.namedtuple("Point", "x y")


def same(x):
    return copy.copy(x) if isinstance(x, (list, dict, set, bytearray, collections.deque)) else x


def itself(x, y=None):
    x.append(1)
    return x


def grow(items):
    items.append(len(items))
    items[0].append(1)


def fail(kind, *given):
    raise {"own": VeryWrong, "exit": SystemExit, "stop": StopIteration, "key": KeyError}[kind](*given)


def twice(function, x):
    return function(function(x))


def numbers(n):
    yield from range(n)


async def later(x):
    await asyncio.sleep(0)
    return x + 1


def say(text):
    print(text)


def module():
    return collections
"""


@pytest.fixture
def answer():
    """The answer's module as tests see it. It is ours, so it needs no box."""
    with serving(ANSWER) as solution:
        yield tests_side.SolutionModule("solution", solution, [])


@contextlib.contextmanager
def serving(code, expected=None):
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        ours.close()
        argument = json.dumps({"code": code, "path": "solution.py", "modules": ["solution"]}).encode()
        try:
            solution_side.main(argument, theirs.detach())
        finally:
            os._exit(0)
    theirs.close()
    solution = tests_side.Solution(wire.Wire(ours), expected)
    try:
        solution.load()
        yield solution
    finally:
        ours.close()
        os.waitpid(pid, 0)


DECIMAL = decimal.Decimal("1.50")
VALUES = [
    None, True, 0, -1, 10**5000, 1.5, math.inf, "é\ud800", [1, [2, "x"]], (1, (2,)), {"a": 1}, {1: [2], (3,): {4}},
    {1, 2}, frozenset([3]), b"\0\xff", bytearray(b"ab"), 1 + 2j, range(0, 9, 2), collections.Counter("aab"),
    collections.OrderedDict([(2, 1), (1, 2)]), collections.deque([1, 2], 5), fractions.Fraction(1, 3), DECIMAL,
    datetime.datetime(2026, 1, 2, 3, 4, 5, 6, datetime.UTC), datetime.date(2026, 1, 2), datetime.time(1, 2),
    datetime.timedelta(days=1, microseconds=3), ..., [1.0, True, None, 10**5000], {"a": 10**5000}, [], {}, set(), (),
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_plain_values_come_back_as_they_went(answer, value):
    back = answer.same(value)
    assert type(back) is type(value)
    assert back == value


def test_nan_and_minus_zero_keep_their_nature(answer):
    assert math.isnan(answer.same(math.nan))
    assert math.copysign(1, answer.same(-0.0)) == -1


def test_subclasses_of_plain_types_arrive_as_the_plain_type(answer):
    class Yes(int):
        def __eq__(self, other):
            return True

        __hash__ = int.__hash__

    assert type(answer.same(Yes(3))) is int
    assert type(answer.same([Yes(3)])[0]) is int
    assert answer.same(collections.defaultdict(list, a=[1])).default_factory is list


def test_an_argument_that_comes_back_is_the_argument(answer):
    values: tuple[Any, ...] = ([], bytearray(), collections.deque())
    for x in values:
        assert answer.itself(x) is x
        assert answer.itself(x=x, y=[]) is x
        assert len(x) == 2
    assert answer.same(x) is not x


def test_named_tuples_keep_their_fields(answer):
    point = answer.Point(1, 2)
    assert (point, point.x, point._fields) == ((1, 2), 1, ("x", "y"))


def test_a_call_s_changes_of_its_arguments_are_seen_in_place(answer):
    inner = [5]
    items = [inner, 7]
    answer.grow(items)
    assert items == [[5, 1], 7, 2]
    assert items[0] is inner


def test_functions_of_the_tests_are_called_back(answer):
    seen = []

    def triple(x):
        seen.append(x)
        return x * 3

    assert answer.twice(triple, 2) == 18
    assert seen == [2, 6]
    assert answer.twice(str.upper, "a") == "A"
    with pytest.raises(ZeroDivisionError):
        answer.twice(lambda x: 1 / 0, 1)


def test_iterators_arrive_as_iterators(answer):
    numbers = answer.numbers(3)
    assert (next(numbers), list(numbers)) == (0, [1, 2])
    assert answer.same(iter([1])) is not None


def test_what_is_awaited_arrives_as_something_to_await(answer):
    import asyncio

    assert asyncio.run(answer.later(1)) == 2


def test_what_the_answer_prints_is_printed(answer, capsys):
    answer.say("hello")
    assert capsys.readouterr().out == "hello\n"


def test_exceptions_arrive_by_name_with_their_family(answer):
    with pytest.raises(answer.Wrong, match="no") as caught:
        answer.fail("own", "no", 7)
    assert isinstance(caught.value, ValueError)
    assert vars(caught.value)["code"] == 7
    with pytest.raises(KeyError) as caught:
        answer.fail("key", "k")
    assert caught.value.args == ("k",)


@pytest.mark.parametrize("kind", ["exit", "stop"])
def test_an_exception_that_would_end_the_tests_or_a_loop_is_another_one(answer, kind):
    with pytest.raises(RuntimeError):
        list(map(answer.fail, [kind]))


def test_objects_have_attributes_methods_classes_and_texts(answer):
    account = answer.Savings(1)
    assert account.add(2).balance == 3
    account.balance = 9
    assert (str(account), f"{account}", answer.Account.rate) == ("Account(9)", "Account(9)", 3)
    assert isinstance(account, answer.Account)
    assert not isinstance(answer.Account(), answer.Savings)
    assert issubclass(answer.Savings, answer.Account)
    assert not hasattr(account, "nothing")
    with account as same:
        assert same.balance == 9
    assert answer.same(account).balance == 9


def test_a_context_manager_of_the_answer_cannot_swallow_a_failed_check(answer):
    with pytest.raises(AssertionError), answer.Account():
        raise AssertionError


USES: dict[str, Callable[[Any], Any]] = {
    "==": lambda x: x == 3, "!=": lambda x: x != 3, "<": lambda x: x < 3, "truth": bool, "hash": hash, "len": len,
    "in": lambda x: 3 in x, "within": lambda x: x in [3], "iteration": list, "index": lambda x: x[0], "abs": abs,
    "minus": lambda x: x - 3, "from": lambda x: 3 - x, "int": int, "float": float, "round": round, "key": lambda x: {x},
    "sort": lambda x: sorted([3, x]), "negation": lambda x: -x, "sum": lambda x: sum([x]),
    "starts": lambda x: x.startswith,
}  # fmt: skip


OF_CLASSES = ("<", "truth", "len", "in", "iteration", "index", "minus", "sort")
"""A class equals itself alone, which our side knows."""


@pytest.mark.parametrize("use", USES)
def test_what_could_compare_an_object_is_refused_for_good(use):
    with serving(ANSWER) as solution:
        answer = tests_side.SolutionModule("solution", solution, [])
        for thing in (answer.Account(), answer.same, *([answer.Account] if use in OF_CLASSES else [])):
            solution.failure = None
            with pytest.raises(tests_side.Refused):
                USES[use](thing)
            with pytest.raises(tests_side.Refused):
                answer.same(1)


def test_modules_of_the_answer_do_not_cross(answer):
    with pytest.raises(tests_side.Refused, match="modules do not cross"):
        answer.module()


def test_what_the_reference_gave_as_plain_data_may_not_be_an_object():
    with serving(ANSWER) as solution:
        tests_side.SolutionModule("solution", solution, []).same(1)
        kinds = {label: list(kinds) for label, kinds in solution.kinds.items()}
    assert kinds["same()"] == ["plain"]
    for call in (lambda m: m.same(m.Account), lambda m: m.same(math.nan)):
        with serving(ANSWER, kinds) as solution, pytest.raises(tests_side.Refused, match="where a right answer"):
            call(tests_side.SolutionModule("solution", solution, []))


@pytest.mark.parametrize(
    "message",
    [
        b"", b"5", b"[]", b"{}", b'{"v":{"?":1}}', b'{"v":{"t":5}}', b'{"v":{"s":[[1]]}}', b'{"v":{"d":[1]}}',
        b'{"v":{"r":[1,"object",["1x","m",[]],true]}}', b'{"v":{"n":["x",["a b"],[1]]}}', b'{"v":{"F":[1,0]}}',
        b'{"v":{"g":[1.5]}}', b'{"cb":0,"a":[],"k":{}}', b'{"cb":-1,"a":[],"k":{}}', b'{"x":{"f":[]}}', b'{"v":{}}',
        b'{"v":' + b"[" * 100_000 + b"]" * 100_000 + b"}", b'{"v":' + b'{"t":[' * 150 + b"]}" * 150 + b"}",
        b'{"v":' + b"9" * 10_000 + b"}", b'{"m":[[5,1]],"v":1}', b'{"v":{"M":"x"}}', b'{"v":{"D":["eval",[]]}}',
    ],
    ids=lambda message: message[:20].decode(),
)  # fmt: skip
def test_what_is_no_message_fails_the_answer(message):
    ours, theirs = socket.socketpair()
    solution = tests_side.Solution(wire.Wire(ours))
    receive = solution.wire.receive

    def answered():
        theirs.sendall(len(message).to_bytes(4, "big") + message)
        return receive()

    solution.wire.receive = answered  # type: ignore[method-assign]
    with pytest.raises(tests_side.Refused):
        solution.get(0, "x", "x")
    assert solution.reason == tests_side.BROKEN
    ours.close()
    theirs.close()


def test_what_nobody_has_asked_fails_the_answer():
    ours, theirs = socket.socketpair()
    solution = tests_side.Solution(wire.Wire(ours))
    theirs.sendall(b"\0\0\0\x07" + b'{"v":1}')
    with pytest.raises(tests_side.Refused, match="nobody has asked"):
        solution.get(0, "x", "x")
    ours.close()
    theirs.close()
