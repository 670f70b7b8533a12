# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands ``package`` and ``wheels`` of `build.py`: which packages are meant, and what is said of them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from wheels import fetch, lock, repository, sizes
from wheels.pack import Workshop, pack
from wheels.steps import BuildError, say
from wheels.targets import ABIS, PLATFORMS, Target, targets, this_platform
from wheels.variants import BARE, BUNDLED, FULL, LITE

PACKAGE_HELP = (
    "build and validate zips of the extension in dist; by default those for this machine's Blenders"
)
WHEELS_HELP = "fetch the wheels that zips bundle, to build these without a network later"

Choice = tuple[str, Target | None]


def add_package_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``package``."""
    parser.description = (
        "Without options: for each Python that Blender brings, the full zip for this platform, where it can be had, "
        "and the lite one. full: everything, PyTorch included. lite: without PyTorch; filters work, and learned tools "
        "use the interpreter chosen in the preferences. bare: no wheels, one zip for every platform and Blender, whose "
        "interpreter brings everything."
    )
    _add_targets(parser, tuple(BUNDLED))
    parser.add_argument(
        "--repository",
        type=Path,
        metavar="DIR",
        help="write a static extension repository, too; then the default is every platform",
    )


def add_wheels_options(parser: argparse.ArgumentParser) -> None:
    """Options of ``wheels``."""
    parser.description = (
        "Fetch what full and lite zips bundle into wheels/fetched, verified by the lock file's hashes."
    )
    _add_targets(parser, (FULL, LITE))
    parser.add_argument(
        "--lock",
        action="store_true",
        help="write wheels/lock.json anew from the requirement files (downloads about 1.5 GB)",
    )


def _add_targets(parser: argparse.ArgumentParser, known: tuple[str, ...]) -> None:
    parser.add_argument("--platform", nargs="+", choices=list(PLATFORMS), help="default: this one")
    parser.add_argument("--python", nargs="+", choices=list(ABIS), help="default: each that Blender brings")
    parser.add_argument("--variant", nargs="+", choices=known, help="default: full and lite")


def choices(options: argparse.Namespace) -> list[Choice]:
    """The packages that the options mean, each a variant and its target; lite ones first, as they can always be had."""
    here = this_platform()
    everywhere = getattr(options, "repository", None) is not None
    platforms = options.platform or (list(PLATFORMS) if everywhere else [here] if here else [])
    if not platforms and options.variant != [BARE]:
        say("There are no wheels for this platform: the zip without any is built")
        return [(BARE, None)]
    pairs = targets(platforms, options.python or ABIS)
    wanted = options.variant or [FULL, LITE]
    chosen: list[Choice] = [
        (variant, target) for variant in (LITE, FULL) if variant in wanted for target in pairs
    ]
    return chosen + ([(BARE, None)] if BARE in wanted else [])


def package(options: argparse.Namespace, shop: Workshop) -> int:
    """Build what is asked for, print its sizes, write the repository.

    Returns:
        1 where a package that was asked for, or that has no lite one in its place, could not be built.
    """
    folder = shop.root / "dist"
    if options.repository and options.repository.resolve() == folder.resolve():
        raise BuildError("The repository needs a folder of its own, not dist; name another.")
    built, failed = [], []
    for variant, target in choices(options):
        try:
            built.append(pack(shop, folder, variant, target))
        except BuildError as error:
            failed.append((variant, target))
            print(f"Not built: {error}", file=sys.stderr, flush=True)
    if built:
        print(sizes.table(built), flush=True)
    if options.repository:
        repository.write(shop, options.repository, built)
    served = {zip_.target for zip_ in built}
    asked = options.platform or options.python or options.variant
    return 1 if failed and (asked or any(target not in served for _, target in failed)) else 0


def wheels(options: argparse.Namespace, shop: Workshop) -> int:
    """Fetch wheels, or write the lock file anew."""
    if options.lock:
        written = lock.refresh(shop.root, shop.python, fetch.FOLDER)
        say(f"{lock.FILE.name}: {len(written)} wheels, {sum(wheel.size for wheel in written) / 1e6:.0f} MB")
        return 0
    status = 0
    for variant, target in choices(options):
        if target is None:  # nothing is bundled
            continue
        try:
            bundled = lock.select(lock.read(), target, variant)
            sizes.check_wheels(bundled, variant, target)
            fetch.fetch(bundled, target, shop.python)
        except BuildError as error:
            print(f"Not fetched: {error}", file=sys.stderr, flush=True)
            status = 1
    return status
