"""The losses of a training, as MMEngine has logged them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure

# Of the last layer of the decoder; those of the others ('d0.loss_cls' ...) look alike.
_LOSSES = {'loss_cls': 'classification', 'loss_mask': 'mask, cross entropy',
           'loss_dice': 'mask, dice'}


def read_losses(work_dir: str | Path) -> dict[int, dict[str, float]]:
    """Read what MMEngine's ``LocalVisBackend`` wrote, over all runs in a work folder.

    A run that resumes continues the curve of the one before; one that starts anew replaces it.

    Args:
        work_dir (str | Path): Has ``TIMESTAMP/vis_data/scalars.json``.

    Returns:
        dict[int, dict[str, float]]: Logged values with ``loss`` in their name, by iteration.
    """
    losses = {}
    for path in sorted(Path(work_dir).glob('*/vis_data/scalars.json')):
        records = [json.loads(line) for line in path.read_text(encoding='utf-8').splitlines()]
        run = {
            record['step']: {key: value for key, value in record.items() if 'loss' in key}
            for record in records if 'loss' in record
        }
        first = min(run, default=math.inf)
        losses = {step: values for step, values in losses.items() if step < first} | run
    return losses


def draw_training_curve(
    work_dir: str | Path, path: str | Path, losses: Mapping[str, str] = _LOSSES,
    title: str = 'Training losses (weighted, of the last decoder layer)'
) -> None:
    """Draw losses over the iterations into a picture file.

    Args:
        work_dir (str | Path): Work folder of the training.
        path (str | Path): The picture, such as ``'training_curve.png'``.
        losses (Mapping[str, str]): What to draw: keys of the log, and their names in the legend.
            Defaults to ODISE's losses of the last decoder layer.
        title (str): Over the picture.
    """
    logged = read_losses(work_dir)
    figure = Figure(figsize=(8, 4.5), layout='constrained')
    axes = figure.add_subplot(title=title, xlabel='iteration', ylabel='loss')
    for key, name in losses.items():
        steps = [step for step, values in logged.items() if key in values]
        axes.plot(steps, [logged[step][key] for step in steps], label=name, marker='.')
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.spines[['top', 'right']].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=120)
