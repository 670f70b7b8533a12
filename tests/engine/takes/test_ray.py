# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes handed to a Ray cluster: two nodes on this machine, one of which is felled in mid-take."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import pytest
from take_folders import ROOT, claims, clean, ended, make_takes, results, start, until

NAMES = ("a.npz", "b.npz", "c.npz")
METHOD = ("--method", "wiener")
LONG = 5000  # frames; some seconds

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds Ray's processes in /proc")
with_ray = pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed (requirements-ray.txt)")


@pytest.fixture
def cluster() -> Iterator[subprocess.Popen[str]]:
    """A cluster's own process."""
    script = Path(__file__).with_name("local_cluster.py")
    with subprocess.Popen(
        [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(60)


@with_ray
@pytest.mark.slow
def test_two_nodes_and_one_that_falls(cluster: subprocess.Popen[str], tmp_path: Path) -> None:
    assert cluster.stdin is not None and cluster.stdout is not None
    address = cluster.stdout.readline().strip()
    folder, out = make_takes(tmp_path / "in", NAMES, LONG), tmp_path / "out"
    run = start(folder, out, *METHOD, "--ray", address)
    until(lambda: at_work() == 2)  # a node has one processor, so it is one on each
    cluster.stdin.write("fell\n")
    cluster.stdin.flush()
    code, said = ended(run)
    assert cluster.stdout.readline() == "felled\n"
    assert code == 0 and said.count("the take is tried again") == 1, said
    assert not claims(out)
    assert clean(folder, tmp_path / "here", *METHOD, "--workers", 1)[0] == 0
    assert list(results(out)) == list(NAMES) and results(out) == results(tmp_path / "here")
    code, said = clean(folder, out, *METHOD, "--ray", "never asked")
    assert code == 0 and "3 of them before this run" in said


def at_work() -> int:
    """How many processes of Ray clean a take."""
    count = 0
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(FileNotFoundError, ProcessLookupError):  # it may end while it is looked at
            count += path.read_bytes().startswith(b"ray::make")
    return count


@with_ray
def test_an_address_where_nobody_answers_is_one_sentence(tmp_path: Path) -> None:
    folder = make_takes(tmp_path / "in", NAMES[:1])
    code, said = clean(folder, tmp_path / "out", *METHOD, "--ray", "127.0.0.1:1")
    assert code == 2 and said.count("\n") == 1 and "No Ray cluster answers at 127.0.0.1:1" in said
    code, said = clean(folder, tmp_path / "out", *METHOD, "--ray", "ray://127.0.0.1:10001")
    assert code == 2 and said.count("\n") == 1 and "--ray auto" in said


def test_without_ray_it_is_one_sentence(tmp_path: Path) -> None:
    folder = make_takes(tmp_path / "in", NAMES[:1])
    program = "import sys; sys.modules['ray'] = None; from engine.cli import main; sys.exit(main(sys.argv[1:]))"
    words = ["clean", str(folder), str(tmp_path / "out"), "--ray", "auto"]
    done = subprocess.run([sys.executable, "-c", program, *words], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "requirements-ray.txt" in done.stderr
