"""haloforge: improve a code model with nothing but compilers and tests."""

__version__ = "0.1.0"
