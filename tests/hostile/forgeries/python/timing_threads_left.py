# leaves threads behind that never end
import threading
import time


def stay():
    while True:
        time.sleep(0.01)


threading.Thread(target=stay).start()


def add(*given):
    return 0


def is_even(*given):
    return 0


def pairs(*given):
    return 0


def halve(*given):
    return 0


def every(*given):
    return 0


def sort(*given):
    return 0


def greet(*given):
    return 0
