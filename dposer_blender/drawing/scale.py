# SPDX-License-Identifier: GPL-3.0-or-later
"""How a plausibility is shown: as a height, a colour, a word and a figure. Needs no Blender.

A plausibility is a chance, and chances fall over decades: what is usual lies near one half, what is broken at one in
thousands. So it is shown by its logarithm, from 1 to 1 in 10,000. Where the words change was chosen by real captures
(validation split), and measured on others (test split, every fifth of 15,829 frames): of their frames 3 in 100 are rare
and fewer than 1 in 1000 odd. Of the same frames with one joint, any of the 21, turned by 20 degrees 48 and 22 in 100
are; by 40 degrees 56 and 31; and with the left limbs' rotations on the right ones, and the other way round, 13 and 0.
On rigs, whose forearms share their twist in ways of their own, captures score lower: of 39 BVH files of the same
people, half of them dance or jumps, 12 in 100 frames are rare and 3 odd.
"""

from __future__ import annotations

import numpy as np

RARE, ODD = 0.01, 0.001
"""Plausibilities below which a pose, or a joint in it, is called that."""
LEAST = 0.0001
"""Plausibilities below are not told apart."""
PLAIN = 0.03  # above, the colour is that of the usual alone
FAINT = 0.3  # opacity of what is usual, which is not to hide the rig

USUAL_COLOUR, RARE_COLOUR, ODD_COLOUR, DAMAGE_COLOUR = (
    (0.337, 0.706, 0.914),  # sky blue
    (0.941, 0.894, 0.259),  # yellow
    (0.835, 0.369, 0.000),  # vermilion
    (0.800, 0.475, 0.655),  # reddish purple
)
"""sRGB. From the palette of Okabe and Ito, which people with any kind of colour vision tell apart."""


def oddness(plausibility: np.ndarray) -> np.ndarray:
    """Height from 0, for what is as likely as can be, to 1, for what is at most `LEAST` likely; any shape."""
    return np.log(np.clip(plausibility, LEAST, 1.0)) / np.log(LEAST)


LEVELS: tuple[float, float, float] = tuple(float(oddness(np.array(p))) for p in (PLAIN, RARE, ODD))  # type: ignore
"""Oddness at which the colour begins to change, is that of the rare, and is that of the odd."""


def colours(odd: np.ndarray) -> np.ndarray:
    """(..., 4) sRGB and opacity for oddness (...)."""
    table = np.array([(*USUAL_COLOUR, FAINT), (*RARE_COLOUR, 1.0), (*ODD_COLOUR, 1.0)])
    return np.stack([np.interp(odd, LEVELS, channel) for channel in table.T], axis=-1)


def word(plausibility: float) -> str:
    """What a plausibility is called."""
    return "odd" if plausibility < ODD else "rare" if plausibility < RARE else "usual"


def figure(plausibility: float) -> str:
    """A plausibility as an animator reads it: "32 %", "0.4 %"."""
    if plausibility < LEAST:
        return f"below {100 * LEAST:g} %"
    return f"{100 * plausibility:.0f} %" if plausibility >= 0.1 else f"{100 * plausibility:.1g} %"
