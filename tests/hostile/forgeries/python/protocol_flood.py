# results without end
def add(*given):
    return ['x' * 1000] * 1000000


def is_even(*given):
    return ['x' * 1000] * 1000000


def pairs(*given):
    return ['x' * 1000] * 1000000


def halve(*given):
    return ['x' * 1000] * 1000000


def every(*given):
    return ['x' * 1000] * 1000000


def sort(*given):
    return ['x' * 1000] * 1000000


def greet(*given):
    return ['x' * 1000] * 1000000
