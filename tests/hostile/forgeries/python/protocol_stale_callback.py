# calls a function of the tests when nobody waits for that
import os
import threading
import time

kept = []


def every(function, items):
    kept.append(function)
    threading.Thread(target=late, daemon=True).start()
    return [function(x) for x in items[:1]]


def late():
    message = b'{"cb":0,"a":[2],"k":{}}'
    for _ in range(20):
        os.write(3, len(message).to_bytes(4, 'big') + message)
        time.sleep(0.001)


def add(*given):
    return 0
