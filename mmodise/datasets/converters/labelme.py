"""LabelMe's annotations: a JSON per picture, with shapes."""

from __future__ import annotations

import base64
import io
import json
import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from ..panoptic import Findings
from ..panoptic.entries import short
from .annotated import AnnotatedImage, AnnotationError, Segment, Source
from .masks import draw_polygons
from .pictures import PICTURES, PictureFolder, folder_split

#: Labels that are no classes: what they cover is what lies below.
NO_CLASSES = ('__ignore__', '_background_')
_WITHOUT_AREA = ('line', 'linestrip', 'point', 'points')
_CIRCLE_POINTS = 128


def read_labelme(
    paths: Sequence[Path], folder: PictureFolder, images: Path | None = None
) -> Source:
    """Read LabelMe's files; shapes of one label with the same ``group_id`` are one object.

    Args:
        paths (Sequence[Path]): The JSON files.
        folder (PictureFolder): Where pictures are looked for; those without a file are not
            annotated, which is told. A ``labels.txt`` in it gives the order of the classes.
        images (Path, optional): Where ``imagePath`` begins if not at the file. Defaults to None.

    Raises:
        ValueError: If a file or an entry is not valid.
    """
    source = Source([], (), paths)
    names = dict.fromkeys(_listed_labels(folder))
    for path in paths:
        content = _read(path)
        names.update(dict.fromkeys(_label(shape, path) for shape in content['shapes']))
        picture = _picture(path, content, folder, images)
        size = content.get('imageWidth'), content.get('imageHeight')
        shapes = [{key: shape.get(key) for key in (
            'label', 'points', 'group_id', 'shape_type', 'mask')} for shape in content['shapes']]
        source.images.append(AnnotatedImage(
            picture, folder_split(picture, folder.root),
            partial(read_shapes, shapes=shapes, path=str(path)),
            None if None in size else size, str(path)))
    source.classes = tuple(name for name in names if name not in NO_CLASSES)
    _tell_unannotated(source, folder)
    return source


def read_shapes(
    shape: tuple[int, int], findings: Findings, shapes: Sequence[Mapping], path: str
) -> list[Segment]:
    """Draw the objects of a picture, in the order of their first shapes."""
    masks = {}
    for place, entry in enumerate(shapes):
        label, kind = entry['label'].strip(), entry['shape_type'] or 'polygon'
        where = f'{path}, shape {place} ({kind} {label!r})'
        if label in NO_CLASSES:
            continue
        mask = _draw(entry, kind, shape, where)
        if mask is None or not mask.any():
            findings.warning('shapes without an area', where, 'They are left out.')
            continue
        group = entry['group_id']
        key = label, place if group is None else f'group {group}'
        masks[key] = masks[key] | mask if key in masks else mask
    return [Segment(label, mask) for (label, _), mask in masks.items()]


def _draw(entry: Mapping, kind: str, shape: tuple[int, int], where: str) -> np.ndarray | None:
    points = _points(entry, where)
    if kind in _WITHOUT_AREA:
        return None
    if kind in ('polygon', 'oriented_rectangle'):
        return draw_polygons([points.ravel().tolist()], shape, where)
    if kind not in ('rectangle', 'circle', 'mask'):
        raise AnnotationError(f'{where}: shapes of this type are not known.')
    if len(points) != 2:
        raise AnnotationError(f'{where}: expected two points, found {len(points)}.')
    if kind == 'rectangle':
        (left, top), (right, bottom) = points
        return draw_polygons(
            [[left, top, right, top, right, bottom, left, bottom]], shape, where)
    if kind == 'circle':
        angles = np.linspace(0, 2 * math.pi, _CIRCLE_POINTS, endpoint=False)
        around = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        outline = points[0] + math.dist(*points) * around
        return draw_polygons([outline.ravel().tolist()], shape, where)
    return _paste(entry.get('mask'), points, shape, where)


def _paste(
    encoded: str | None, points: np.ndarray, shape: tuple[int, int], where: str
) -> np.ndarray:
    """The mask of a patch between two corners, both of which belong to it."""
    try:
        patch = np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))))
    except Exception as error:
        raise AnnotationError(f"{where}: its 'mask' is no PNG in base64 ({error}).") from error
    patch = (patch if patch.ndim == 2 else patch[..., :3].max(axis=2)) > 0
    (left, top), (right, bottom) = np.sort(points, axis=0).astype(int).tolist()
    if patch.shape != (bottom + 1 - top, right + 1 - left):
        raise AnnotationError(
            f'{where}: its mask has {patch.shape[1]} x {patch.shape[0]} pixels, between its points '
            f'are {right + 1 - left} x {bottom + 1 - top}.')
    mask = np.zeros(shape, dtype=bool)
    x, y = max(left, 0), max(top, 0)
    seen = patch[y - top:shape[0] - top, x - left:shape[1] - left] if (
        x < shape[1] and y < shape[0] and right >= 0 and bottom >= 0) else patch[:0, :0]
    mask[y:y + seen.shape[0], x:x + seen.shape[1]] = seen
    return mask


def _points(entry: Mapping, where: str) -> np.ndarray:
    try:
        points = np.array(entry['points'], dtype=float)
    except (TypeError, ValueError):
        points = np.zeros(0)
    if points.ndim != 2 or points.shape[1] != 2 or not np.isfinite(points).all():
        raise AnnotationError(f'{where}: its points are {short(entry["points"])}. Expected pairs '
                              'of finite numbers.')
    return points


def _read(path: Path) -> dict:
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:
        raise AnnotationError(f'{path} is no JSON, or was cut short: {error}') from error
    if not isinstance(content, dict) or not isinstance(content.get('shapes'), list):
        raise AnnotationError(f"{path} has no list 'shapes', as LabelMe's files have.")
    return content


def _label(shape: Mapping, path: Path) -> str:
    label = shape.get('label') if isinstance(shape, Mapping) else None
    if not isinstance(label, str) or not label.strip():
        raise AnnotationError(f"{path}: the shape {short(shape)} has no 'label'.")
    return label.strip()


def _listed_labels(folder: PictureFolder) -> list[str]:
    listed = [path for path in folder.files if path.name == 'labels.txt']
    if not listed:
        return []
    lines = listed[0].read_text(encoding='utf-8-sig').splitlines()
    return [line.strip() for line in lines if line.strip()]


def _picture(
    path: Path, content: Mapping, folder: PictureFolder, images: Path | None
) -> Path:
    name = content.get('imagePath')
    bases = [base for base in (images, path.parent) if base is not None]
    try:
        return folder.find(str(name or path.with_suffix('.jpg').name), bases, str(path))
    except AnnotationError:  # both were given another name together
        beside = [other for other in folder.pictures if other.stem == path.stem
                  and other.parent == path.parent and other.suffix.lower() in PICTURES]
        if len(beside) != 1:
            raise
        return beside[0]


def _tell_unannotated(source: Source, folder: PictureFolder) -> None:
    annotated = {image.path.resolve() for image in source.images}
    others = [path for path in folder.pictures if path.resolve() not in annotated]
    for path in others:
        source.findings.warning('pictures without a JSON file', path.name,
                                'They are not annotated, and left out.')
