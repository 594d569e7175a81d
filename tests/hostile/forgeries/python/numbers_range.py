# a range without end
def add(*given):
    return range(10**18)


def is_even(*given):
    return range(10**18)


def pairs(*given):
    return range(10**18)


def halve(*given):
    return range(10**18)


def every(*given):
    return range(10**18)


def sort(*given):
    return range(10**18)


def greet(*given):
    return range(10**18)
