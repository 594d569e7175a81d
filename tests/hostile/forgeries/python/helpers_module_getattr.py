# a module that has every name
def __getattr__(name):
    return lambda *given: 0
