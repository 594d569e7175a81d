# works without end
def add(*given):
    while True:
        pass


def is_even(*given):
    while True:
        pass


def pairs(*given):
    while True:
        pass


def halve(*given):
    while True:
        pass


def every(*given):
    while True:
        pass


def sort(*given):
    while True:
        pass


def greet(*given):
    while True:
        pass
