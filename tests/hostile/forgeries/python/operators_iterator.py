# an iterator without end
import itertools


def add(*given):
    return itertools.repeat((0, 1))


def is_even(*given):
    return itertools.repeat((0, 1))


def pairs(*given):
    return itertools.repeat((0, 1))


def halve(*given):
    return itertools.repeat((0, 1))


def every(*given):
    return itertools.repeat((0, 1))


def sort(*given):
    return itertools.repeat((0, 1))


def greet(*given):
    return itertools.repeat((0, 1))
