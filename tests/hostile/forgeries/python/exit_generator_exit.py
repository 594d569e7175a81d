# the exception that closes generators
def add(*given):
    raise GeneratorExit


def is_even(*given):
    raise GeneratorExit


def pairs(*given):
    raise GeneratorExit


def halve(*given):
    raise GeneratorExit


def every(*given):
    raise GeneratorExit


def sort(*given):
    raise GeneratorExit


def greet(*given):
    raise GeneratorExit
