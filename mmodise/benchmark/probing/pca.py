"""Pictures of maps: their first three principal components as colours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ...visualization import picture_grid
from .generator import PIXELS
from .records import Record
from .run import Run

_TILE = 192  # pixels
_NOTE = 'The first three principal components of each map, over these pictures, as colours.'


def principal_colors(features: Sequence[Tensor]) -> list[np.ndarray]:
    """Colours of maps, over all of which the principal components are found.

    Args:
        features (Sequence[Tensor]): (C, h, w) each.

    Returns:
        list[ndarray]: RGB, uint8, (h, w, 3) each; the first component is red. A component goes from
        0 to 255 between its 1st and 99th percentile.
    """
    cells = torch.cat([feature.flatten(1) for feature in features], dim=1).double().T  # (N, C)
    cells = cells - cells.mean(0)
    _, axes = torch.linalg.eigh(cells.T @ cells)
    axes = axes.flip(1)[:, :3]  # the largest first
    largest = axes.abs().argmax(0, keepdim=True)
    axes = axes * axes.gather(0, largest).sign()  # one of the two signs, always the same
    values = torch.nn.functional.pad(cells @ axes, (0, 3 - axes.shape[1])).numpy()
    low, high = np.percentile(values, [1, 99], axis=0)
    scaled = np.clip((values - low) / np.maximum(high - low, 1e-12), 0, 1)
    colors = np.split((255 * scaled).round().astype(np.uint8),
                      np.cumsum([feature[0].numel() for feature in features])[:-1])
    return [color.reshape(*feature.shape[1:], 3)
            for color, feature in zip(colors, features, strict=True)]


def draw_components(run: Run, records: Sequence[Record], number: int) -> np.ndarray:
    """Draw pictures next to the principal components of maps.

    Args:
        run (Run): The probe.
        records (Sequence[Record]): Of the maps, a column each.
        number (int): Pictures, of those to measure with.

    Returns:
        ndarray: RGB, uint8.
    """
    photographs, features = _read(run, records, number)
    columns = {'picture': [_tile(picture, Image.Resampling.BICUBIC) for picture in photographs]}
    for record in records:
        columns[title(record)] = [
            _tile(picture, Image.Resampling.NEAREST)
            for picture in principal_colors(features[record.key])]
    return picture_grid([*zip(*columns.values(), strict=True)], list(columns), _NOTE)


def title(record: Record) -> str:
    """What a map is called, with its noise."""
    return record.map if record.noise is None else f'{record.map} at {record.noise:g}'


def best_of_each_kind(records: Sequence[Record], run: Run, most: int = 7) -> list[Record]:
    """The best linear probe of each setting that chooses maps, at each level of noise.

    Args:
        records (Sequence[Record]): All, the best first.
        run (Run): The probe.
        most (int): Records, at most. Defaults to 7.

    Returns:
        list[Record]: In the order of the settings, then of the noise.
    """
    kinds = {found.name: found.chosen_by[0] if found.chosen_by else found.name
             for found in run.maps if found != PIXELS}
    best: dict[tuple, Record] = {}
    for record in records:
        if record.map in kinds and record.noise in (None, *run.levels):
            best.setdefault((kinds[record.map], record.noise), record)
    order = [*dict.fromkeys(kinds.values())]
    return sorted(list(best.values())[:most],
                  key=lambda record: (order.index(kinds[record.map]), record.noise or 0))


def _read(run: Run, records: Sequence[Record], number: int) -> tuple[list, dict[tuple, list]]:
    """Photographs, and the features of the maps by key, without padding."""
    photographs, features = [], {record.key: [] for record in records}
    numbers = run.pictures.measuring[:number]
    for level in run.levels:
        maps = [found for found in run.at_level(level)
                if (found.name, found.noise) in features and not features[found.name, found.noise]]
        if not maps:
            continue
        reader, photographs = run.reader(level, maps), []
        for batch in run.pictures.batches(numbers):
            read = reader.read(batch.images)
            for index, (height, width) in enumerate(batch.shapes):
                photographs.append(_photograph(batch.images[index, :, :height, :width]))
                for found in maps:
                    feature = read[found.name][index].float().cpu()
                    stride = batch.images.shape[-1] // feature.shape[-1]
                    features[found.name, found.noise].append(
                        feature[:, :-(-height // stride), :-(-width // stride)])
    return photographs, features


def _photograph(image: Tensor) -> np.ndarray:
    return (255 * image.clamp(0, 1)).byte().permute(1, 2, 0).cpu().numpy()


def _tile(picture: np.ndarray, resampling: Image.Resampling) -> np.ndarray:
    """A picture in a square."""
    image = Image.fromarray(picture)
    factor = _TILE / max(image.size)
    image = image.resize([max(1, round(factor * side)) for side in image.size], resampling)
    tile = Image.new('RGB', (_TILE, _TILE), 'white')
    tile.paste(image, ((_TILE - image.width) // 2, (_TILE - image.height) // 2))
    return np.asarray(tile)
