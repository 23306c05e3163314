"""The demo's training: its settings, its figures and the weights that it leaves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.runner import Runner, find_latest_checkpoint
from terminaltables import AsciiTable

from ..checkpoints import load_from_local
from ..engine import load_config, set_max_iters
from ..evaluation import GROUPS, summarize
from ..utils.paths import configs_folder

CONFIG = configs_folder() / 'odise/odise_sd-small_shapes-panoptic.py'
#: A demo may be interrupted, and is tested once it is trained.
SETTINGS = {
    'default_hooks.checkpoint.interval': 100, 'default_hooks.checkpoint.max_keep_ckpts': 1,
    'val_cfg': None, 'val_dataloader': None, 'val_evaluator': None}


def read_config(
    work_dir: Path, options: Mapping[str, object] | None = None, max_iters: int | None = None
) -> Config:
    """Read the recipe and fit it to a demo; it goes on where one in ``work_dir`` was interrupted.

    Args:
        work_dir (Path): Folder to write into.
        options (Mapping, optional): Settings of the config to override.
        max_iters (int, optional): Iterations. Defaults to the recipe's.
    """
    cfg = load_config(CONFIG, {**SETTINGS, **(options or {})}, work_dir=work_dir)
    if max_iters:
        set_max_iters(cfg, max_iters)
    cfg.default_hooks.logger.interval = max(cfg.train_cfg.max_iters // 40, 1)
    cfg.resume = is_unfinished(work_dir, cfg.train_cfg.max_iters)
    return cfg


def is_unfinished(work_dir: Path, max_iters: int) -> bool:
    """Whether there is a checkpoint of an earlier iteration than the last, to continue from."""
    if not (work_dir / 'last_checkpoint').is_file():
        return False
    iteration = int(Path(find_latest_checkpoint(str(work_dir))).stem.removeprefix('iter_'))
    unfinished = iteration < max_iters
    print(f'{work_dir} has iteration {iteration} of {max_iters}: '
          + ('going on from there' if unfinished else 'finished before, training anew'))
    return unfinished


def evaluate(runner: Runner) -> dict[str, dict[str, float | None]]:
    """Evaluate the trained model as it is, and once more with in-vocabulary scores alone."""
    results = summarize(runner.test())
    classifier, runner.model.classifier = runner.model.classifier, None
    without_clip = summarize(runner.test())
    runner.model.classifier = classifier
    return results | {f'{group}_without_clip': values for group, values in without_clip.items()}


def format_results(results: dict[str, dict[str, float | None]]) -> str:
    """The results as a table."""
    rows = [['classes', 'PQ', 'SQ', 'RQ', 'PQ without CLIP', 'SQ', 'RQ']]
    for group in GROUPS:
        values = [*results[group].values(), *results[f'{group}_without_clip'].values()]
        rows.append([group, *('-' if v is None else f'{v:.1f}' for v in values)])
    table = AsciiTable(rows)
    table.justify_columns = dict.fromkeys(range(1, 7), 'right')
    return table.table


def save_weights(work_dir: Path, publish: Path | None = None) -> str:
    """Keep the last checkpoint without the optimizer's state; returns a line that says so."""
    last = load_from_local(find_latest_checkpoint(str(work_dir)), map_location='cpu')
    path, weights = work_dir / 'weights.pth', dict(last['state_dict'])
    meta = dict(dataset_meta=last['meta']['dataset_meta'])  # what mmdet's inferencer reads
    torch.save(dict(meta=meta, state_dict=weights), path)
    if publish:
        half = {name: value.half() for name, value in weights.items()}
        torch.save(dict(meta=meta, state_dict=half), publish)
    count = sum(value.numel() for value in weights.values())
    return f'{path}: {path.stat().st_size / 1e6:.2f} MB for {count / 1e6:.2f} M trained parameters'
