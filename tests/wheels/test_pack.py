# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages: manifests that Blender's validator takes, zips with wheels and licences, sizes checked before downloads."""

from __future__ import annotations

import sys
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

import build
from wheels import fetch, install_check, licences, lock, pack, sizes, variants
from wheels.pack import Workshop
from wheels.steps import BuildError
from wheels.targets import ABIS, PLATFORMS, Target, targets
from wheels.variants import BUNDLED, FULL, LITE

TARGETS = targets(PLATFORMS, ABIS)
LINUX_311, LINUX_313 = TARGETS[:2]


@pytest.mark.parametrize("variant", [FULL, LITE])
@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_manifests_are_what_blender_takes(
    shop: Workshop, blender_ext: ModuleType, target: Target, variant: str
) -> None:
    files = [wheel.file for wheel in lock.select(lock.read(), target, variant)]
    data = tomllib.loads(variants.with_wheels(shop.manifest, target, files))
    assert blender_ext.pkg_manifest_is_valid_or_error(data, from_repo=False, strict=True) is None

    original = tomllib.loads(shop.manifest)
    new = {"blender_version_min", "blender_version_max", "platforms", "wheels"}
    assert {key: value for key, value in data.items() if key not in new} == {
        key: value for key, value in original.items() if key not in new
    }
    assert data["platforms"] == [target.platform.name]
    assert sorted(Path(wheel).name for wheel in data["wheels"]) == sorted(files)
    bounds = data["blender_version_min"], data.get("blender_version_max")
    assert bounds == {"3.11": ("4.2.0", "5.1.0"), "3.13": ("5.1.0", None)}[target.abi.python]


def test_numpy_and_what_else_blender_brings_is_never_bundled() -> None:
    blenders = {"numpy", "requests", "urllib3", "idna", "certifi", "charset-normalizer", "zstandard"}
    assert not blenders & {name for names in BUNDLED.values() for name in names}


def test_names_tell_the_packages_apart(shop: Workshop) -> None:
    names = {
        variants.file_name(shop.manifest, variant, target) for variant in (FULL, LITE) for target in TARGETS
    }
    assert len(names) == 2 * len(TARGETS)
    assert "dposer-0.1.0-lite-macos-arm64-py313.zip" in names
    assert variants.file_name(shop.manifest, variants.BARE, None) == "dposer-0.1.0.zip"


def test_a_manifest_without_the_line_is_a_sentence() -> None:
    with pytest.raises(BuildError, match="one line blender_version_min"):
        variants.with_wheels('id = "dposer"\n', LINUX_311, [])


def test_what_is_too_large_is_known_before_anything_is_fetched(
    shop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "FOLDER", tmp_path / "fetched")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(BuildError, match=r"torch .* alone has 527 MB.*build the lite zip"):
        pack.pack(shop, tmp_path / "dist", FULL, LINUX_313)
    assert list(tmp_path.iterdir()) == []


def test_a_zip_that_is_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "large.zip"
    with path.open("wb") as file:
        file.truncate(sizes.LIMIT)
    sizes.check_zip(path)
    with path.open("ab") as file:
        file.write(b"1")
    with pytest.raises(BuildError, match=r"large\.zip has 300 MB, more than 300 MB"):
        sizes.check_zip(path)


@pytest.fixture(scope="module")
def lite(shop: Workshop, tmp_path_factory: pytest.TempPathFactory) -> sizes.Package:
    """The lite zip for Blender 5.1 and newer, built with the wheel of the registry."""
    target = Target(PLATFORMS["linux-x64"], ABIS["3.13"])
    try:
        fetch.fetch(lock.select(lock.read(), target, LITE), target, shop.python)
    except BuildError as error:
        pytest.skip(f"no wheels without a network: {error}")
    return pack.pack(shop, tmp_path_factory.mktemp("dist"), LITE, target)


def test_the_lite_zip_holds_its_wheels_unmodified_and_their_licences(lite: sizes.Package) -> None:
    assert {wheel.name for wheel in lite.wheels} == {"scipy"}
    with zipfile.ZipFile(lite.path) as archive:
        names = archive.namelist()
        wheels = [name for name in names if name.endswith(".whl")]
        assert wheels == tomllib.loads(archive.read("blender_manifest.toml").decode())["wheels"]
        assert sorted(wheels) == sorted(f"wheels/{wheel.file}" for wheel in lite.wheels)
        said = archive.read(licences.FILE).decode()
        for wheel in lite.wheels:
            with archive.open(f"wheels/{wheel.file}") as file, zipfile.ZipFile(file) as inner:
                assert inner.testzip() is None
                for name in inner.namelist():
                    if name.count("/") == 1 and ".dist-info/LICENSE" in name:
                        assert inner.read(name).decode().strip() in said
            assert wheel.licence in said and wheel.file in said
    assert {name.split("/")[0] for name in names} == {*pack.STAGED, "wheels", licences.FILE}
    assert [path.name for path in lite.path.parent.iterdir()] == [lite.path.name]
    assert install_check.contents(lite.path) == (LITE, ABIS["3.13"])


def test_sizes_are_those_of_the_files(lite: sizes.Package) -> None:
    row = sizes.table([lite]).splitlines()[-1]
    assert row == (
        f"| {lite.path.name} | 5.1 or newer | {lite.wheels[0].size / 1e6:.1f} | "
        f"{lite.path.stat().st_size / 1e6:.1f} |"
    )


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the zip is for linux-x64")
def test_the_lite_zip_cleans_in_a_blender_without_pytorch(
    lite: sizes.Package, capfd: pytest.CaptureFixture[str]
) -> None:
    python = build.NEWEST.interpreter
    if not python.exists():
        pytest.skip("no environment with Blender 5.2")
    good = install_check.check(python, lite.path, build.ROOT)
    said = capfd.readouterr()
    assert good, said.out + said.err
    assert "prior: Error: The Motion Prior needs PyTorch" in said.out


def test_licence_texts_are_all_there_and_each_once(
    make_wheel: Callable[..., lock.Wheel], tmp_path: Path
) -> None:
    text = "Do what you like.\r\nBut say so."
    first = make_wheel("probe-1.0-py3-none-any.whl", **{"probe-1.0.dist-info/licenses/LICENSE": text})
    second = make_wheel(
        "other-2.0-py3-none-any.whl",
        **{"other-2.0.dist-info/COPYING": text, "other-2.0.dist-info/licenses/third/x.txt": "Another"},
    )
    said = licences.document([first, second], tmp_path / "index")
    assert said.count("Do what you like.\nBut say so.") == 1 and "Another" in said
    assert "other 2.0, COPYING" in said and "The same text as of probe 1.0, licenses/LICENSE." in said


def test_an_unknown_licence_is_not_bundled(make_wheel: Callable[..., lock.Wheel], tmp_path: Path) -> None:
    metadata = "Metadata-Version: 2.4\nName: probe\nVersion: 1.0\nLicense: UNKNOWN\n"
    known = metadata.replace("License: UNKNOWN", "License-Expression: MIT")
    folder = tmp_path / "index"
    wheel = make_wheel(**{"probe-1.0.dist-info/METADATA": metadata, "probe-1.0.dist-info/LICENSE": "x"})
    with pytest.raises(BuildError, match="licence of probe is not known"):
        licences.expression(folder / wheel.file, "probe")
    wheel = make_wheel(**{"probe-1.0.dist-info/METADATA": known})
    with pytest.raises(BuildError, match="holds no licence text"):
        licences.expression(folder / wheel.file, "probe")
    wheel = make_wheel(**{"probe-1.0.dist-info/METADATA": known, "probe-1.0.dist-info/LICENSE": "x"})
    assert licences.expression(folder / wheel.file, "probe") == "MIT"


def test_a_zip_without_wheels_needs_no_check(tmp_path: Path) -> None:
    path = tmp_path / "bare.zip"
    for text in (None, 'id = "dposer"\nblender_version_min = "4.2.0"\n'):
        if text is None:
            path.write_bytes(b"no zip")
        else:
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("blender_manifest.toml", text)
        with pytest.raises(BuildError, match="no full or lite zip"):
            install_check.contents(path)
