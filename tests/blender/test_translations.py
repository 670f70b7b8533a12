# SPDX-License-Identifier: GPL-3.0-or-later
"""Every text that the interface shows has a translation in every language that DPoser offers."""

from __future__ import annotations

import ast
import importlib
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

bpy = pytest.importorskip("bpy")

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "dposer_blender").rglob("*.py"))
SHOWN = {"text", "heading", "placeholder", "header_text"}  # arguments of layout functions
TRANSLATED = {"iface_", "rpt_", "tip_"}
OWN = {"wrap": 2, "pair": 1}  # our layout functions: which argument is the text
REFUSALS = {"refusal", "refusal_to_write", "objection", "editing"}
LANGUAGES = ("ja_JP", "zh_HANS")
OTHERS = {"Feet", "Keys", "Median"}  # in Blender's catalogues a unit of length, key blocks, and a middle point


def part(name: str) -> Any:
    return importlib.import_module(f"dposer_ext.dposer_blender.{name}")


def registered() -> Iterator[str]:
    """Labels and tooltips of what Blender knows of us."""
    for cls in importlib.import_module("dposer_ext.dposer_blender")._classes():
        rna = cls.bl_rna
        if issubclass(cls, bpy.types.Operator):
            rna = getattr(bpy.ops.dposer, cls.bl_idname.partition(".")[2]).get_rna_type()
            yield from (rna.name, rna.description)
        elif issubclass(cls, (bpy.types.Panel, bpy.types.Menu)):
            yield from (cls.bl_label, getattr(cls, "bl_description", ""))
        for name in vars(cls).get("__annotations__", {}):
            prop = rna.properties.get(name)
            if prop is None or name.startswith("bl_"):
                continue
            yield from (prop.name, prop.description)
            for item in getattr(prop, "enum_items", ()):
                yield from (item.name, item.description)


def literals(node: ast.AST) -> Iterator[str]:
    """Constant texts of an expression, also where it chooses between them, but not those of what it compares with."""
    match node:
        case ast.Constant(value=str() as value):
            yield value
        case ast.IfExp(body=body, orelse=orelse):
            yield from (*literals(body), *literals(orelse))
        case ast.BoolOp(values=values):
            for value in values:
                yield from literals(value)
        case ast.BinOp(left=left, right=right):
            yield from (*literals(left), *literals(right))
        case ast.JoinedStr(values=values):  # what is between the figures would need a place in a template
            for value in values:
                if isinstance(value, ast.Constant) and any(letter.isalpha() for letter in str(value.value)):
                    yield f"f-string: {value.value}"


def named(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def in_calls(tree: ast.AST) -> Iterator[str]:
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        name = named(call)
        kept = {word.arg: word.value for word in call.keywords}
        untranslated = isinstance(kept.get("translate"), ast.Constant) and kept["translate"].value is False
        for key in SHOWN & kept.keys() if not untranslated else ():
            yield from literals(kept[key])
        if name in TRANSLATED and call.args:
            yield from literals(call.args[0])
        if name in OWN and len(call.args) > OWN[name]:
            yield from literals(call.args[OWN[name]])
        if name == "poll_message_set" and call.args:
            yield from (text for text in literals(call.args[0]) if not text.startswith("f-string"))
        if name == "report" and len(call.args) == 2 and isinstance(call.args[1], ast.Constant):
            yield call.args[1].value


def drawn() -> Iterator[str]:
    """Texts in the code that draws and reports, and those it shows by way of tables."""
    for path in SOURCES:
        yield from in_calls(ast.parse(path.read_text(encoding="utf-8")))
    for label in ("_found", "figures"):  # of an empty field of the bone map, and of a result
        source = {"_found": "panels/bone_map.py", "figures": "outcomes.py"}[label]
        yield from in_function(ROOT / "dposer_blender" / source, label)
    for path in SOURCES:
        yield from refusals(path)
    joints = part("body_joints")
    for title in joints.TITLES.values():
        yield from (title, title.removeprefix("Left ").removeprefix("Right "))
    yield from (title for title, _ in joints.GROUPS)
    for folder in (ROOT / "dposer_blender" / "builtin" / "presets").rglob("*.py"):
        yield bpy.path.display_name(folder.name, title_case=False)


def in_function(path: Path, name: str) -> Iterator[str]:
    """Texts that a function returns, or gives in a pair with its figure; those it merely compares with begin small."""
    for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(function, ast.FunctionDef) and function.name == name:
            for node in ast.walk(function):
                if isinstance(node, ast.Return) and node.value is not None:
                    yield from (text for text in literals(node.value) if not text.startswith("f-string"))
                if isinstance(node, ast.Tuple):
                    yield from literals(node.elts[0])


def refusals(path: Path) -> Iterator[str]:
    """Why something cannot be done, which tooltips show; those that name something of the user's stay English."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef) and function.name in REFUSALS:
            for node in ast.walk(function):
                if isinstance(node, ast.Return) and node.value is not None:
                    yield from (text for text in literals(node.value) if not text.startswith("f-string"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in ("reason", "BUSY"):
            yield from (text for text in literals(node.value) if not text.startswith("f-string"))


def in_engine() -> Iterator[str]:
    """Texts that the engine leaves to Blender to translate: those of its check, and the stages of what it does."""
    check = ast.parse((ROOT / "engine" / "tasks" / "check.py").read_text(encoding="utf-8"))
    for node in check.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id.isupper():
            yield from literals(node.value)
    for call in ast.walk(check):
        if isinstance(call, ast.Call) and named(call) in {"Finding", "_failed"}:
            yield from literals(call.args[0])
    memory = ast.parse((ROOT / "engine" / "memory.py").read_text(encoding="utf-8"))
    for node in memory.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "ON_CPU":
            yield from literals(node.value)
    yield from stages()


def stages() -> Iterator[str]:
    for path in (ROOT / "engine" / "tasks").rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and named(call) in {"Stage", "on_step", "_tell"} and call.args:
                yield from (text[:1].upper() + text[1:] for text in literals(call.args[-1]))
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Assign) and {"title", "stage"} & {
                getattr(target, "id", getattr(target, "attr", "")) for target in node.targets
            }:
                yield from literals(node.value)


def needed() -> set[str]:
    texts = {text for texts in (registered(), drawn(), in_engine()) for text in texts}
    return {text for text in texts if any(letter.isalpha() for letter in string.Formatter().vformat(
        text, (), Blank()) if not text.startswith("f-string"))} | {t for t in texts if t.startswith("f-string")}


class Blank(dict[str, Any]):
    """Whatever a template names, as nothing."""

    class Nothing:
        def __format__(self, spec: str) -> str:
            return ""

    def __missing__(self, key: str) -> Any:
        return self.Nothing()

    def __getitem__(self, key: Any) -> Any:
        return self.Nothing()


def fields(text: str) -> list[tuple[str, str]]:
    return sorted((name, spec or "") for _, name, spec, _ in string.Formatter().parse(text) if name is not None)


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_is_left_in_english(language: str) -> None:
    texts = part("translations").LANGUAGES[language]
    lacking = sorted(needed() - texts.keys())
    assert not lacking, f"{len(lacking)} texts without {language}:\n" + "\n".join(map(repr, lacking))


@pytest.mark.parametrize("language", LANGUAGES)
def test_translations_keep_figures_and_are_sorted(language: str) -> None:
    written = part(f"translations.{language.lower()}").TEXTS
    assert list(written) == sorted(written)
    texts = part("translations").LANGUAGES[language]
    for text, meant in texts.items():
        assert meant and meant == meant.strip(), text
        assert fields(text) == fields(meant), text
        assert not meant.endswith("。") or text.endswith("."), text


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_is_translated_that_is_not_shown(language: str) -> None:
    unused = part("translations").LANGUAGES[language].keys() - needed()
    assert not unused


def test_words_that_blender_has_for_other_things_ask_for_ours() -> None:
    """Blender's own catalogue comes first, where feet are a unit and a median is a middle point."""
    found = 0
    for cls in importlib.import_module("dposer_ext.dposer_blender")._classes():
        for name in vars(cls).get("__annotations__", {}):
            prop = cls.bl_rna.properties.get(name)
            if prop is None or name.startswith("bl_"):
                continue
            if OTHERS & {prop.name, *(item.name for item in getattr(prop, "enum_items", ()))}:
                found += 1
                assert prop.translation_context == part("translations").CONTEXT, (cls.__name__, name)
    assert found >= 3


def test_texts_of_the_check_are_those_blender_gets() -> None:
    """The engine's findings, which travel as templates, can be looked up."""
    texts = part("translations").LANGUAGES["zh_HANS"]
    assert bpy.ops.dposer.check_engine() == {"FINISHED"}
    for row in part("engine_check").rows():
        assert row.subject in texts
        for template in (row.value, row.advice):
            letters = string.Formatter().vformat(template, (), Blank())
            assert template in texts or not any(letter.isalpha() for letter in letters)
