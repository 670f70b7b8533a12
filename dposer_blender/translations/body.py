# SPDX-License-Identifier: GPL-3.0-or-later
"""The texts about each of the body's joints, put together from a language's words for its parts."""

from __future__ import annotations

from collections.abc import Mapping

from ..body_joints import BONES, TITLES


def body_texts(words: Mapping[str, str], joint: str, bone: str, begins: str, absent: str, without: str) -> dict[str, str]:
    """English text -> translation of what there is for every joint.

    Args:
        words: English word -> translation: "Left", "Elbow" of titles, "left", "forearm" of bones, "Upper Spine".
        joint: translation of "The joint of the {bone}".
        bone: of "The bone of the {bone}; empty to have it found automatically".
        begins: of "At the start of the {bone}".
        absent: of "Leave this joint out: the rig has no bone for the {bone}, or it is to be left alone".
        without: of "No {joint}".
    """
    texts = {}
    for name, title in TITLES.items():
        shown, part = _put_together(title, words), _put_together(BONES[name], words)
        side, _, limb = title.partition(" ")
        texts[title] = shown
        if side in ("Left", "Right"):
            texts[limb] = words[limb]
        english = BONES[name]
        texts |= {
            f"No {title}": without.format(joint=shown),
            f"The joint of the {english}": joint.format(bone=part),
            f"At the start of the {english}": begins.format(bone=part),
            f"The bone of the {english}; empty to have it found automatically": bone.format(bone=part),
            f"Leave this joint out: the rig has no bone for the {english}, or it is to be left alone": absent.format(
                bone=part
            ),
        }
    return texts


def _put_together(text: str, words: Mapping[str, str]) -> str:
    """A side and a part, which these languages write without a space; or a part that is a word of its own."""
    if text in words:
        return words[text]
    side, _, limb = text.partition(" ")
    return words[side] + words[limb]
