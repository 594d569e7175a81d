# never answers
import time


def add(*given):
    time.sleep(1000)


def is_even(*given):
    time.sleep(1000)


def pairs(*given):
    time.sleep(1000)


def halve(*given):
    time.sleep(1000)


def every(*given):
    time.sleep(1000)


def sort(*given):
    time.sleep(1000)


def greet(*given):
    time.sleep(1000)
