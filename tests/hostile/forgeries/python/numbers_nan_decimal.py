# what is no decimal number
import decimal


def add(*given):
    return decimal.Decimal('NaN')


def is_even(*given):
    return decimal.Decimal('NaN')


def pairs(*given):
    return decimal.Decimal('NaN')


def halve(*given):
    return decimal.Decimal('NaN')


def every(*given):
    return decimal.Decimal('NaN')


def sort(*given):
    return decimal.Decimal('NaN')


def greet(*given):
    return decimal.Decimal('NaN')
