# Looks in its memory for what earlier runs were given: a file that is gone, an argument, an input.
import os
import sys

pairs = [tuple(half.encode() for half in line.split()) for line in sys.stdin]
if sys.argv[1] == "first":  # a word of its own, which must be found, or the search is none
    pairs.append((sys.argv[2][:12].encode(), sys.argv[2][12:].encode()))
fd = os.open("/proc/self/mem", os.O_RDONLY)
found = set()
with open("/proc/self/maps") as f:
    maps = f.readlines()
for line in maps:
    where, rights, *_ = line.split()
    start, end = (int(part, 16) for part in where.split("-"))
    try:
        data = os.pread(fd, end - start, start)
    except (OSError, OverflowError):
        continue
    for n, (left, right) in enumerate(pairs):
        at = data.find(left)
        while at >= 0:
            if data[at + 12 : at + 24] == right:
                found.add(n)
            at = data.find(left, at + 1)
if found != ({3} if sys.argv[1] == "first" else set()):
    print("found", found)
print("end")
