#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The project's one entry: ``python build.py demo | test | bench | rigs | package | shots``.

Needs nothing but a standard Python. It makes every environment it uses (``.venv`` for the engine and Blender
4.5, ``.venv-blender-X.Y.Z`` for other Blenders), once: a stamp of the requirement files tells when one is out
of date, and a set-up that was interrupted starts afresh.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent
WINDOWS = os.name == "nt"
STAGED = ("__init__.py", "blender_manifest.toml", "README.md", "LICENSE", "dposer_blender", "engine")
STEP_LIMIT = 40 * 60.0  # seconds; Blender as a module can hang at exit

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


class BuildError(Exception):
    """A step cannot go on; ``str(error)`` is the sentence shown."""


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


MAIN = Lane(
    "4.5.15",
    "3.11",
    ".venv",
    (
        ("-r", "requirements.txt", "-r", "requirements-dev.txt", "-c", "constraints.txt"),
        ("--no-deps", "-r", "requirements-nodeps.txt"),
    ),
)
NEWEST = _other("5.2.3", "3.13", "2.5.5")
LANES = {
    lane.blender: lane
    for lane in (MAIN, _other("4.2.23", "3.11", "1.26.4"), _other("5.0.1", "3.11", "1.26.4"), NEWEST)
}


def say(text: str) -> None:
    """One line of progress, in order with the output of the programs started."""
    print(f"== {text}", flush=True)


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


def stage(folder: Path) -> None:
    """Copy what the extension holds into an empty folder, laid out as in its zip."""
    ignore = shutil.ignore_patterns("__pycache__", "*.pyc")
    for name in STAGED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=ignore)
        else:
            shutil.copy2(source, folder / name)


def package(folder: Path) -> Path:
    """Build the extension with Blender's own builder and have Blender's validator read it.

    Args:
        folder: where the zip goes; made if absent.

    Returns:
        The zip, ``<id>-<version>.zip``.

    Raises:
        BuildError: the builder or the validator refuses it.
    """
    import tomllib  # Python 3.11; main() has the sentence for older ones

    manifest = tomllib.loads((ROOT / "blender_manifest.toml").read_text(encoding="utf-8"))
    target = folder / f"{manifest['id']}-{manifest['version']}.zip"
    folder.mkdir(parents=True, exist_ok=True)
    tool = next(bpy_folder(MAIN).glob("*/scripts/addons_core/bl_pkg/cli/blender_ext.py"))
    say(f"Packing the extension: {target.relative_to(ROOT) if target.is_relative_to(ROOT) else target}")
    with tempfile.TemporaryDirectory() as temporary:
        stage(Path(temporary))
        built = run(MAIN.interpreter, tool, "build", "--source-dir", temporary, "--output-filepath", target)
        if built != 0 or run(MAIN.interpreter, tool, "validate", target) != 0:
            raise BuildError("Blender's extension builder refused the package; its message is above.")
    return target


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


def command_test(options: argparse.Namespace) -> int:
    """Lint, types, engine tests, then tests inside Blender; returns 0 when all pass."""
    lanes = [MAIN] if options.quick else lanes_at_hand(options.all)
    if options.blender:
        lanes = [LANES[options.blender]]
    for lane in {lane.folder: lane for lane in (MAIN, *lanes)}.values():
        ensure(lane)
    python = MAIN.interpreter
    marks = ["-m", "not slow"] if options.quick else []
    failed: list[str] = []

    def step(name: str, interpreter: Path, *module: str, **environment: str) -> None:
        say(name)
        started = time.monotonic()
        if run(interpreter, "-m", *module, limit=STEP_LIMIT, **environment) != 0:
            failed.append(name)
        say(f"{name}: {'FAILED' if name in failed else 'passed'} in {time.monotonic() - started:.0f} s")

    if not options.blender:
        step("Lint", python, "ruff", "check", ".")
        if not options.quick:
            step("Types", python, "mypy")
        step("Engine tests", python, "pytest", "tests", "--ignore=tests/blender", *marks)
    for lane in lanes:
        name = f"Tests in Blender {lane.blender}"
        step(name, lane.interpreter, "pytest", "tests/blender", *marks, DPOSER_PYTHON=str(python))
    for name in failed:
        print(f"Failed: {name}", file=sys.stderr)
    return 1 if failed else 0


def command_demo(options: argparse.Namespace) -> int:
    """Clean a clip in headless Blender and leave pictures and figures in ``demo/out``."""
    ensure(MAIN)
    clip = [options.clip.resolve()] if options.clip else []
    with tempfile.TemporaryDirectory() as temporary:
        return run(MAIN.interpreter, "-m", "demo", "--extension", package(Path(temporary)), *clip)


def command_bench(options: argparse.Namespace) -> int:
    """Measure the speed and memory of cleaning, and of reading and writing armatures, on this machine."""
    if options.part != "armature":
        ensure(MAIN)
        if run(MAIN.interpreter, "-m", "engine.evaluation.bench", *options.more) != 0:
            return 1
    for lane in lanes_at_hand(False) if options.part != "cleaning" else ():
        ensure(lane)
        if run(lane.interpreter, "tests/blender/bench/speed.py", *options.more) != 0:
            return 1
    return 0


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


def command_package(_: argparse.Namespace) -> int:
    """Build and validate the extension's zip in ``dist``."""
    ensure(MAIN)
    package(ROOT / "dist")
    return 0


def command_shots(_: argparse.Namespace) -> int:
    """Photograph what the prior generates and completes, and real captures cleaned, into ``docs``."""
    ensure(MAIN)
    return run(MAIN.interpreter, "-m", "demo.sheets") or run(MAIN.interpreter, "-m", "demo.captures")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Set up, run, test and pack DPoser.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", help="clean a clip in headless Blender, with pictures")
    demo.add_argument("clip", nargs="?", type=Path, metavar="FILE.bvh", help="default: demo/sample.bvh")
    demo.set_defaults(command=command_demo)

    test = commands.add_parser("test", help="lint, types, engine tests, tests in Blender")
    test.add_argument("--quick", action="store_true", help="leave out types, slow tests and other Blenders")
    test.add_argument("--all", action="store_true", help="in every Blender version, not the LTS ones alone")
    test.add_argument("--blender", choices=sorted(LANES), help="only the tests in Blender, in this version")
    test.set_defaults(command=command_test)

    bench = commands.add_parser("bench", help="speed and memory on this machine; --quick for a first look")
    parts = ("cleaning", "armature")
    bench.add_argument("--part", choices=parts, help="the engine's cleaning, or Blender's side, alone")
    bench.set_defaults(command=command_bench, hands_on=True)

    rigs = commands.add_parser("rigs", help="table of rigs by Blender version; hands --only WORD on")
    rigs.add_argument("--all", action="store_true", help="in every Blender version, not the LTS ones alone")
    rigs.add_argument("--blender", choices=sorted(LANES), help="in this version alone")
    places = f"default: {RIGS} with --all, else {SOME_RIGS}"
    rigs.add_argument("--output", type=Path, metavar="FILE.md", help=places)
    rigs.set_defaults(command=command_rigs, hands_on=True)

    pack = commands.add_parser("package", help="build and validate the extension's zip in dist")
    pack.set_defaults(command=command_package)

    shots = commands.add_parser("shots", help="photograph generated and completed poses into docs")
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
