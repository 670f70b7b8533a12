#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The project's one entry: ``python build.py demo | sample | test | bench | fuzz | rigs | package | wheels |
install-check | shots``.

Needs nothing but a standard Python. It makes every environment it uses (``.venv`` for the engine and Blender
4.5, ``.venv-blender-X.Y.Z`` for other Blenders), once: a stamp of the requirement files tells when one is out
of date, and a set-up that was interrupted starts afresh.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wheels.steps import BuildError, say

if TYPE_CHECKING:
    from wheels.pack import Workshop

ROOT = Path(__file__).resolve().parent
WINDOWS = os.name == "nt"
STEP_LIMIT = 40 * 60.0  # seconds; Blender as a module can hang at exit
TEST_MINUTES = 30.0  # of one step of the tests, several times what it takes on two cores
TOLD_EVERY = 30.0  # seconds between two lines on how far the tests are
ABORT_SECONDS = 10.0  # for a hung Python to tell where it is

RIGS, SOME_RIGS = Path("docs/results/rigs.md"), Path("build/rigs.md")  # of every Blender version, of some

STARTED = "started"  # stamp of an environment whose set-up has not ended

# Debian's package of each system library that Blender's module links to.
DEBIAN_PACKAGES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libGLX.so.0": "libglx0",
    "libICE.so.6": "libice6",
    "libSM.so.6": "libsm6",
    "libX11.so.6": "libx11-6",
    "libXext.so.6": "libxext6",
    "libXfixes.so.3": "libxfixes3",
    "libXi.so.6": "libxi6",
    "libXrender.so.1": "libxrender1",
    "libXxf86vm.so.1": "libxxf86vm1",
    "libgomp.so.1": "libgomp1",
    "libuuid.so.1": "libuuid1",
    "libxkbcommon.so.0": "libxkbcommon0",
}


@dataclass(frozen=True)
class Lane:
    """An environment with one Blender: its folder, Python version and what pip installs, call by call."""

    blender: str
    python: str
    folder: str
    installs: tuple[tuple[str, ...], ...]

    @property
    def path(self) -> Path:
        return ROOT / self.folder

    @property
    def interpreter(self) -> Path:
        return self.path / ("Scripts/python.exe" if WINDOWS else "bin/python")

    @property
    def stamp(self) -> Path:
        return self.path / "dposer-setup"

    def digest(self) -> str:
        """Hash of everything that decides what is installed."""
        state = hashlib.sha256(repr((self.python, self.installs)).encode())
        for name in sorted({word for call in self.installs for word in call if word.endswith(".txt")}):
            state.update((ROOT / name).read_bytes())
        return state.hexdigest()


def _other(blender: str, python: str, numpy: str) -> Lane:
    pinned = (f"bpy=={blender}", f"numpy=={numpy}")
    files = ("-r", "requirements-blender.txt", "-c", "constraints.txt")
    return Lane(blender, python, f".venv-blender-{blender}", ((*pinned, *files),))


def _alone(blender: str, python: str, numpy: str) -> Lane:
    pinned = (f"bpy=={blender}", f"numpy=={numpy}", "-c", "constraints.txt")
    return Lane(blender, python, f".venv-alone-{blender}", (pinned,))


MAIN = Lane(
    "4.5.15",
    "3.11",
    ".venv",
    (
        ("-r", "requirements.txt", "-r", "requirements-dev.txt", "-r", "requirements-ray.txt", "-c", "constraints.txt"),
        ("--no-deps", "-r", "requirements-nodeps.txt"),
    ),
)
NEWEST = _other("5.2.3", "3.13", "2.5.5")
LANES = {
    lane.blender: lane
    for lane in (MAIN, _other("4.2.23", "3.11", "1.26.4"), _other("5.0.1", "3.11", "1.26.4"), NEWEST)
}

# A Blender of each Python with nothing of ours beside it, by the Python.
ALONE = {lane.python: lane for lane in (_alone("4.5.15", "3.11", "1.26.4"), _alone("5.2.3", "3.13", "2.5.5"))}


def run(*command: str | Path, limit: float | None = None, **environment: str) -> int:
    """Run a program from the project's root, its output shown as it comes; returns its exit status.

    Args:
        command: program and arguments.
        limit: seconds after which it is ended (status 124), or None.
        environment: variables added to ours.
    """
    words = [os.fspath(word) for word in command]
    try:
        return subprocess.run(words, cwd=ROOT, env={**os.environ, **environment}, timeout=limit).returncode
    except subprocess.TimeoutExpired:
        print(f"Stopped, still running after {limit:.0f} s: {' '.join(words)}", file=sys.stderr, flush=True)
        return 124


def _candidates(version: str) -> Iterator[str]:
    """Interpreters that may be Python `version`, nearest first."""
    yield sys.executable
    for name in (f"python{version}", "python3", "python"):
        if found := shutil.which(name):
            yield found
    if WINDOWS and (launcher := shutil.which("py")):
        ask = [launcher, f"-{version}", "-c", "import sys; print(sys.executable)"]
        yield subprocess.run(ask, capture_output=True, text=True).stdout.strip()
    if pyenv := shutil.which("pyenv"):
        home = subprocess.run([pyenv, "root"], capture_output=True, text=True).stdout.strip()
        for folder in sorted(Path(home).glob(f"versions/{version}.*"), reverse=True):
            yield str(folder / "bin" / f"python{version}")


def find_python(version: str) -> Path | None:
    """A Python of exactly this minor version outside any virtual environment; None if there is none."""
    probe = "import sys; print('%d.%d' % sys.version_info[:2]); print(sys._base_executable)"
    for candidate in _candidates(version):
        if not candidate:
            continue
        try:
            answer = subprocess.run([candidate, "-c", probe], capture_output=True, text=True, timeout=60)
        except (OSError, subprocess.TimeoutExpired):
            continue
        if answer.returncode == 0 and answer.stdout.splitlines()[:1] == [version]:
            return Path(answer.stdout.splitlines()[1])
    return None


def _pip(lane: Lane, *arguments: str) -> None:
    options = ("--disable-pip-version-check", "--only-binary", ":all:")
    if run(lane.interpreter, "-m", "pip", "install", *options, *arguments) != 0:
        raise BuildError(
            f"pip could not install the packages of {lane.folder} (its message is above); check the network "
            "and the free disk space, then run the same command again."
        )


def _create(lane: Lane) -> None:
    """Make the lane's environment, empty, in the place of an incomplete one."""
    python = find_python(lane.python)
    if python is None:
        raise BuildError(
            f"Blender {lane.blender} needs Python {lane.python}, which is not on this machine; install it "
            f"(Debian: apt-get install python{lane.python} python{lane.python}-venv)."
        )
    if lane.path.exists():
        say(f"{lane.folder} is incomplete: making it anew")
        shutil.rmtree(lane.path)
    say(f"Making {lane.folder} with Python {lane.python} (once; downloads about 1 GB)")
    lane.path.mkdir()
    lane.stamp.write_text(STARTED)
    if run(python, "-m", "venv", lane.path) != 0:
        raise BuildError(
            f"Python {lane.python} cannot make virtual environments here; install its venv module "
            f"(Debian: apt-get install python{lane.python}-venv)."
        )


def ensure(lane: Lane) -> None:
    """Make the lane's environment, or bring it up to date; does nothing when it is.

    Raises:
        BuildError: no such Python, no venv module, pip failed, or a system library is missing.
    """
    installed = lane.digest()
    checked = f"{installed} checked"
    state = lane.stamp.read_text() if lane.stamp.is_file() else ""
    if not lane.interpreter.exists():
        state = STARTED
    if state == checked:
        return
    started = time.monotonic()
    if state != installed:
        if state == STARTED:
            _create(lane)
        else:
            say(f"Bringing {lane.folder} up to date")
            lane.stamp.write_text(STARTED)
        for arguments in lane.installs:
            _pip(lane, *arguments)
        lane.stamp.write_text(installed)
    check_libraries(lane)
    lane.stamp.write_text(checked)
    say(f"{lane.folder} is ready ({time.monotonic() - started:.0f} s)")


def bpy_folder(lane: Lane) -> Path:
    """Where the lane's Blender module lies, found without loading it."""
    code = "import importlib.util as u; print(u.find_spec('bpy').submodule_search_locations[0])"
    return Path(subprocess.check_output([lane.interpreter, "-c", code], text=True).strip())


def missing_libraries(ldd_output: str) -> list[str]:
    """The shared libraries that ``ldd`` reports as not found, in its order, once each."""
    lines = (line.split() for line in ldd_output.splitlines() if line.rstrip().endswith("not found"))
    return list(dict.fromkeys(words[0] for words in lines))


def library_advice(libraries: Sequence[str]) -> str:
    """One sentence that names the missing libraries and the Debian packages that hold them."""
    packages = sorted({DEBIAN_PACKAGES[name] for name in libraries if name in DEBIAN_PACKAGES})
    advice = f" (Debian: apt-get install {' '.join(packages)})" if packages else ""
    return f"Blender needs system libraries that are not here ({', '.join(libraries)}); install them{advice}."


def check_libraries(lane: Lane) -> None:
    """Raise BuildError when Blender's module cannot be loaded, on Linux naming the packages to install."""
    if sys.platform == "linux" and (ldd := shutil.which("ldd")):
        modules = [str(path) for path in bpy_folder(lane).glob("__init__*.so")]
        answer = subprocess.run([ldd, *modules], capture_output=True, text=True)
        if missing := missing_libraries(answer.stdout):
            raise BuildError(library_advice(missing))
    answer = subprocess.run([lane.interpreter, "-c", "import bpy"], capture_output=True, text=True)
    if answer.returncode != 0:
        reason = (answer.stderr.strip().splitlines() or ["no message"])[-1]
        raise BuildError(f"Blender {lane.blender} cannot be loaded as a Python module: {reason}.")


def workshop() -> Workshop:
    """What packages are built with: pip and Blender's builder of the main lane."""
    from wheels.pack import Workshop  # here, as main() has the sentence for a Python too old for it

    builder = next(bpy_folder(MAIN).glob("*/scripts/addons_core/bl_pkg/cli/blender_ext.py"))
    return Workshop(ROOT, MAIN.interpreter, builder)


def package(folder: Path) -> Path:
    """Build the extension's zip without wheels in a folder, for an engine in an interpreter of one's own.

    Raises:
        BuildError: Blender's builder or validator refuses it.
    """
    from wheels.pack import pack
    from wheels.variants import BARE

    return pack(workshop(), folder, BARE).path


def lanes_at_hand(every: bool) -> list[Lane]:
    """The main lane, the newest one and, if asked for, all others, by version; those without a Python are named."""
    wanted = [lane for lane in LANES.values() if every or lane in (MAIN, NEWEST)]
    lanes = []
    for lane in sorted(wanted, key=lambda lane: [int(number) for number in lane.blender.split(".")]):
        if lane is MAIN or lane.interpreter.exists() or find_python(lane.python):
            lanes.append(lane)
        else:
            say(f"No Python {lane.python} here: Blender {lane.blender} is left out")
    return lanes


@dataclass(frozen=True)
class Step:
    """A part of the tests: its name, the program with its arguments, and variables added to our environment."""

    name: str
    command: tuple[str | Path, ...]
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Ended:
    """How a step ended: whether it passed, what it wrote, and the seconds it took."""

    passed: bool
    output: str
    seconds: float


class SideBySide:
    """Runs steps, several at a time, each held to a limit; what they write is kept apart.

    Args:
        count: how many at a time.
        limit: seconds that a step may take; one that takes longer is made to tell where it is, and ended.
    """

    def __init__(self, count: int, limit: float) -> None:
        self._count, self._limit = count, limit
        self._running: set[subprocess.Popen[str]] = set()
        self._far: dict[str, str] = {}

    def run(self, steps: Sequence[Step]) -> Iterator[tuple[Step, Ended]]:
        """How each ended, in the order given; what still runs is ended when nobody asks any more.

        Until then a line now and then tells how far the running ones are.
        """
        with ThreadPoolExecutor(self._count) as pool:
            waiting = [pool.submit(self._run, step) for step in steps]
            try:
                for step, future in zip(steps, waiting, strict=True):
                    while not wait([future], TOLD_EVERY).done:
                        say(", ".join(f"{name}{far}" for name, far in list(self._far.items())))
                    yield step, future.result()
            finally:
                for future in waiting:
                    future.cancel()
                for process in tuple(self._running):
                    _end(process)

    def _run(self, step: Step) -> Ended:
        started = time.monotonic()
        process = subprocess.Popen(
            [os.fspath(word) for word in step.command],
            cwd=ROOT,
            env={**os.environ, **step.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # so that what it has started ends with it
        )
        self._running.add(process)
        self._far[step.name] = ""
        lines: list[str] = []
        reader = threading.Thread(target=self._read, args=(step.name, process, lines), daemon=True)
        reader.start()
        hung = ""
        try:
            process.wait(self._limit)
        except subprocess.TimeoutExpired:
            _abort(process)
            hung = f"{step.name}: stopped, still running after {self._limit:.0f} s; above is where it was.\n"
        finally:
            self._running.discard(process)
        reader.join(ABORT_SECONDS)  # a grandchild may hold the pipe
        del self._far[step.name]
        return Ended(process.returncode == 0 and not hung, "".join(lines) + hung, time.monotonic() - started)

    def _read(self, name: str, process: subprocess.Popen[str], lines: list[str]) -> None:
        """Keep what a step writes, and the share that pytest says is done."""
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if share := re.search(r"\[ *(\d+%)\]$", line):
                self._far[name] = f" {share[1]}"


def _abort(process: subprocess.Popen[str]) -> None:
    """End a hung process; if it is a pytest, it tells at last where each of its threads is."""
    if not WINDOWS:
        process.send_signal(signal.SIGABRT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(ABORT_SECONDS)
    _end(process)
    process.wait()


def _end(process: subprocess.Popen[str]) -> None:
    """Kill a process and, but on Windows, all that it has started."""
    if WINDOWS:
        process.kill()
    else:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def command_test(options: argparse.Namespace) -> int:
    """Lint, types, engine tests and tests inside Blender, two at a time; returns 0 when all pass."""
    started = time.monotonic()
    lanes = [MAIN] if options.quick else lanes_at_hand(options.all)
    if options.blender:
        lanes = [LANES[options.blender]]
    for lane in {lane.folder: lane for lane in (MAIN, *lanes)}.values():
        ensure(lane)
    python = MAIN.interpreter
    marks = ["-m", "not slow"] if options.quick else []
    count = max(1, min(options.jobs, processors()))
    threads = {} if "OMP_NUM_THREADS" in os.environ else {"OMP_NUM_THREADS": str(processors() // count)}

    def step(name: str, interpreter: Path, *module: str, **environment: str) -> Step:
        return Step(name, (interpreter, "-m", *module), threads | environment)

    steps = []
    if not options.blender:
        steps.append(step("Lint", python, "ruff", "check", "."))
        steps.append(step("Engine tests", python, "pytest", "tests", "--ignore=tests/blender", *marks))
    for lane in lanes:
        words = ("pytest", "tests/blender", *marks)
        steps.append(step(f"Tests in Blender {lane.blender}", lane.interpreter, *words, DPOSER_PYTHON=str(python)))
    if not (options.blender or options.quick):
        steps.append(step("Types", python, "mypy"))
    say(f"{count} at a time: {', '.join(step.name for step in steps)}")
    failed = []
    for ran, ended in SideBySide(count, 60.0 * options.minutes).run(steps):
        say(ran.name)
        print(ended.output, end="", flush=True)
        say(f"{ran.name}: {'passed' if ended.passed else 'FAILED'} in {ended.seconds:.0f} s")
        failed += [] if ended.passed else [ran.name]
    for name in failed:
        print(f"Failed: {name}", file=sys.stderr)
    say(f"{'FAILED' if failed else 'All passed'} in {time.monotonic() - started:.0f} s")
    return 1 if failed else 0


def command_demo(options: argparse.Namespace) -> int:
    """Clean a clip in headless Blender and leave pictures and figures in ``demo/out``."""
    ensure(MAIN)
    clip = [options.clip.resolve()] if options.clip else []
    with tempfile.TemporaryDirectory() as temporary:
        return run(MAIN.interpreter, "-m", "demo", "--extension", package(Path(temporary)), *clip)


def command_sample(options: argparse.Namespace) -> int:
    """Make the file to try the tools on."""
    ensure(MAIN)
    target = (options.file or ROOT / "dist" / "dposer-sample.blend").resolve()
    with tempfile.TemporaryDirectory() as temporary:  # not the settings of who runs it
        made = run(MAIN.interpreter, "-m", "demo.sample_blend", target, BLENDER_USER_RESOURCES=temporary)
    if made == 0:
        say(f"The sample: {target} ({target.stat().st_size / 1e6:.1f} MB)")
    return made


def command_bench(options: argparse.Namespace) -> int:
    """Measure cleaning, reading and writing armatures, on this machine; or starting; or soak."""
    ensure(MAIN)
    if options.part == "startup":
        return _bench_startup(options.more)
    cleaning = ("-m", "engine.evaluation.bench", *options.more)
    if options.part in (None, "cleaning") and run(MAIN.interpreter, *cleaning) != 0:
        return 1
    script = "tests/blender/bench/soak.py" if options.part == "soak" else "tests/blender/bench/speed.py"
    for lane in lanes_at_hand(False) if options.part != "cleaning" else ():
        ensure(lane)
        if run(lane.interpreter, script, *options.more, DPOSER_PYTHON=str(MAIN.interpreter)) != 0:
            return 1
    return 0


def _bench_startup(more: Sequence[str]) -> int:
    """Start Blender with and without the extension, and time the first click, in each Blender at hand."""
    with tempfile.TemporaryDirectory() as temporary:
        extension = package(Path(temporary))
        for lane in lanes_at_hand(False):
            ensure(lane)
            say(f"Blender {lane.blender}")
            steps: tuple[tuple[str | Path, ...], ...] = (("startup", extension, *more), ("first_click",))
            for script, *words in steps:
                command = (lane.interpreter, f"tests/blender/bench/{script}.py", *words)
                if run(*command, DPOSER_PYTHON=str(MAIN.interpreter)) != 0:
                    return 1
    return 0


def command_fuzz(options: argparse.Namespace) -> int:
    """Fuzz the parsers of what others may have made, and print what was found; 1 where it is anything."""
    if WINDOWS:
        raise BuildError("The fuzzer atheris is not made for Windows; run this on Linux or macOS.")
    ensure(MAIN)
    tools, needs = ROOT / "build" / "fuzzer", ROOT / "requirements-fuzz.txt"
    stamp = tools / "dposer-setup"  # beside the environment: what it tests needs none of it
    if not stamp.is_file() or stamp.read_text() != needs.read_text():
        say("Fetching the fuzzer (once)")
        shutil.rmtree(tools, ignore_errors=True)
        _pip(MAIN, "--target", str(tools), "-r", str(needs))
        stamp.write_text(needs.read_text())
    paths = os.pathsep.join(map(str, (ROOT, ROOT / "tests", tools)))
    return run(MAIN.interpreter, "-m", "fuzzing", *options.more, PYTHONPATH=paths)


def command_rigs(options: argparse.Namespace) -> int:
    """Measure rigs of every convention in each Blender, and write the table of them; 1 where one falls short."""
    lanes = [LANES[options.blender]] if options.blender else lanes_at_hand(options.all)
    for lane in {lane.folder: lane for lane in (MAIN, *lanes)}.values():
        ensure(lane)
    output = options.output or (RIGS if options.all else SOME_RIGS)
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    with tempfile.TemporaryDirectory() as temporary:
        figures = [Path(temporary) / f"{lane.blender}.json" for lane in lanes]
        for lane, path in zip(lanes, figures, strict=True):
            say(f"Rigs in Blender {lane.blender}")
            command = (lane.interpreter, "-m", "rigcheck.lane", path, *options.more)
            if run(*command, limit=STEP_LIMIT, DPOSER_PYTHON=str(MAIN.interpreter), PYTHONPATH=paths) != 0:
                raise BuildError(f"The rigs could not be measured in Blender {lane.blender}; the reason is above.")
        return run(MAIN.interpreter, "-m", "rigcheck.table", *figures, "--output", output, PYTHONPATH=paths)


def command_package(options: argparse.Namespace) -> int:
    """Build and validate the extension's zips in ``dist``."""
    from wheels import command

    ensure(MAIN)
    return command.package(options, workshop())


def command_install_check(options: argparse.Namespace) -> int:
    """Install zips into Blenders that have nothing else and clean a clip there; 1 where one does not work."""
    from wheels import install_check

    failed = 0
    for path in options.zips:
        _, abi = install_check.contents(path)
        ensure(ALONE[abi.python])
        if not install_check.check(ALONE[abi.python].interpreter, path, ROOT):
            print(f"Failed: {path.name}", file=sys.stderr, flush=True)
            failed = 1
    return failed


def command_wheels(options: argparse.Namespace) -> int:
    """Fetch the wheels that zips bundle, or write their lock file anew."""
    from wheels import command

    ensure(MAIN)
    return command.wheels(options, workshop())


def command_shots(_: argparse.Namespace) -> int:
    """Photograph what the prior generates and completes, real captures cleaned, and the tools' work, into ``docs``."""
    ensure(MAIN)
    with tempfile.TemporaryDirectory() as temporary:
        extension = package(Path(temporary))
        steps = (
            ["demo.sheets"],
            ["demo.captures"],
            ["demo.tool_shots", extension],
            ["demo.keypoint_shots", extension],
            ["demo.refine_shots", extension],
            ["demo.format_shots", extension, "--both"],
        )
        return next((status for step in steps if (status := run(MAIN.interpreter, "-m", *step)) != 0), 0)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    from wheels import command as packages

    parser = argparse.ArgumentParser(description="Set up, run, test and pack DPoser.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", help="clean a clip in headless Blender, with pictures")
    demo.add_argument("clip", nargs="?", type=Path, metavar="FILE.bvh", help="default: demo/sample.bvh")
    demo.set_defaults(command=command_demo)

    sample = commands.add_parser("sample", help="make a .blend to try the tools on")
    sample.add_argument("file", nargs="?", type=Path, metavar="FILE.blend", help="default: in dist")
    sample.set_defaults(command=command_sample)

    test = commands.add_parser("test", help="lint, types, engine tests, tests in Blender")
    test.add_argument("--quick", action="store_true", help="leave out types, slow tests and other Blenders")
    test.add_argument("--all", action="store_true", help="in every Blender version, not the LTS ones alone")
    test.add_argument("--blender", choices=sorted(LANES), help="only the tests in Blender, in this version")
    test.add_argument("--jobs", type=int, default=2, metavar="N", help="steps at a time (default: 2)")
    told = f"that a step may take (default: {TEST_MINUTES:g})"
    test.add_argument("--minutes", type=float, default=TEST_MINUTES, metavar="N", help=told)
    test.set_defaults(command=command_test)

    bench = commands.add_parser("bench", help="speed and memory on this machine; --quick for a first look")
    parts = ("cleaning", "armature", "startup", "soak")
    told = "the engine's cleaning or Blender's side alone; or, which are left out otherwise, Blender's start, or 300 "
    told += "disturbed jobs in each Blender (--jobs N, --seed N)"
    bench.add_argument("--part", choices=parts, help=told)
    bench.set_defaults(command=command_bench, hands_on=True)

    fuzz = commands.add_parser("fuzz", help="fuzz the parsers; hands [--seconds N] [PARSER ...] on")
    fuzz.set_defaults(command=command_fuzz, hands_on=True)

    rigs = commands.add_parser("rigs", help="table of rigs by Blender version; hands --only WORD on")
    rigs.add_argument("--all", action="store_true", help="in every Blender version, not the LTS ones alone")
    rigs.add_argument("--blender", choices=sorted(LANES), help="in this version alone")
    places = f"default: {RIGS} with --all, else {SOME_RIGS}"
    rigs.add_argument("--output", type=Path, metavar="FILE.md", help=places)
    rigs.set_defaults(command=command_rigs, hands_on=True)

    pack = commands.add_parser("package", help=packages.PACKAGE_HELP)
    packages.add_package_options(pack)
    pack.set_defaults(command=command_package)

    fetched = commands.add_parser("wheels", help=packages.WHEELS_HELP)
    packages.add_wheels_options(fetched)
    fetched.set_defaults(command=command_wheels)

    check = commands.add_parser("install-check", help="install zips into a fresh Blender without network, and clean")
    check.add_argument("zips", nargs="+", type=Path, metavar="FILE.zip", help="full or lite, for this platform")
    check.set_defaults(command=command_install_check)

    shots = commands.add_parser("shots", help="photograph poses, captures and what the tools do into docs")
    shots.set_defaults(command=command_shots)
    options, more = parser.parse_known_args(arguments)
    options.more = more
    if more and not getattr(options, "hands_on", False):
        parser.error(f"unrecognized arguments: {' '.join(more)}")
    return options


def main(arguments: Sequence[str]) -> int:
    """Carry out one command; returns the exit status."""
    if sys.version_info < (3, 11):
        print("build.py: this is an older Python; run it with Python 3.11 or newer.", file=sys.stderr)
        return 1
    options = parse(arguments)
    try:
        return int(options.command(options))
    except BuildError as error:
        print(f"build.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("build.py: interrupted; run the same command again to go on.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
