# Changes modules, builtins and the interpreter's settings for whoever comes after.
# mypy: ignore-errors
import builtins
import gc
import json
import os
import signal
import sys
import warnings

import haloforge.sandbox as stand_in

ours = {name: module for name, module in sys.modules.items() if name.startswith("haloforge.")}
if sys.argv[1] == "second":
    print_, told = print, []
    told += ["json"] * (json.loads("[1]") != [1])
    told += ["len"] * (len("ab") != 2)
    told += ["stand-in"] * hasattr(stand_in, "left")
    told += [name for name, module in ours.items() if hasattr(module, "left")]
    told += ["exit"] * (os._exit.__name__ != "_exit")
    told += ["path"] * ("/left" in sys.path) + ["environment"] * ("LEFT" in os.environ)
    told += ["module"] * ("left" in sys.modules) + ["finders"] * (len(sys.meta_path) > 4)
    told += ["umask"] * (os.umask(0o22) != 0o22) + ["collector"] * (not gc.isenabled())
    told += ["signals"] * (signal.getsignal(signal.SIGTERM) != signal.SIG_DFL)
    told += ["mask"] * bool(signal.pthread_sigmask(signal.SIG_BLOCK, ())) + ["timer"] * any(signal.getitimer(0))
    told += ["trace"] * (sys.gettrace() is not None) + ["hook"] * (sys.excepthook is not sys.__excepthook__)
    told += ["recursion"] * (sys.getrecursionlimit() > 1100) + ["folder"] * (os.getcwd() in ("/", "/tmp"))
    told += ["warnings"] * ("left" in str(warnings.filters)) + ["class"] * hasattr(signal.Signals, "left")
    for each in told:
        print_(each)
    print_("end")
else:
    print("end", flush=True)
    sys.modules["left"] = json
    sys.meta_path += [json] * 9
    sys.path.append("/left")
    os.environ["LEFT"] = "1"
    os.putenv("LEFT", "1")
    os.umask(0)
    os.chdir("/")
    gc.disable()
    sys.settrace(lambda *_: None)
    sys.excepthook = print
    sys.setrecursionlimit(9999)
    signal.Signals.left = 1
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.setitimer(signal.ITIMER_REAL, 100)
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 30))
    warnings.filterwarnings("ignore", "left")
    for module in (stand_in, *ours.values()):
        module.left = True
    json.loads = lambda _: "changed"
    builtins.len = lambda _: 7
    os._exit = lambda _: None
    # What runs after us on the way out is ours as well: it must not get further than this process.
    for module in ours.values():
        for name in ("send", "report", "pack", "wait4"):
            setattr(module, name, lambda *_: None)
