"""The annotation of a picture becomes a map, in any process, as a whole or not at all."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import ExifTags, Image, ImageOps
from PIL.PngImagePlugin import PngInfo

from ...utils import WholeFileBackend
from ...utils.masks import bounding_box
from ..panoptic import Finding, Findings
from ..panoptic.orientation import check_orientation, check_size
from .annotated import AnnotatedImage, AnnotationError, ExistingMap
from .painting import Rules, paint
from .pictures import shown_size

_KEY = 'segments_info'  # of the text in a PNG, by which a run that was stopped goes on


class Job(NamedTuple):
    """A picture that is to be converted.

    Args:
        image (AnnotatedImage): The picture and its annotation.
        target (Path): The map that is written.
        rules (Rules): Who covers whom.
    """

    image: AnnotatedImage
    target: Path
    rules: Rules


class Converted(NamedTuple):
    """What became of a picture.

    Args:
        size (tuple[int, int]): Width and height, as it is shown.
        infos (Sequence[dict]): Of each segment, with ``name`` for ``category_id``.
        findings (list[Finding]): What is told.
        error (str): Why it could not be converted, or ''.
    """

    size: tuple[int, int] = (0, 0)
    infos: Sequence[dict] = ()
    findings: Sequence[Finding] = ()
    error: str = ''


def convert(job: Job) -> Converted:
    """Convert a picture, unless an earlier run did."""
    findings = Findings(job.image.where)
    try:
        size, infos = _convert(job, findings)
    except (ValueError, FileNotFoundError) as error:
        where = job.image.where
        text = str(error)
        return Converted(error=text if where.split(',')[0] in text else f'{where}: {text}')
    return Converted(size, infos, list(findings))


def _convert(job: Job, findings: Findings) -> tuple[tuple[int, int], Sequence[dict]]:
    image, read = job.image, job.image.read
    shown, stored, orientation = shown_size(image.path)
    if isinstance(read, ExistingMap):
        check_size(str(image.path), shown[::-1], str(read.path))
        return shown, [info for info in read.infos if info['name'] not in job.rules.void]
    done = read_written(job.target)
    if done is not None:
        return shown, done
    size = image.size or shown
    if tuple(size) not in (shown, stored):
        raise AnnotationError(
            f'{image.where}: it is annotated at {size[0]} x {size[1]}, the picture {image.path} '
            f'has {shown[0]} x {shown[1]} pixels. Take the picture that was annotated.')
    shape = size[1], size[0]
    ids, infos = paint(read(shape, findings), shape, job.rules, findings)
    if tuple(size) != shown:
        ids = _turn(ids, orientation)
        findings.warning('pictures annotated as they are stored, and not as EXIF says they are '
                         'shown', str(image.path), 'Their maps are turned with them.')
        infos = [_turned_box(info, ids) for info in infos]
    else:
        check_orientation(str(image.path), shape, findings)
    write_segment_map(ids, list(infos), job.target)
    return shown, infos


def _turn(ids: np.ndarray, orientation: int) -> np.ndarray:
    picture = Image.fromarray(ids)  # int32
    picture.getexif()[ExifTags.Base.Orientation] = orientation
    return np.asarray(ImageOps.exif_transpose(picture))


def _turned_box(info: dict, ids: np.ndarray) -> dict:
    return dict(info, bbox=bounding_box(ids == info['id']))


def write_segment_map(ids: np.ndarray, infos: Any, target: Path) -> None:
    """Write a panoptic map as a whole, which also holds what its segments are.

    Args:
        ids (ndarray): The id of each pixel, (H, W), 0 is void.
        infos (Any): What JSON can hold; :func:`read_written` returns it.
        target (Path): A PNG.
    """
    colours = np.stack([ids & 255, ids >> 8 & 255, ids >> 16 & 255], axis=-1).astype(np.uint8)
    text, file = PngInfo(), io.BytesIO()
    text.add_text(_KEY, json.dumps(infos))
    Image.fromarray(colours).save(file, 'PNG', pnginfo=text)
    WholeFileBackend().put(file.getvalue(), target)


def read_written(target: Path) -> Any:
    """What a map says of its segments, if :func:`write_segment_map` wrote it, and wholly."""
    with suppress(OSError, KeyError, ValueError), Image.open(target) as image:
        return json.loads(image.text[_KEY])
    return None
