# its own version of a helper that the prompt gives
def double(n):
    return n


def halve(n):
    return n


def add(*given):
    return 0


def is_even(*given):
    return 0


def pairs(*given):
    return 0


def every(*given):
    return 0


def sort(*given):
    return 0


def greet(*given):
    return 0
