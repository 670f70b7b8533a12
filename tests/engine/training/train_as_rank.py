# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains as one rank of several, and leaves what this very process has learned: ``OUT/rank_N.safetensors``.

Arguments are lists of options of ``train`` with "/" between: trained one after the other. The ranks meet once for all,
since torch's meeting place remembers who has met there.
"""

import contextlib
import itertools
import sys
from pathlib import Path

from safetensors.torch import save_file

from engine import cli
from engine.training import conditional, loop, motion, ranks


def remembering(module: object, name: str, made: list) -> None:
    """Keep what a module makes by a name of its own."""
    make = getattr(module, name)

    def remembered(*arguments: object, **options: object) -> object:
        made.append(make(*arguments, **options))
        return made[-1]

    setattr(module, name, remembered)


def main() -> None:
    made: list = []
    remembering(loop, "untrained", made)
    remembering(motion, "untrained", made)
    remembering(conditional, "ConditionalPrior", made)
    with ranks.together("cpu") as met:
        ranks.together = lambda device: contextlib.nullcontext(met)
        for last, words in itertools.groupby(sys.argv[1:], key=lambda word: word == "/"):
            if not last:
                options = list(words)
                assert cli.main(["train", *options]) == 0
                out = Path(options[options.index("--out") + 1])
                state = {name: tensor.contiguous() for name, tensor in made[-1].state_dict().items()}
                save_file(state, out / f"rank_{met.rank}.safetensors")


if __name__ == "__main__":  # not in the processes that make banks of examples
    main()
