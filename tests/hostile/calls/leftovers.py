# Leaves processes, threads and System V objects behind, and looks for those of others.
import ctypes
import os
import sys
import threading
import time

if sys.argv[1] == "second":
    if os.path.isdir("/proc/1"):
        me = {1, os.getpid()}
        others = {int(name) for name in os.listdir("/proc") if name.isdigit()} - me if os.getppid() == 1 else set()
        if others:
            print("others", others)
    if threading.active_count() > 1:
        print("threads")
    print("end")
else:
    print("end", flush=True)
    libc = ctypes.CDLL(None)
    libc.shmget(1234, 4096, 0o1666)
    for leave in (os.setsid, os.getpid):
        if os.fork() == 0:
            leave() if os.getsid(0) != os.getpid() else None
            if os.fork() == 0:
                os.execv("/bin/sleep", ["/bin/sleep", "77.5"])
            os._exit(0)
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
