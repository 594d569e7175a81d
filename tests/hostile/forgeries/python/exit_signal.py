# kills itself
import os
import signal


def add(*given):
    os.kill(os.getpid(), signal.SIGKILL)


def is_even(*given):
    os.kill(os.getpid(), signal.SIGKILL)


def pairs(*given):
    os.kill(os.getpid(), signal.SIGKILL)


def halve(*given):
    os.kill(os.getpid(), signal.SIGKILL)


def every(*given):
    os.kill(os.getpid(), signal.SIGKILL)


def sort(*given):
    os.kill(os.getpid(), signal.SIGKILL)


def greet(*given):
    os.kill(os.getpid(), signal.SIGKILL)
