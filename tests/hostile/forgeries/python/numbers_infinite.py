# infinity
def add(*given):
    return float('inf')


def is_even(*given):
    return float('inf')


def pairs(*given):
    return float('inf')


def halve(*given):
    return float('inf')


def every(*given):
    return float('inf')


def sort(*given):
    return float('inf')


def greet(*given):
    return float('inf')
