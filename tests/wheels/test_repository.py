# SPDX-License-Identifier: GPL-3.0-or-later
"""The static repository: by Blender's own filter every Blender finds one package in it, and the right one."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

from wheels import lock, repository, variants
from wheels.pack import Workshop
from wheels.sizes import Package
from wheels.steps import BuildError
from wheels.targets import ABIS, PLATFORMS, Target, targets
from wheels.variants import FULL, LITE

TARGETS = targets(PLATFORMS, ABIS)
TOO_LARGE = "linux-x64, Python 3.13"
# Blenders of each Python, and the platform names that Blender gives itself.
BLENDERS = {"3.11": ((4, 2, 0), (4, 5, 15), (5, 0, 1)), "3.13": ((5, 1, 0), (5, 2, 3), (6, 0, 0))}


@pytest.fixture
def packages(shop: Workshop, tmp_path: Path) -> list[Package]:
    """Packages as they would be built, but for what is in their wheels and the extension itself."""
    made = []
    (tmp_path / "dist").mkdir()
    for variant in (FULL, LITE):
        for target in TARGETS:
            if variant == FULL and str(target) == TOO_LARGE:
                continue
            files = [wheel.file for wheel in lock.select(lock.read(), target, variant)]
            path = tmp_path / "dist" / variants.file_name(shop.manifest, variant, target)
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("blender_manifest.toml", variants.with_wheels(shop.manifest, target, files))
                archive.writestr("__init__.py", "")
                for file in files:
                    archive.writestr(f"wheels/{file}", "")
            made.append(Package(path, variant, target))
    return made


def offered(blender_ext: ModuleType, index: Path, target: Target, blender: tuple[int, int, int]) -> list[str]:
    """The archives that a Blender finds in an index."""
    major, minor = target.abi.python.split(".")

    def raise_(error: Exception) -> None:
        raise error

    return [
        item["archive_url"]
        for item in json.loads(index.read_text())["data"]
        if not blender_ext.repository_filter_skip(
            item,
            filter_blender_version=blender,
            filter_platform=target.platform.name,
            filter_python_version=(int(major), int(minor), 0),
            skip_message_fn=None,
            error_fn=raise_,
        )
    ]


def test_every_blender_finds_one_package(
    shop: Workshop,
    blender_ext: ModuleType,
    packages: list[Package],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "dposer-0.0.9-full-linux-x64-py311.zip").write_bytes(b"an older one")
    (folder / "notes.txt").write_text("of somebody")
    repository.write(shop, folder, packages)
    assert "duplicate" not in capfd.readouterr().out
    for target in TARGETS:
        variant = LITE if str(target) == TOO_LARGE else FULL
        for blender in BLENDERS[target.abi.python]:
            name = f"./{variants.file_name(shop.manifest, variant, target)}"
            assert offered(blender_ext, folder / "index.json", target, blender) == [name]
            name = f"./{variants.file_name(shop.manifest, LITE, target)}"
            assert offered(blender_ext, folder / "lite" / "index.json", target, blender) == [name]
    for item in json.loads((folder / "index.json").read_text())["data"]:
        path = folder / item["archive_url"]
        assert item["archive_size"] == path.stat().st_size
        assert item["archive_hash"] == f"sha256:{lock.digest(path)}"
    assert (folder / "notes.txt").exists() and (folder / "index.html").exists()
    assert len(list(folder.glob("*.zip"))) == len(TARGETS)


def test_full_and_lite_side_by_side_would_be_duplicates(
    shop: Workshop, packages: list[Package], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Why lite ones have a folder of their own: what Blender's tool says of both in one."""
    shop.blender("server-generate", "--repo-dir", tmp_path / "dist")
    said = capfd.readouterr()
    assert "duplicate(s) found" in said.out + said.err


def test_nothing_to_serve_is_a_sentence(shop: Workshop, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="none was built"):
        repository.write(shop, tmp_path, [Package(tmp_path / "dposer-0.1.0.zip", variants.BARE, None)])
