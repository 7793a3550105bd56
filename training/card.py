"""The model card of a trained bundle: a README.md as Hugging Face reads it, from figures alone."""

# ruff: noqa: E501 (the page is easier to read here when its lines end where they end there)

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from training.drawing import CONFUSION, CURVES


def card(about: Mapping[str, Any]) -> str:
    """Markdown.

    Args:
        about: ``id``, ``base``, ``licence``, ``names`` by class, ``recipe`` with its values, ``pictures`` by
            part, ``data`` (their hash), ``metrics`` of the validation part as `training.measuring.measure`
            gives them, ``agreement`` of ONNX and torch, ``calibration``, ``command``, ``notes``.
    """
    figures, agreement = about["metrics"]["validation"], about["agreement"]
    recipe, names = about["recipe"], dict(about["names"])
    sure, strangers = figures["sure"], figures["strangers"]
    weakest = sorted(
        (slug for slug, value in figures["by_character"].items() if value["of"]),
        key=lambda slug: (figures["by_character"][slug]["share"], slug),
    )[:3]
    people = [name for slug, name in names.items() if slug != "nobody"]
    stranger_rows = (
        f"""| pictures of nobody that are answered *nobody I know* | {_full(strangers["answered_nobody"])} |
| pictures of characters that are not turned away | {_full(strangers["characters_let_in"])} |
| AUROC of the score behind it | {_number(strangers["auroc"])} |"""
        if strangers["answered_nobody"]["of"]
        else "| pictures of nobody | none among the validation pictures, so nothing is known of them |"
    )
    values = "\n".join(
        f"| `{name}` | {json.dumps(value)} |"
        for name, value in recipe.items()
        if name not in ("kind", "versions", "facts")
    )
    return f"""---
library_name: transformers
pipeline_tag: image-classification
license: other
base_model: {json.dumps(about["base"])}
tags:
- whosthat
---

# {about["id"]}

Names {len(people)} fictional characters in a picture: {_listed(people)}. Written by `{about["command"]}` from what
it measured; nobody edits this page by hand.

## What it is for, and what not

For fans who post a still, a poster, a comic or a toy and want to know who it is, and who correct it when it is wrong.
It is **not a face recogniser**: it names fictional characters by their looks, costume included. Do not use it to find
out who a person is. Its answers are the start of a conversation and no evidence of anything.

## What it was made from

Base: {about["base"]}. Licence: {about["licence"]}. The pictures' rights are those of whoever made them; none are in here.

| part | pictures |
|---|---|
{_rows([(name, str(count)) for name, count in about["pictures"].items()])}

Data `{about["data"][:16]}`.{"".join(f" {_sentence(note)}" for note in about["notes"])}

## How often it is right

On the validation part, by which it was also chosen and calibrated: an untouched part will give somewhat less. 95 %
intervals by Wilson's score; *right* means that the likeliest character is the one of the label, and wrong labels count
against it.

| pictures | right | interval | of |
|---|---|---|---|
{_shares([("**all characters**", figures["right"])])}
{_shares([(names[slug], value) for slug, value in figures["by_character"].items()])}

When it says that it is **sure** ({_percent(sure["how_often"])} of all), it is right in {_full(sure["precision"])}.

| strangers | |
|---|---|
{stranger_rows}

Expected calibration error {figures["calibration_error"]:.3f} in 15 bins, after the temperature
{about["calibration"]["temperature"]}.

![confusion matrix]({CONFUSION})

## Known weaknesses

- Weakest on the validation part: {_listed([names[slug] for slug in weakest])}.
- In a picture of several characters it names one.
- A character that it was not taught is *nobody*, or taken for one that it was.

## How it was made

Recipe *{recipe["kind"]}*, {_listed([f"{name} {version}" for name, version in recipe["versions"].items()])}.

| value | |
|---|---|
{values}

![curves]({CURVES})

## Agreement of its two forms

`model.onnx` was compared with the torch reference on {agreement["pictures"]} validation pictures: the same first answer
for {agreement["top1_agreement"]:.1%} of them, logits at most {agreement["max_abs_logit_difference"]:.1e} apart.
"""


def _listed(values: Sequence[object]) -> str:
    words = [str(value) for value in values]
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def _sentence(note: str) -> str:
    return f"{note[0].upper()}{note[1:]}."


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _percent(value: Mapping[str, Any]) -> str:
    return "–" if value["share"] is None else f"{value['share']:.1%}"


def _interval(value: Mapping[str, Any]) -> str:
    low, high = value["interval"]
    return f"{low:.1%} to {high:.1%}"


def _full(value: Mapping[str, Any]) -> str:
    return f"{_percent(value)} ({_interval(value)}, {value['right']} of {value['of']})"


def _rows(values: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in values)


def _shares(values: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    return _rows([(name, _percent(v), _interval(v), str(v["of"])) for name, v in values])
