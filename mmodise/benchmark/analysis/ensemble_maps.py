"""What alpha and beta of the geometric ensemble do to the figures, as maps and as a table."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope

from ...engine import EvaluationRunner
from ...evaluation import sweep_ensemble
from ...evaluation.class_figures import write_csv
from ...evaluation.own_vocabulary import find_figure
from ..charts import draw_maps
from .evaluated_sets import evaluated_sets

#: By picture: keys of all, base and novel classes in the metrics, and what makes percent of them.
FIGURES = {
    'PQ': (('coco_panoptic/PQ', 'coco_panoptic/base_PQ', 'coco_panoptic/novel_PQ'), 1),
    'AP': (('coco/segm_mAP', 'coco/base_segm_mAP', 'coco/novel_segm_mAP'), 100),
    'mIoU': (('semantic/mIoU', 'semantic/base_mIoU', 'semantic/novel_mIoU'), 1)}
_GROUPS = 'all classes', 'base', 'novel'

Pair = tuple[float, float]
Results = Mapping[Pair, Mapping[str, float]]


def grid(count: int) -> list[float]:
    """Evenly spaced shares from 0 to 1."""
    return np.linspace(0, 1, count).round(6).tolist()


def sweep(
    cfg: Config, checkpoint: str, steps: Sequence[float], name: str | None = None,
    num_pictures: int | None = None,
) -> tuple[Results, Pair]:
    """Test a model for all pairs of alpha and beta, and for the recipe's.

    Args:
        cfg (Config): Of the test; changed in place.
        checkpoint (str): Of the model.
        steps (Sequence[float]): Values of alpha, and of beta.
        name (str, optional): The data set, of a config with several. Defaults to None.
        num_pictures (int, optional): How many are taken. Defaults to None, all.

    Returns:
        tuple: Metrics by alpha and beta, and the pair of the config.

    Raises:
        ValueError: If the config tests on several data sets and none is named, or its model has no
            ensemble.
    """
    sets = evaluated_sets(cfg, name)
    if len(sets) > 1:
        raise ValueError(f'{cfg.filename} tests on several data sets: say which with --data-set, '
                         f'{", ".join(each.name for each in sets)}.')
    init_default_scope(cfg.get('default_scope', 'mmdet'))  # parts are built before the runner
    sets[0].put_into(cfg)
    if num_pictures:
        cfg.test_dataloader['dataset']['indices'] = num_pictures
    cfg.update(load_from=checkpoint, log_level='ERROR')
    runner = EvaluationRunner.from_cfg(cfg)
    if getattr(runner.model, 'ensemble', None) is None:
        raise ValueError(f'The model of {cfg.filename} has no ensemble: there is neither alpha nor '
                         'beta. Give it model.classifier.')
    recipe = runner.model.ensemble.alpha, runner.model.ensemble.beta
    pairs = dict.fromkeys([*itertools.product(steps, steps), recipe])
    trust = runner.model.ensemble.trust
    found = sweep_ensemble(runner, [(*pair, trust) for pair in pairs])
    return {pair: found[(*pair, trust)] for pair in pairs}, recipe


def write_maps(
    results: Results, steps: Sequence[float], recipe: Pair, folder: Path
) -> list[Path]:
    """Write ``ensemble.csv``, and ``ensemble_FIGURE.png`` with all, base and novel classes.

    Args:
        results (Mapping): Metrics by alpha and beta; those of ``steps`` x ``steps``, and of the
            recipe.
        steps (Sequence[float]): Values of alpha, and of beta.
        recipe (tuple[float, float]): Alpha and beta of the config, which are marked.
        folder (Path): Where to.

    Returns:
        list[Path]: The pictures.
    """
    folder.mkdir(parents=True, exist_ok=True)
    keys = list(dict.fromkeys(key for figures in results.values() for key in figures))
    write_csv(folder / 'ensemble.csv', ('alpha', 'beta', 'recipe', *keys), [
        (*pair, 'yes' if pair == recipe else '', *(figures.get(key, '') for key in keys))
        for pair, figures in sorted(results.items())])
    pictures, panels = [], _panels(results)
    for name in FIGURES:
        maps = {title: np.array([[values[alpha, beta] for alpha in steps] for beta in steps])
                for title, values in panels[name].items()}
        if maps:
            pictures.append(folder / f'ensemble_{name}.png')
            draw_maps(maps, steps, pictures[-1], "alpha: CLIP's share, seen classes",
                      "beta: CLIP's share, other classes", recipe, 'the recipe')
    return pictures


def _panels(results: Results) -> dict[str, dict[str, dict[Pair, float]]]:
    """Values of each pair in percent, by picture and title; where all pairs have one."""
    panels = {}
    for name, (keys, factor) in FIGURES.items():
        panels[name] = {}
        for group, key in zip(_GROUPS, keys, strict=True):
            found = {pair: find_figure(figures, key) for pair, figures in results.items()}
            if all(figure and not math.isnan(figure[1]) for figure in found.values()):
                kind = next(iter(found.values()))[0]
                panels[name][f'{kind} {name}, {group}'.lstrip()] = {
                    pair: factor * value for pair, (_, value) in found.items()}
    return panels


def format_best(results: Results, recipe: Pair) -> str:
    """Of each main figure: the recipe's, and the best with its alpha and beta."""
    lines = []
    for panel in _panels(results).values():
        for title, values in panel.items():
            alpha, beta = max(values, key=values.get)
            lines.append(
                f'{title}: {values[recipe]:.1f} with the recipe, {values[alpha, beta]:.1f} at '
                f'best (alpha {alpha:g}, beta {beta:g}), {min(values.values()):.1f} at worst')
    return '\n'.join(lines)
