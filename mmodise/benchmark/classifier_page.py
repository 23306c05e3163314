"""The page about mask classifiers: tables of what each gives."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

from ..datasets.panoptic.classes import thing_classes
from ..evaluation import Figures, Weights
from .claim_run import describe_machine
from .classifier_comparison import (
    ACCURACY,
    build_classifiers,
    count_operations,
    evaluate,
    load_model,
    mean_of,
    sweep_weights,
)
from .classifier_lines import SWEPT, Line
from .comparison import table

#: Column, figure of a class, and whether of things, of stuff, or of both.
COLUMNS = {'PQ': ('PQ', None), 'PQ things': ('PQ', True), 'PQ stuff': ('PQ', False),
           'AP': ('AP', None), 'mIoU': ('IoU', None), ACCURACY: (ACCURACY, None)}
_CHANGED = [column for column in COLUMNS if column != ACCURACY]  # by trust
LEAST_BASE = 65  # PQ of base classes that the best weights must keep

_SWITCHES = [
    ['`CLIPClassifier(min_coverage=0.5)`',
     'a mask sees the patches that it covers by half or more, instead of all that it touches'],
    ['`CLIPClassifier(soft_masks=True)`',
     'a mask sees patches as much as they are in it, and not the class token (MaskCLIP++)'],
    ['`CLIPClassifier(last_blocks=3)`',
     "masks count in the last three blocks of CLIP's image tower (MaskCLIP++)"],
    ['`GeometricEnsemble(trust=0.5)`',
     'where CLIP is sure, "no object" is less probable (OVRCOAT\'s COAT)'],
    ['`TunedCLIPClassifier`',
     "CLIP's image tower is trained on true masks of the base classes (MaskCLIP++)"]]
_INTRODUCTION = """\
# Mask classifiers on the embedded data set

*Written by `python tools/analysis_tools/compare_classifiers.py`; not by hand.*

One trained model and its masks, `{checkpoint}`; what differs is how CLIP
scores them, and what the ensemble makes of it (alpha {alpha}, beta {beta}).

{switches}

*Base* classes are annotated in the training, *novel* ones never. All figures are in percent, means
over classes. *AP*: of the masks of things. *True masks*: how many of the annotated masks the
classifier alone names right. *GFLOPs*: convolutions and matrix products of the classifier,
per picture. CLIP's image tower has {blocks} blocks.

Date: {date}. Machine: {machine}. Pictures: {pictures}."""


def write(
    config: Path | str, checkpoint: str, lines: Mapping[str, Line], docs: Path,
    tuned: str | None = None,
) -> Path:
    """Evaluate, and write the page.

    Args:
        config (Path | str): Of the model.
        checkpoint (str): Of the model.
        lines (Mapping[str, Line]): What is compared, by name.
        docs (Path): Folder of the page.
        tuned (str, optional): As for :func:`build_classifiers`.

    Returns:
        Path: The page.
    """
    runner = load_model(config, checkpoint)
    classifiers = build_classifiers(runner, lines, tuned)
    swept = sweep_weights(runner, {
        name: classifiers[name] for name in SWEPT if name in classifiers})
    dataset, ensemble = runner.test_dataloader.dataset, runner.model.ensemble
    page = docs / 'classifiers.md'
    docs.mkdir(parents=True, exist_ok=True)
    page.write_text(make_page(
        lines, evaluate(runner, lines, classifiers), count_operations(runner, classifiers), swept,
        dataset.metainfo, checkpoint=checkpoint, alpha=ensemble.alpha, beta=ensemble.beta,
        blocks=runner.model.classifier.clip.num_blocks, machine=describe_machine(),
        pictures=len(dataset)), encoding='utf-8')
    return page


def make_page(
    lines: Mapping[str, Line], figures: Mapping[str, Figures], operations: Mapping[str, float],
    swept: Mapping[str, Mapping[Weights, Figures]], metainfo: Mapping, **facts: object,
) -> str:
    """Write the page.

    Args:
        lines (Mapping[str, Line]): By name.
        figures (Mapping[str, Figures]): Of each line.
        operations (Mapping[str, float]): GFLOPs of each line.
        swept (Mapping[str, Mapping[Weights, Figures]]): PQ over weights of the ensemble.
        metainfo (Mapping): Of the data set.
        **facts (object): For the introduction.
    """
    groups = _groups(metainfo)
    switches = table(['switch', 'what it does'], _SWITCHES)
    parts = [_INTRODUCTION.format(date=date.today().isoformat(), switches=switches, **facts)]
    for group in groups:
        rows = [[line.title, *_row(figures[name], groups[group])]
                for name, line in lines.items()]
        header = ['', *COLUMNS]
        if group == 'all':
            header.append('GFLOPs')
            for row, (name, line) in zip(rows, lines.items(), strict=True):
                row.append('' if line.settings is None else f'{operations[name]:.2f}')
        parts += [f'## {group.capitalize()} classes', table(header, rows)]
    columns = [f'{group} {column}' for group in ('base', 'novel') for column in _CHANGED]
    parts += ['## What trust costs', _TRUST, table(
        ['change by `trust=0.5`', *columns], _changes(lines, figures, groups))]
    parts += ['## Weights of the ensemble', _WEIGHTS.format(base=LEAST_BASE), table(
        ['', 'alpha', 'beta', 'trust', 'base PQ', 'novel PQ', 'PQ'],
        [[lines[name].title, *_best(of_line, groups)] for name, of_line in swept.items()])]
    return '\n\n'.join(parts) + '\n'


_TRUST = """\
OVRCOAT's own result files, at full size, say PQ of things +2, of stuff -1, AP -3, mIoU -0.6. Here,
each line with trust against the same without:"""
_WEIGHTS = """\
Of each classifier the weights with the best novel PQ among those with a base PQ of {base} or more
(where there are none, with the best base PQ). They are chosen on the pictures that they are
measured on, so that the figures are upper bounds."""


def _groups(metainfo: Mapping) -> dict[str, dict[str, bool]]:
    """Classes of each group, and which are things."""
    things, novel = set(thing_classes(metainfo)), set(metainfo['novel_classes'])
    classes = {name: name in things for name in metainfo['classes']}
    return {
        'all': classes,
        'base': {name: thing for name, thing in classes.items() if name not in novel},
        'novel': {name: thing for name, thing in classes.items() if name in novel}}


def _value(figures: Figures, classes: Mapping[str, bool], column: str) -> float | None:
    key, kind = COLUMNS[column]
    return mean_of(figures, key, [name for name, is_thing in classes.items()
                                  if kind is None or is_thing == kind])


def _row(figures: Figures, classes: Mapping[str, bool]) -> list[str]:
    values = [_value(figures, classes, column) for column in COLUMNS]
    return ['' if value is None else f'{value:.1f}' for value in values]


def _changes(
    lines: Mapping[str, Line], figures: Mapping[str, Figures], groups: Mapping
) -> list[list[str]]:
    rows = []
    for name, line in lines.items():
        without = name.removesuffix('-coat')
        if line.trust and without in lines:
            pairs = [[_value(figures[one], groups[group], column) for one in (name, without)]
                     for group in ('base', 'novel') for column in _CHANGED]
            rows.append([lines[without].title, *(
                '' if None in pair else f'{pair[0] - pair[1]:+.1f}' for pair in pairs)])
    return rows


def _best(swept: Mapping[Weights, Figures], groups: Mapping) -> list[str]:
    def quality(figures: Figures, group: str) -> float:
        return mean_of(figures, 'PQ', groups[group])

    def rank(weights: Weights) -> tuple[bool, float]:
        base = quality(swept[weights], 'base')
        return base >= LEAST_BASE, quality(swept[weights], 'novel') if base >= LEAST_BASE else base

    best = max(swept, key=rank)
    return [*map(str, best), *(f'{quality(swept[best], g):.1f}' for g in ('base', 'novel', 'all'))]
