# SPDX-License-Identifier: GPL-3.0-or-later
"""Which packages the options of `build.py package` mean, and what is said where one cannot be built."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

import build
from wheels import command, sizes
from wheels.command import choices
from wheels.pack import Workshop
from wheels.steps import BuildError
from wheels.targets import Target
from wheels.variants import BARE, FULL, LITE


def meant(*arguments: str) -> list[str]:
    """The packages that the options mean, in words."""
    return [
        f"{variant} {target or ''}".strip()
        for variant, target in choices(build.parse(["package", *arguments]))
    ]


@pytest.fixture
def on_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "this_platform", lambda: "linux-x64")


@pytest.mark.usefixtures("on_linux")
def test_options_say_which_packages() -> None:
    both = ["linux-x64, Python 3.11", "linux-x64, Python 3.13"]
    assert meant() == [f"{variant} {target}" for variant in (LITE, FULL) for target in both]
    assert meant("--variant", "full", "--python", "3.13", "--platform", "macos-arm64", "windows-x64") == [
        "full macos-arm64, Python 3.13",
        "full windows-x64, Python 3.13",
    ]
    assert meant("--variant", "bare") == ["bare"]
    assert meant("--variant", "bare", "lite", "--python", "3.11") == ["lite linux-x64, Python 3.11", "bare"]
    assert len(meant("--repository", "somewhere")) == 12


def test_another_platform_gets_the_zip_without_wheels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "this_platform", lambda: None)
    assert meant() == ["bare"]
    assert meant("--platform", "macos-arm64", "--variant", "lite", "--python", "3.11") == [
        "lite macos-arm64, Python 3.11"
    ]


@pytest.mark.usefixtures("on_linux")
@pytest.mark.parametrize(
    ("arguments", "refused", "status"),
    [
        ([], set(), 0),
        ([], {FULL}, 0),  # the lite ones are there in its place
        ([], {LITE}, 0),
        ([], {FULL, LITE}, 1),
        (["--python", "3.13"], {FULL}, 1),  # asked for
        (["--variant", "full"], {FULL}, 1),
        (["--variant", "bare"], set(), 0),
    ],
)
def test_what_cannot_be_built_is_said(
    shop: Workshop,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    refused: set[str],
    status: int,
) -> None:
    def pack(_: Workshop, folder: Path, variant: str, target: Target | None) -> sizes.Package:
        if variant in refused:
            raise BuildError(f"No {variant} today.")
        path = folder / f"{variant}.zip"
        folder.mkdir(exist_ok=True)
        path.write_bytes(b"zip")
        return sizes.Package(path, variant, target)

    monkeypatch.setattr(command, "pack", pack)
    options = build.parse(["package", *arguments])
    assert command.package(options, dataclasses.replace(shop, root=tmp_path)) == status
    said = capsys.readouterr()
    for variant in (FULL, LITE, BARE):
        attempted = variant in {wanted for wanted, _ in choices(options)}
        assert (f"Not built: No {variant} today." in said.err) == (attempted and variant in refused)
        assert (f"| {variant}.zip |" in said.out) == (attempted and variant not in refused)


def test_the_repository_is_not_where_zips_are_built(shop: Workshop) -> None:
    options = build.parse(["package", "--repository", str(build.ROOT / "dist")])
    with pytest.raises(BuildError, match="a folder of its own"):
        command.package(options, shop)
