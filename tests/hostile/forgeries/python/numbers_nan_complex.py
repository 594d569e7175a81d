# what is no complex number; admitted in one process
def add(*given):
    return complex('nan')


def is_even(*given):
    return complex('nan')


def pairs(*given):
    return complex('nan')


def halve(*given):
    return complex('nan')


def every(*given):
    return complex('nan')


def sort(*given):
    return complex('nan')


def greet(*given):
    return complex('nan')
