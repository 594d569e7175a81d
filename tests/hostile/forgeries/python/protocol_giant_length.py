# a length without the message
import os
import time


def lie():
    os.write(3, (2**32 - 1).to_bytes(4, 'big'))
    time.sleep(0.2)
    return 0


def add(*given):
    return lie()


def is_even(*given):
    return lie()


def pairs(*given):
    return lie()


def halve(*given):
    return lie()


def every(*given):
    return lie()


def sort(*given):
    return lie()


def greet(*given):
    return lie()
