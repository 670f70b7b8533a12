# SPDX-License-Identifier: GPL-3.0-or-later
"""Check Engine finds what is wrong with real interpreters, packages, weights and devices, and says what to do."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from engine.errors import Cancelled
from engine.tasks import check as module
from engine.tasks.check import BAD, GOOD, POOR, check

ROOT = Path(__file__).resolve().parents[3]
SUBJECTS = ["Python", "Packages", "PyTorch", "Device", "Weights", "Test Solve"]
WITHOUT_TORCH = ("numpy", "numpy.libs", "scipy", "scipy.libs", "safetensors")
REPORT = """
import dataclasses, json, sys
from engine.tasks.check import check
print(json.dumps([dataclasses.asdict(found) for found in check(*sys.argv[1:])]))
"""


def said(finding: Any) -> tuple[str, str, str]:
    """State, value and advice as they are shown."""
    figures = finding["figures"]
    return finding["state"], finding["value"].format(**figures), finding["advice"].format(**figures)


def elsewhere(folder: Path, *paths: Path, arguments: tuple[str, ...] = (), isolated: bool = False) -> dict[str, Any]:
    """The findings of an engine in another folder, with more paths ahead; ``isolated`` has no other packages."""
    done = subprocess.run(
        [sys.executable, *(["-S"] if isolated else []), "-c", REPORT, *arguments],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (folder, *paths)))},
        cwd=folder, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    findings = json.loads(done.stdout.splitlines()[-1])
    assert [finding["subject"] for finding in findings] == SUBJECTS
    return {finding["subject"]: said(finding) for finding in findings}


# No tool uses the encoder of single frames, and no zip has it.
ALL = len(list((ROOT / "engine" / "weights").glob("*.safetensors"))) - 1


def copied(folder: Path) -> Path:
    """A copy of the engine whose weights are links, so that one may be taken away."""
    for path in (ROOT / "engine").rglob("*"):
        copy = folder / path.relative_to(ROOT)
        if path.is_dir() or "__pycache__" in path.parts:
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".safetensors":
            copy.symlink_to(path)
        else:
            copy.write_bytes(path.read_bytes())
    return folder


def test_all_is_well_here(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(module, "SLOW", 0.01)  # the machine may be busy
    told: list[tuple[int, int, str]] = []
    begin = time.perf_counter()
    findings = check("cpu", lambda *step: told.append(step))
    elapsed = time.perf_counter() - begin
    assert [finding.subject for finding in findings] == SUBJECTS
    assert [(finding.state, finding.advice) for finding in findings] == [(GOOD, "")] * 6
    rows = {finding.subject: finding for finding in findings}
    assert rows["Python"].figures["path"] == sys.executable
    assert rows["PyTorch"].figures == {"version": torch.__version__}
    assert rows["Device"].figures == {"threads": torch.get_num_threads()}
    assert rows["Weights"].figures["count"] == ALL
    assert 0 < rows["Test Solve"].figures["seconds"] < elapsed
    done = [step[0] for step in told]
    assert done == sorted(done) and done[-1] == 100 and {step[1] for step in told} == {100}


def test_the_solve_is_a_cleaning() -> None:
    """What is timed changes every frame of the clip, so nothing of the work was left out."""
    from engine.tasks.clean import CleanSettings, clean

    result = clean(module._clip(module.FRAMES), CleanSettings(method="prior", device="cpu"))
    assert result.rotations_changed.any(axis=1).all()


def test_it_can_be_cancelled() -> None:
    def stop(done: int, total: int, stage: str) -> None:
        if stage == "Solving":
            raise Cancelled("Cancelled.")

    with pytest.raises(Cancelled):
        check("cpu", stop)


def test_a_device_that_this_torch_was_not_made_for(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(module, "SLOW", 0.01)  # the machine may be busy
    if torch.version.cuda or torch.version.hip:
        pytest.skip("this PyTorch was made for graphics cards")
    findings = {finding.subject: finding for finding in check("cuda")}
    assert findings["Device"].state == BAD and findings["Device"].advice == module.DEVICE_NOT_BUILT_ADVICE
    assert findings["Device"].figures["kind"] == "CUDA"
    assert findings["Test Solve"].state == GOOD, "it is solved on the CPU"


@pytest.mark.slow
def test_weights_that_are_missing_or_cut_short(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    root = copied(tmp_path)
    motion = root / "engine" / "weights" / "motion.safetensors"
    whole = motion.read_bytes()
    motion.unlink()
    motion.write_bytes(whole[: len(whole) // 2])
    found = elsewhere(root)
    assert found["Weights"] == (
        BAD, f"{ALL - 1} of {ALL} files", "Weights are damaged (motion.safetensors): reinstall DPoser",
    )  # fmt: skip
    assert found["Test Solve"][:2] == (BAD, "Failed") and "motion.safetensors is damaged" in found["Test Solve"][2]
    motion.unlink()
    (root / "engine" / "weights" / "gaussian.safetensors").unlink()
    found = elsewhere(root)
    state, value, advice = found["Weights"]
    assert (state, value) == (BAD, f"{ALL - 2} of {ALL} files")
    assert advice == "Weights are missing (gaussian.safetensors, motion.safetensors): reinstall DPoser"


@pytest.mark.slow
def test_an_interpreter_without_torch_solves_by_the_smoother(tmp_path: Path) -> None:
    for name in WITHOUT_TORCH:
        spec = importlib.util.find_spec(name.partition(".")[0])
        assert spec is not None and spec.origin is not None
        source = Path(spec.origin).parent.parent / name
        if source.exists():
            (tmp_path / name).symlink_to(source)
    found = elsewhere(ROOT, tmp_path, isolated=True)
    state, value, advice = found["PyTorch"]
    assert (state, value) == (BAD, "Missing") and f"install it in {sys.executable}" in advice
    assert found["Packages"][0] == GOOD, "what goes with PyTorch is not asked for without it"
    assert found["Weights"] == (GOOD, "3 files", "")
    # Its state is one of speed, and the machine may be busy.
    assert found["Test Solve"][0] != BAD and found["Test Solve"][1].startswith("60 frames in ")


@pytest.mark.slow
def test_a_broken_torch(tmp_path: Path) -> None:
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text(
        'raise ImportError("libtorch_cpu.so: cannot open shared object file\\nand more")\n'
    )
    state, value, advice = elsewhere(tmp_path, ROOT)["PyTorch"]
    assert (state, value) == (BAD, "Cannot be loaded")
    assert advice == (
        "PyTorch cannot be loaded (ImportError: libtorch_cpu.so: cannot open shared object file): "
        f"reinstall it in {sys.executable}, or choose another Python"
    )


@pytest.mark.slow
def test_a_slow_machine_is_told_what_to_choose(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    root = copied(tmp_path)
    retarget = root / "engine" / "motion" / "retarget.py"
    source = retarget.read_text()
    slowed = source.replace("\ndef to_body(", "\nimport time\n\ndef to_body(*a, **k):\n    clock = time.perf_counter\n"
                            "    time.perf_counter = lambda: clock() + 8\n"  # which is quicker than to wait
                            "    return _to_body(*a, **k)\n\ndef _to_body(", 1)  # fmt: skip
    assert slowed != source
    retarget.write_text(slowed)
    state, value, advice = elsewhere(root)["Test Solve"]
    assert state == POOR and float(value.split()[3]) > 8
    told = re.match(r"A clip of a minute will take (\d+) minutes here: choose a graphics card", advice)
    assert told and int(told[1]) >= 4  # more where the machine is slow indeed


def test_advice_is_one_sentence_that_says_what_to_do() -> None:
    texts = {key: text for key, text in vars(module).items() if key.endswith("_ADVICE") and key != "FAILED_ADVICE"}
    assert len(texts) == 8
    for key, text in texts.items():
        assert any(word in text for word in ("install", "choose", "reinstall")), key
        assert not text.endswith(".") and ". " not in text, key
