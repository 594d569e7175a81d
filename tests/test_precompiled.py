"""Precompiled headers: exactly what the sample includes, never a different verdict, never in a sample's reach."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from haloforge import sandbox
from haloforge.errors import MissingTool
from haloforge.records import Case, Prompt
from haloforge.verifiers import ClangVerifier, GCCVerifier, MinGWVerifier
from haloforge.verifiers.languages import Unit
from haloforge.verifiers.languages.gnu import CLANG, GCC, MINGW
from haloforge.verifiers.languages.includes import ANY_ORDER, AS_WRITTEN, leading
from haloforge.verifiers.precompiled import PrecompiledHeaders
from haloforge.verifiers.toolchain import has_tool, tool_path
from tests import ordinary

pytestmark = pytest.mark.sandbox

CPP = Prompt("p", "text", language="cpp")
C = Prompt("p", "text", language="c")
SUM = "#include <vector>\n#include <iostream>\nint main() { std::vector<int> v{1, 2}; std::cout << v[0] + v[1]; }\n"


@pytest.fixture
def gcc(home):
    verifier = GCCVerifier(max_workers=1)
    verifier.headers.pays_after = 1
    yield verifier
    verifier.cleanup()


def without(verifier):
    """The same verifier with no precompiled headers."""
    plain = type(verifier)(
        max_workers=1, check_only=verifier.check_only, warnings="penalise" if verifier.warn else "ignore"
    )
    plain.headers._off = True
    return plain


def entries(verifier):
    """Folders with a finished precompiled header."""
    return sorted(path.parent for path in verifier.headers.folder.glob("*/about.json"))


def compiles(verifier, code, task=CPP):
    """[argv of every compiler run] while `code` is judged, and the verdict."""
    seen = []
    run = sandbox.Box.run

    def watched(box, argv, *more):
        seen.append(list(argv))
        return run(box, argv, *more)

    with mock.patch.object(sandbox.Box, "run", watched):
        return seen, verifier.verify(code, task, as_it_stands=True)


LEADING = {
    SUM: ("iostream", "vector"),
    "#include <vector>\n#include <vector>\n": ("vector",),
    "// #include <map>\n/* #include\n <set> */\n\n  # include <cstdio> // io\r\n#include<cmath>\n": ("cmath", "cstdio"),
    "#include <cstdio>\n#define N 3\n#include <vector>\n": ("cstdio",),
    "#include <cstdio>\nint x;\n#include <vector>\n": ("cstdio",),
    "#include <cstdio>\n#include \"mine.h\"\n#include <vector>\n": ("cstdio",),
    "#include <cstdio>\n#include <nobody/knows.h>\n#include <vector>\n": ("cstdio",),
    "#include <windows.h>\n#include <stdio.h>\n": ("windows.h", "stdio.h"),
    "#define NDEBUG\n#include <cassert>\n": (),
    "#pragma GCC optimize(\"O3\")\n#include <vector>\n": (),
    "#if 0\n#include <vector>\n#endif\n": (),
    "// joined \\\n#include <vector>\n": (),
    "// joined ??/\n#include <vector>\n": (),
    "/* open\n#include <vector>\n": (),
    "#include <vector> int x;\n": (),
    "#include <vec\\\ntor>\n": (),
    "#include <vector>": (),
    "#include <../../etc/passwd>\n": (),
    "": (),
}  # fmt: skip


@pytest.mark.parametrize("code", LEADING)
def test_the_preamble_is_what_stands_before_anything_else(code):
    assert leading(code) == LEADING[code]


def test_a_preamble_of_a_million_comments_is_read_at_once():
    assert leading("/*" * 500_000 + "\n" + "//\n" * 100_000) == ()
    assert leading("//\n" * 200_000 + "#include <map>\n") == ("map",)


@pytest.mark.parametrize("flag", ["-std=c++17", "-O0", "-O2", "-g", "-DX=1", "-Wall", "-pthread", "-march=native"])
def test_flags_that_change_no_search_keep_the_preamble(flag):
    unit = Unit("main.cpp", {"main.cpp": SUM}, cflags=(flag,))
    preamble = GCC["cpp"].build(unit).preamble
    assert preamble
    assert flag in preamble.argv


@pytest.mark.parametrize(
    "flag",
    [
        "-I.",
        "-isystem.",
        "-iquote.",
        "-include",
        "-fplugin=x.so",
        "-B.",
        "-specs=x",
        "-Wp,-include,x.h",
        "-wrapper",
        "@f",
    ],
)
def test_flags_that_may_bring_other_headers_or_code_end_it(flag):
    assert GCC["cpp"].build(Unit("main.cpp", {"main.cpp": SUM}, cflags=(flag,))).preamble is None


@pytest.mark.parametrize("compiler", ["gcc", "g++", "x86_64-w64-mingw32-g++"])
def test_every_known_header_may_be_included_again(compiler):
    """Precompiled and then met again in the sample: the second time must change nothing."""
    if not has_tool(compiler):
        pytest.skip(f"no {compiler}")
    flags = ["-x", "c"] if compiler == "gcc" else ["-x", "c++", "-std=gnu++20"]
    first = ["winsock2.h", "windows.h"]  # the others for Windows want them before
    names = first + sorted((ANY_ORDER | AS_WRITTEN) - set(first) - {"wininet.h", "winternl.h"})
    all_once = "".join(f"#if __has_include(<{name}>)\n#include <{name}>\n#endif\n" for name in names)
    apart = "".join(
        f"#if __has_include(<{name}>)\n#include <{name}>\n#endif\n" for name in (*first, "wininet.h", "winternl.h")
    )
    for code in (all_once, all_once * 2, apart * 2):  # wininet.h and winhttp.h do not go together
        argv = [tool_path(compiler), *flags, "-w", "-fsyntax-only", "-"]
        said = subprocess.run(argv, input=code, text=True, capture_output=True)
        assert said.returncode == 0, said.stderr[:1000]


def test_a_header_is_precompiled_when_it_has_been_seen_often_enough(home):
    verifier = GCCVerifier(max_workers=1)
    for number in range(1, 6):
        seen, result = compiles(verifier, f"#include <cstdio>\nint main() {{ return {number}; }}\n")
        assert result.status == "compiled"
        used = any("-include" in argv for argv in seen)
        assert used == (number >= 4) == bool(entries(verifier)), number
    verifier.cleanup()


def test_processes_of_a_node_count_together_and_find_each_others(home):
    code = "#include <cstdio>\nint main() {}\n"
    for _ in range(4):
        one = GCCVerifier(max_workers=1)
        one.verify(code, CPP)
    assert len(entries(one)) == 1
    seen, _ = compiles(GCCVerifier(max_workers=1), code)
    assert len(seen) == 1
    assert "-include" in seen[0]
    one.cleanup()


def test_order_and_repetition_share_one_and_another_set_of_headers_or_flags_does_not(gcc):
    main = "int main() {}\n"
    for headers in ("<cstdio>\n#include <map>", "<map>\n#include <cstdio>", "<map>\n#include <map>\n#include <cstdio>"):
        gcc.verify(f"#include {headers}\n{main}", CPP, as_it_stands=True)
    assert len(entries(gcc)) == 1
    gcc.verify(f"#include <cstdio>\n#include <map>\n#include <set>\n{main}", CPP, as_it_stands=True)
    assert len(entries(gcc)) == 2
    gcc.verify(f"#include <cstdio>\n#include <map>\n{main}", replace(CPP, cflags="-O0"), as_it_stands=True)
    assert len(entries(gcc)) == 3
    gcc.verify(f"#include <stdio.h>\n{main}", CPP, as_it_stands=True)
    gcc.verify("#include <stdio.h>\nint main(void) { return 0; }\n", C, as_it_stands=True)
    assert len(entries(gcc)) == 5


def test_a_forgotten_include_is_an_error_also_after_others_had_it(gcc):
    good = "#include <iostream>\n#include <map>\nint main() { std::map<int, int> m; std::cout << m.size(); }\n"
    assert gcc.verify(good, CPP, as_it_stands=True).status == "compiled"
    for forgot in (good.replace("#include <map>\n", ""), good.replace("#include <iostream>\n", "")):
        result = gcc.verify(forgot, CPP, as_it_stands=True)
        assert result.status == "compile_error"
    assert "std::map" in gcc.verify(good.replace("#include <map>\n", "\n"), CPP, as_it_stands=True).error


HEAD = "#include <algorithm>\n#include <cassert>\n#include <iostream>\n#include <map>\n#include <vector>\n"
ERRORS = {
    "in the sample": "int main() { missing(); }\n",
    "a name almost right": "int main() { std::vectr<int> v; std::cuot << 1; }\n",
    "deep in a header": "struct S {};\nint main() { std::vector<S> v; std::sort(v.begin(), v.end()); }\n",
    "a note in a header": "int main() { std::map<int, int> m; m.insert(1, 2, 3, 4); std::max(1, 2.0); }\n",
    "not linked": "int other();\nint main() { return other(); }\n",
    "a warning": "int main() { int unused; return 1 == 2 == 3; }\n",
    "a static assertion": 'static_assert(sizeof(int) == 5, "five");\nint main() {}\n',
    "too many": "int main() { a; b; c; d; e; }\n",
    "redefined": "namespace std { int cout; }\nint main() {}\n",
    "fine": "int main() { assert(1); std::cout << __LINE__ << __COUNTER__ << __FILE__ << __INCLUDE_LEVEL__; }\n",
    "fine with NDEBUG late": "#define NDEBUG\n#include <cassert>\nint main() { assert(0); }\n",
    "fine with a pragma late": '#pragma GCC optimize("O3")\n#include <immintrin.h>\nint main() {}\n',
}


@pytest.fixture(scope="module", params=["gcc", "gcc warns", "gcc checks", "clang"])
def with_headers(request, tmp_path_factory):
    arguments: dict[str, Any] = {"gcc warns": {"warnings": "penalise"}, "gcc checks": {"check_only": True}}
    if request.param == "clang" and not has_tool("clang++"):
        pytest.skip("no clang++")
    verifier = (ClangVerifier if request.param == "clang" else GCCVerifier)(
        max_workers=1, **arguments.get(request.param, {})
    )
    verifier.headers = PrecompiledHeaders(tmp_path_factory.mktemp("precompiled"), pays_after=1)
    yield verifier
    verifier.cleanup()


@pytest.mark.parametrize("kind", ERRORS)
def test_the_verdict_and_its_words_are_the_same_with_and_without(with_headers, kind):
    code = HEAD + ERRORS[kind]
    seen, result = compiles(with_headers, code)
    assert any("-include" in argv for argv in seen)
    plain = without(with_headers).verify(code, CPP, as_it_stands=True)
    assert (result.status, result.error, result.details, result.reward) == (
        plain.status, plain.error, plain.details, plain.reward
    )  # fmt: skip
    assert (result.status == "compiled") == (kind.startswith("fine") or kind == "a warning" or (
        kind == "not linked" and with_headers.check_only))  # fmt: skip
    assert str(with_headers.headers.folder) not in (result.error or "")


def test_a_program_prints_the_same_with_and_without(gcc):
    code = HEAD + "int main() { std::cout << __LINE__ << __FILE__ << __COUNTER__; }\n"
    task = replace(CPP, cases=(Case("", "6main.cpp0"),), tests_kind="stdio")
    seen, result = compiles(gcc, code, task)
    assert any("-include" in argv for argv in seen)
    assert result.status == without(gcc).verify(code, task, as_it_stands=True).status == "passed"


def test_types_are_checked_with_the_same_precompiled_header(gcc):
    gcc.verify(SUM, CPP, as_it_stands=True)
    checker = GCCVerifier(max_workers=1, check_only=True)
    checker.headers.pays_after = 1
    seen, result = compiles(checker, SUM)
    assert result.status == "compiled"
    assert [("-include" in argv, "-fsyntax-only" in argv) for argv in seen] == [(True, True)]
    assert len(entries(gcc)) == 1


def damage_truncated(folder):
    compiled = folder / "preamble.h.gch"
    os.truncate(compiled, compiled.stat().st_size // 2)


def damage_garbage(folder):
    compiled = folder / "preamble.h.gch"
    data = bytearray(compiled.read_bytes())
    data[4096:] = bytes(b ^ 0x55 for b in data[4096:])
    compiled.write_bytes(data)


def damage_gone(folder):
    (folder / "preamble.h.gch").unlink()


def damage_header_changed(folder):
    about = json.loads((folder / "about.json").read_text())
    about["headers"][-1][1][-1] += 1
    (folder / "about.json").write_text(json.dumps(about))


def damage_about(folder):
    (folder / "about.json").write_text("{}")


DAMAGES = [damage_truncated, damage_garbage, damage_gone, damage_header_changed, damage_about]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_or_outdated_one_is_made_again(gcc, damage):
    gcc.verify(SUM, CPP, as_it_stands=True)
    damage(entries(gcc)[0])
    later = GCCVerifier(max_workers=1)
    later.headers.pays_after = 1
    seen, result = compiles(later, SUM)
    assert result.status == "compiled"
    assert sum("c++-header" in argv for argv in seen) == 1
    assert any("-include" in argv for argv in seen)
    assert compiles(GCCVerifier(max_workers=1), SUM)[0][0].count("-include") == 1


@pytest.mark.parametrize("kind", ["fine", "in the sample"])
@pytest.mark.parametrize("damage", [damage_truncated, damage_garbage, damage_gone])
def test_one_damaged_after_it_was_checked_changes_no_verdict(gcc, monkeypatch, damage, kind):
    """The compiler meets it: here the check is made blind."""
    code = HEAD + ERRORS[kind]
    wanted = gcc.verify(code, CPP, as_it_stands=True)
    damage(entries(gcc)[0])
    monkeypatch.setattr(PrecompiledHeaders, "_there", lambda self, known: True)
    result = gcc.verify(code, CPP, as_it_stands=True)
    assert (result.status, result.error) == (wanted.status, wanted.error)


def test_one_that_the_compiler_does_not_take_is_not_offered_again(gcc, monkeypatch):
    code = HEAD + ERRORS["fine"]
    gcc.verify(code, CPP, as_it_stands=True)
    damage_garbage(entries(gcc)[0])
    (entries(gcc)[0] / "preamble.h").write_text("#error not this one\n")
    monkeypatch.setattr(PrecompiledHeaders, "_there", lambda self, known: True)
    assert [gcc.verify(code, CPP, as_it_stands=True).status for _ in range(2)] == ["compiled", "compiled"]
    seen, _ = compiles(gcc, code)
    assert len(seen) == 1
    assert "-include" not in seen[0]


WRITES = """
#include <cstdio>
#include <fcntl.h>
#include <initializer_list>
#include <sys/stat.h>
#include <unistd.h>
int main() {
    int done = 0;
    for (const char *name : {"/about.json", "/preamble.h", "/preamble.h.gch", "/seen", "/new"}) {
        char path[4096];
        snprintf(path, sizeof path, "%s%s", FOLDER, name);
        int fd = open(path, O_WRONLY | O_CREAT, 0644);
        done += fd >= 0;
        done += unlink(path) == 0;
        done += chmod(path, 0777) == 0;
        done += rename(path, "/work/x") == 0;
        done += link("/work/main.cpp", path) == 0;
    }
    done += rmdir(FOLDER) == 0;
    done += mkdir(FOLDER "/folder", 0755) == 0;
    done += chmod(FOLDER, 0777) == 0;
    printf("%d %d", done, access(FOLDER "/preamble.h", R_OK));
}
"""


@pytest.mark.parametrize("place", ["in /tmp", "elsewhere"])
def test_a_sample_reads_the_folder_and_changes_nothing_in_it(home, monkeypatch, place):
    if place == "elsewhere":
        scratch = tempfile.TemporaryDirectory(dir="/var/tmp")
        monkeypatch.setenv("HALOFORGE_HOME", scratch.name)
    gcc = GCCVerifier(max_workers=1)
    gcc.headers.pays_after = 1
    gcc.verify(SUM, CPP, as_it_stands=True)
    folder = entries(gcc)[0]
    for path in (folder, *folder.iterdir()):
        path.chmod(0o777)  # it must not rest on permissions
    before = {path.name: (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.iterdir()}
    task = replace(CPP, cases=(Case("", "0 0"),), tests_kind="stdio")
    result = gcc.verify(f'#define FOLDER "{folder}"' + WRITES, task, as_it_stands=True)
    assert result.status == "passed", (result.details, result.error)
    assert {path.name: (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.iterdir()} == before
    gcc.cleanup()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, else these tests run as an ordinary user anyway")
def test_it_holds_for_an_ordinary_user():
    command = [ordinary.python(), "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir=/", "-c/dev/null"]
    chosen = [str(Path(__file__).resolve()), "-k", "changes_nothing or forgotten or cannot_be_written"]
    done = subprocess.run([*ordinary.COMMAND, *command, *chosen], **ordinary.QUIET)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr
    assert "4 passed" in done.stdout


@pytest.mark.parametrize("readable", [True, False])
def test_where_landlock_shows_the_hosts_own_folders_a_hidden_one_costs_no_verdict(gcc, monkeypatch, readable):
    """Without a mount namespace permissions count, and as root a box is another user: it may not get at the folder."""
    monkeypatch.setattr(sandbox, "level", lambda allow_weak=False: sandbox.LANDLOCK)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        os.chmod(folder, 0o755 if readable else 0o700)
        gcc.headers = PrecompiledHeaders(Path(folder, "precompiled"), pays_after=1)
        assert [gcc.verify(SUM, CPP, as_it_stands=True).status for _ in range(2)] == ["compiled"] * 2
        assert bool(entries(gcc)) == (readable or os.geteuid() != 0)
        gcc.cleanup()


def test_a_sample_cannot_have_its_own_words_precompiled(gcc):
    """Only names from a list reach the compiler that builds one, and it sees no file of the sample."""
    code = "#include <vector>\n#include </work/main.cpp>\n#include <nobody.h>\nint main() {}\n"
    gcc.verify(code, CPP, as_it_stands=True)
    assert [(folder / "preamble.h").read_text() for folder in entries(gcc)] == ["#include <vector>\n"]


def test_where_the_folder_cannot_be_written_samples_are_compiled_plainly(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    for home in (tmp_path / "file", Path("/proc/haloforge"), Path("/dev/shm/haloforge-test")):
        monkeypatch.setenv("HALOFORGE_HOME", str(home))
        gcc = GCCVerifier(max_workers=1)
        gcc.headers.pays_after = 1
        assert gcc.headers.mounts() == ()
        assert gcc.verify(SUM, CPP, as_it_stands=True).status == "compiled"
    assert not Path("/dev/shm/haloforge-test").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a full disk takes root")
def test_where_the_disk_is_full_samples_are_compiled_plainly(tmp_path, monkeypatch, caplog):
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=755", "none", str(disk)], check=True)
    try:
        monkeypatch.setenv("HALOFORGE_HOME", str(disk))
        gcc = GCCVerifier(max_workers=1)
        gcc.headers.pays_after = 1
        for _ in range(2):
            assert gcc.verify(SUM, CPP, as_it_stands=True).status == "compiled"
        assert "No space left" in caplog.text
        assert caplog.text.count("No space left") == 1
        assert not list(disk.rglob("*.new"))
        gcc.cleanup()
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_many_at_once_build_it_once(home):
    """Eight verifiers share the folder as processes do: each has its own file descriptors for the lock."""
    built = []
    run = PrecompiledHeaders._made
    verifiers = [GCCVerifier(max_workers=1, slot=number) for number in range(8)]
    barrier = threading.Barrier(8)

    def judge(verifier):
        verifier.headers.pays_after = 1
        barrier.wait()
        return verifier.verify(SUM, CPP, as_it_stands=True).status

    def counted(self, *arguments):
        built.append(1)
        return run(self, *arguments)

    with mock.patch.object(PrecompiledHeaders, "_made", counted), ThreadPoolExecutor(8) as pool:
        assert list(pool.map(judge, verifiers)) == ["compiled"] * 8
    assert len(built) == 1
    assert len(entries(verifiers[0])) == 1
    assert not list(verifiers[0].headers.folder.rglob("*.new"))
    verifiers[0].cleanup()


def test_the_least_recently_used_make_room(gcc):
    for name in ("deque", "set", "map"):
        gcc.verify(f"#include <{name}>\nint main() {{}}\n", CPP, as_it_stands=True)
    by_name = {(folder / "preamble.h").read_text()[10:-2]: folder for folder in entries(gcc)}
    for age, name in enumerate(("map", "deque", "set")):
        os.utime(by_name[name] / "seen", (age, age))
    gcc.headers.most_bytes = sum(file.stat().st_size for file in gcc.headers.folder.glob("*/*"))
    gcc.verify("#include <list>\nint main() {}\n", CPP, as_it_stands=True)
    left = {(folder / "preamble.h").read_text()[10:-2] for folder in entries(gcc)}
    assert left == {"deque", "set", "list"}
    assert gcc.verify("#include <map>\nint main() {}\n", CPP, as_it_stands=True).status == "compiled"


def test_headers_that_do_not_compile_are_tried_once(gcc):
    for number in range(3):
        seen, result = compiles(gcc, f"#include <windows.h>\nint main() {{ return {number}; }}\n")
        assert result.status == "compile_error"
        assert "windows.h: No such file" in result.error
        assert sum("c++-header" in argv for argv in seen) == (number == 0)


def test_the_linker_is_mold_where_it_is_and_the_compiler_takes_it():
    if not has_tool("mold"):
        pytest.skip("no mold")
    for rows in (GCC, CLANG):
        for name, row in rows.items():
            words = row.build(Unit(f"main.{name}", {f"main.{name}": ""})).commands[0]
            assert "-fuse-ld=mold" in words
            own = row.build(Unit(f"main.{name}", {f"main.{name}": ""}, cflags=("-fuse-ld=bfd",))).commands[0]
            assert "-fuse-ld=mold" not in own
    assert not any("mold" in word for word in MINGW["c"].build(Unit("main.c", {"main.c": ""})).commands[0])


WINDOWS = """#include <winsock2.h>
#include <windows.h>
#include <iostream>
int main() { WSADATA data; WSAStartup(MAKEWORD(2, 2), &data); std::cout << GetCurrentProcessId(); CoTaskMemFree(0); }
"""


@pytest.fixture
def mingw(home):
    verifier = MinGWVerifier(max_workers=1)
    try:
        verifier.prepare(["cpp-windows", "c"])
    except MissingTool as e:
        pytest.skip(str(e))
    verifier.headers.pays_after = 1
    yield verifier
    verifier.cleanup()


def test_programs_for_windows_are_built_with_their_libraries(mingw):
    for language in ("cpp-windows", "cpp", "any"):
        result = mingw.verify("#include <objbase.h>\n" + WINDOWS, Prompt("p", "t", language=language))
        assert result.status == "compiled", result.error
    assert mingw.verify("#include <windows.h>\nint main(void) { Sleep(1); return 0; }\n", C).status == "compiled"
    error = mingw.verify(WINDOWS.replace("WSAStartup", "WSAStart"), Prompt("p", "t", language="cpp-windows"))
    assert error.status == "compile_error"
    assert "WSAStart" in error.error


def test_headers_for_windows_keep_their_order(mingw):
    for code in (WINDOWS, WINDOWS.replace("#include <winsock2.h>\n#include <windows.h>", "#include <windows.h>")):
        mingw.verify(code, Prompt("p", "t", language="cpp-windows"), as_it_stands=True)
    texts = {(folder / "preamble.h").read_text() for folder in entries(mingw)}
    assert "#include <winsock2.h>\n#include <windows.h>\n#include <iostream>\n" in texts
    assert len(texts) == 2


@pytest.mark.skipif(has_tool("wine"), reason="wine runs them here")
def test_without_wine_cases_are_not_run_and_the_verdict_says_so(mingw):
    result = mingw.verify(WINDOWS, Prompt("p", "t", language="cpp-windows", cases=(Case("", "1"),)))
    assert (result.status, result.passed) == ("unknown", 0)
    assert "cannot run such programs" in result.details


def test_with_wine_programs_are_linked_whole_and_run(monkeypatch):
    monkeypatch.setattr("haloforge.verifiers.languages.has_tool", lambda tool: True)
    monkeypatch.setattr("haloforge.verifiers.languages.gnu.has_tool", lambda tool: True)
    row = MINGW["cpp-windows"].here()
    assert row.run == ("wine", "program.exe")
    assert "-static" in row.build(Unit("main.cpp", {"main.cpp": WINDOWS})).commands[0]
    monkeypatch.setattr("haloforge.verifiers.languages.has_tool", lambda tool: False)
    assert row.here().run is None
