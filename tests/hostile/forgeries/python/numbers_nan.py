# what is no number; admitted in one process
def add(*given):
    return float('nan')


def is_even(*given):
    return float('nan')


def pairs(*given):
    return float('nan')


def halve(*given):
    return float('nan')


def every(*given):
    return float('nan')


def sort(*given):
    return float('nan')


def greet(*given):
    return float('nan')
