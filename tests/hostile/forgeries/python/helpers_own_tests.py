# its own tests behind the answer
import unittest


class TestOwn(unittest.TestCase):
    def test_nothing(self):
        pass


if __name__ == '__main__':
    unittest.main()


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
