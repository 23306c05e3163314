"""What saved predictions of a data set tell: written into a folder, and in short."""

from __future__ import annotations

from pathlib import Path

from ...evaluation.class_figures import write_csv
from ...evaluation.own_vocabulary import find_figure
from .confusion_charts import write_confusion
from .evaluated_sets import EvaluatedSet
from .replay import PictureFigures, Replay, ranked
from .worst_pictures import draw_worst

_PAIRS = 5  # that are printed
_MAIN = {'PQ': 'coco_panoptic/PQ', 'mIoU': 'semantic/mIoU'}
_COLUMNS = 'PQ', 'right', 'wrong', 'missed', 'mIoU'


def analyze(
    evaluated: EvaluatedSet, predictions: Path, folder: Path, num_worst: int = 12,
    skip_missing: bool = False,
) -> str:
    """Write figures of classes and pictures, the worst pictures, and which name is taken for which.

    Args:
        evaluated (EvaluatedSet): The data set and its metrics.
        predictions (Path): What was saved.
        folder (Path): Where to.
        num_worst (int): Pictures that are drawn. Defaults to 12.
        skip_missing (bool): Whether pictures without a prediction are left out. Defaults to False.

    Returns:
        str: A few lines for people.

    Raises:
        FileNotFoundError: If there are no predictions, or not of all pictures.
        ValueError: If they do not go together with the data set.
    """
    replay = Replay(evaluated, predictions, skip_missing)
    figures = replay.run()
    replay.classes().write(folder, evaluated.name)
    key, pictures = ranked(replay.pictures)
    _write_pictures(replay, pictures, folder)
    draw_worst(replay, pictures[:num_worst], key, folder / 'worst')
    write_confusion(replay.confusion, folder, replay.called('What is taken for what'))
    found = {title: find_figure(figures, name) for title, name in _MAIN.items()}
    return '\n'.join([
        f'{evaluated.name}: {len(replay.pictures)} pictures',
        *(f'{replay.called(title)}: {figure[1]:.2f}' for title, figure in found.items() if figure),
        *(f'worst picture: {picture.path}, {replay.called(key)} {picture.figures[key]:.1f}'
          for picture in pictures[:1]),
        *(f'{pair.truth} is taken for {pair.predicted}: {pair.share:.0f} % of its pixels'
          for pair in replay.confusion.pairs()[:_PAIRS]),
        f'All of it is in {folder}'])


def _write_pictures(replay: Replay, pictures: list[PictureFigures], folder: Path) -> None:
    keys = [key for key in _COLUMNS if any(key in picture.figures for picture in pictures)]
    write_csv(folder / 'pictures.csv', ('picture', *map(replay.called, keys)), [
        (picture.path, *(picture.figures.get(key, '') for key in keys)) for picture in pictures])
