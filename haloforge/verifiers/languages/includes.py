"""Which headers a C or C++ source begins with, where they can be compiled ahead of it without changing its meaning."""

from __future__ import annotations

import re

_STEP = re.compile(
    r"""[ \t\r]* (?:
        (?: \#[ \t]*include[ \t]*<(?P<header>[\w./+]+)>[ \t\r]* )? (?: //[^\n\\]* )? \n
      | /\* (?: [^*\\] | \*(?!/) )* \*/ [ \t\r]* \n
    )""",
    re.X,
)
"""A line with an include, or with nothing but a comment. No backslash: it could join the next line to a comment."""

ANY_ORDER = frozenset(
    """
    algorithm any array atomic barrier bit bitset cassert ccomplex cctype cerrno cfenv cfloat charconv chrono cinttypes
    ciso646 climits clocale cmath codecvt compare complex concepts condition_variable coroutine csetjmp csignal
    cstdalign cstdarg cstdbool cstddef cstdint cstdio cstdlib cstring ctgmath ctime cuchar cwchar cwctype deque
    exception execution expected filesystem format forward_list fstream functional future generator initializer_list
    iomanip ios iosfwd iostream istream iterator latch limits list locale map memory memory_resource mutex new numbers
    numeric optional ostream print queue random ranges ratio regex scoped_allocator semaphore set shared_mutex
    source_location span spanstream sstream stack stacktrace stdexcept stop_token streambuf string string_view strstream
    syncstream system_error thread tuple type_traits typeindex typeinfo unordered_map unordered_set utility valarray
    variant vector version
    assert.h complex.h ctype.h errno.h fenv.h float.h inttypes.h iso646.h limits.h locale.h math.h setjmp.h signal.h
    stdalign.h stdarg.h stdatomic.h stdbool.h stddef.h stdint.h stdio.h stdlib.h stdnoreturn.h string.h tgmath.h
    threads.h time.h uchar.h wchar.h wctype.h
    bits/stdc++.h ext/pb_ds/assoc_container.hpp ext/pb_ds/tree_policy.hpp
    """.split()  # noqa: SIM905
)
"""Of the C and C++ standards, which let them stand in any order and any number of times; and what contests use."""
AS_WRITTEN = frozenset(
    """
    dirent.h fcntl.h pthread.h sched.h semaphore.h strings.h sys/mman.h sys/resource.h sys/stat.h sys/time.h
    sys/types.h sys/wait.h unistd.h
    aclapi.h bcrypt.h dbghelp.h intrin.h iphlpapi.h lm.h psapi.h sddl.h shellapi.h shlobj.h shlwapi.h
    tchar.h tlhelp32.h wincrypt.h windows.h windowsx.h winhttp.h wininet.h winioctl.h winnt.h winreg.h winsock2.h
    winsvc.h winternl.h ws2tcpip.h wtsapi32.h
    """.split()  # noqa: SIM905
)
"""May be repeated, but keep the order they were written in: windows.h decides what others say."""


def leading(code: str) -> tuple[str, ...]:
    """Names of the headers that `code` includes before anything else, once each; sorted where their order is free.

    Ends at the first line that is anything but `#include <known header>`, a comment or blank.
    """
    found: dict[str, None] = {}
    at = 0
    while step := _STEP.match(code, at):
        header = step["header"]
        if header and header not in ANY_ORDER and header not in AS_WRITTEN:
            break
        if header:
            found[header] = None
        at = step.end()
    if "??/" in code[:at]:  # in strict modes a backslash
        return ()
    return tuple(sorted(found) if ANY_ORDER.issuperset(found) else found)
