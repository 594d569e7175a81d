# a number of a million digits
def add(*given):
    return 10**1000000


def is_even(*given):
    return 10**1000000


def pairs(*given):
    return 10**1000000


def halve(*given):
    return 10**1000000


def every(*given):
    return 10**1000000


def sort(*given):
    return 10**1000000


def greet(*given):
    return 10**1000000
