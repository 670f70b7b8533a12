# SPDX-License-Identifier: GPL-3.0-or-later
"""What the extension adds to the start of Blender, and how long the first click of a session takes.

    python tests/blender/bench/startup.py EXTENSION.zip [--runs N] [--blender PROGRAM [--window]]

The zip is installed into fresh profiles, as from disk: enabled in one, in the other installed and disabled. Blenders
are started with each in turn, the processor's seconds and the clock's of each are taken until Blender has read its
preferences, and their medians compared. Others on the machine lengthen the clock's seconds far more than the
processor's. Without ``--blender`` it is this Python's Blender module, which has no window. Where time goes while the
extension is enabled: ``--imports``.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

MODULE = "bl_ext.user_default.dposer"
GOAL = 1.03
RUNS = 15

_LEAVE = "import os, sys; sys.stdout.flush(); sys.stderr.flush(); os._exit(0)"
_INSTALL = f"""
import addon_utils, bpy
addon_utils.enable("bl_pkg")
bpy.ops.extensions.package_install_files(filepath={{extension!r}}, repo="user_default", enable_on_install=True)
assert "{MODULE}" in bpy.context.preferences.addons
bpy.ops.wm.save_userpref()
"""
_DISABLE = f"""
import bpy
bpy.ops.preferences.addon_disable(module="{MODULE}")
bpy.ops.wm.save_userpref()
"""
_CHECK = f"""
import bpy
assert hasattr(bpy.types.Scene, "dposer") == {{enabled}} == ("{MODULE}" in bpy.context.preferences.addons)
"""
_ENABLE = f"""
import addon_utils, sys, time
busy, begin = time.process_time(), time.perf_counter()
assert addon_utils.enable("{MODULE}") is not None
print("{MODULE}", time.process_time() - busy, time.perf_counter() - begin, file=sys.stderr)
"""
_WINDOW = """
import bpy
def shown():
    bpy.app.timers.register(leave)
def leave():
{leave}
handle = bpy.types.SpaceView3D.draw_handler_add(shown, (), "WINDOW", "POST_PIXEL")
"""
_READ = "import bpy; bpy.ops.wm.read_userpref()"  # which the module does not do by itself


class Starter:
    """Starts Blender: the module of this Python, or a program, in the background or with a window."""

    def __init__(self, program: Path | None, window: bool) -> None:
        self._program, self._window = program, window

    def run(self, profile: Path, code: str, *options: str, window: bool = False) -> str:
        """Have a Blender with this profile run some code and leave; what it wrote on its standard error.

        Raises:
            SystemExit: it failed.
        """
        if self._program is None:
            command = [sys.executable, *options, "-c", f"{_READ}\n{code}\n{_LEAVE}"]
        elif window:
            leave = "\n".join(f"    {line}" for line in [*code.splitlines(), _LEAVE])
            command = [str(self._program), "--python-expr", _WINDOW.format(leave=leave)]
        else:
            command = [str(self._program), "-b", "--python-exit-code", "1", "--python-expr", f"{code}\n{_LEAVE}"]
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        done = subprocess.run(
            command, env=environment | {"BLENDER_USER_RESOURCES": str(profile)}, capture_output=True, text=True
        )
        if done.returncode != 0:
            sys.exit(f"Blender failed: {(done.stdout + done.stderr).strip()}")
        return done.stderr

    def timed(self, profile: Path, enabled: bool) -> tuple[float, float]:
        """Seconds of the processor and by the clock until Blender has started with this profile."""
        begin, busy = time.perf_counter(), _children()
        self.run(profile, _CHECK.format(enabled=enabled), window=self._window)
        return _children() - busy, time.perf_counter() - begin

    def enabling(self, profile: Path) -> tuple[float, float]:
        """Seconds of the processor and by the clock that enabling the extension takes in a Blender that has started."""
        said = self.run(profile, _ENABLE)
        busy, clock = next(line for line in said.splitlines() if line.startswith(MODULE)).split()[1:]
        return float(busy), float(clock)


def _children() -> float:
    """Seconds of the processor that ended children took; Windows does not tell."""
    if resource is None:
        return 0.0
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def profiles(starter: Starter, extension: Path, folder: Path) -> dict[bool, Path]:
    """The profiles with the extension enabled and disabled."""
    made = {True: folder / "with", False: folder / "without"}
    made[True].mkdir()
    starter.run(made[True], _INSTALL.format(extension=str(extension)))
    shutil.copytree(made[True], made[False])
    starter.run(made[False], _DISABLE)
    return made


def compare(starter: Starter, made: dict[bool, Path], runs: int) -> list[str]:
    """Start Blender in turn; lines that tell of it."""
    taken: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    enabling: list[tuple[float, float]] = []
    for enabled in (True, False):
        starter.timed(made[enabled], enabled)  # writes the bytecode, as a first start does
    for number in range(runs):
        for enabled in ((True, False), (False, True))[number % 2]:
            taken[enabled].append(starter.timed(made[enabled], enabled))
        enabling.append(starter.enabling(made[False]))
    lines = []
    for kind, name in enumerate(("processor", "clock")):
        with_it, without = ([sample[kind] for sample in taken[enabled]] for enabled in (True, False))
        own = [sample[kind] for sample in enabling]
        most, least, alone = (statistics.median(samples) for samples in (with_it, without, own))
        lines += [
            f"  by the {name}: with {most:.3f} s ({_spread(with_it)}), without {least:.3f} s ({_spread(without)}): "
            f"ratio {most / least:.3f}, goal {GOAL}",
            f"    to enable it, alone: {alone:.3f} s ({_spread(own)}): ratio {1 + alone / least:.3f}",
        ]
    return lines


def _spread(samples: list[float]) -> str:
    low, _, high = statistics.quantiles(samples, n=4)
    return f"{low:.3f} to {high:.3f}"


def imports(starter: Starter, profile: Path, runs: int) -> list[str]:
    """The modules of the extension that take longest to be imported, in milliseconds of their own."""
    found: dict[str, list[int]] = {}
    for _ in range(runs):
        for line in starter.run(profile, "", "-X", "importtime").splitlines():
            if match := re.match(rf"import time:\s*(\d+) \|\s*\d+ \|\s*{re.escape(MODULE)}\.(\S+)", line):
                found.setdefault(match[2], []).append(int(match[1]))
    own = {name: statistics.median(samples) / 1000 for name, samples in found.items()}
    first = sorted(own, key=lambda name: -own[name])[:12]
    return [
        f"  {len(own)} modules imported in {sum(own.values()):.1f} ms, of which",
        *(f"    {own[name]:5.1f} ms {name}" for name in first),
    ]


def main() -> int:
    """Print all figures."""
    parser = argparse.ArgumentParser(description="Blender's start with and without the extension.")
    parser.add_argument("extension", type=Path, metavar="EXTENSION.zip")
    parser.add_argument("--runs", type=int, default=RUNS, help=f"starts with it, and without (default: {RUNS})")
    parser.add_argument("--blender", type=Path, metavar="PROGRAM", help="instead of this Python's module")
    parser.add_argument("--window", action="store_true", help="until the program has drawn its 3D view")
    parser.add_argument("--imports", action="store_true", help="which modules take how long; of the module alone")
    parser.add_argument("--quick", action="store_true", help="fewer starts, for a first look")
    options = parser.parse_args()
    if options.window and options.blender is None:
        parser.error("the module has no window: name the program with --blender")
    if options.imports and options.blender is not None:
        parser.error("only the module tells of imports: leave --blender out")
    runs = 5 if options.quick else options.runs
    starter = Starter(options.blender, options.window)
    with tempfile.TemporaryDirectory() as temporary:
        made = profiles(starter, options.extension.resolve(), Path(temporary))
        kind = "with a window" if options.window else "without a window"
        print(f"Start of Blender {kind}, {runs} times with and {runs} times without the extension:", flush=True)
        for line in compare(starter, made, runs):
            print(line, flush=True)
        for line in imports(starter, made[True], 5) if options.imports else ():
            print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
