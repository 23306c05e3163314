"""Masks in COCO's panoptic layout: a JSON, and a PNG for each picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from ..converters.coco_panoptic import find_map
from ..panoptic import Findings, FolderListings, read_panoptic_file, read_segments
from ..panoptic.segment_map import unreadable
from .picture_masks import MaskEntry, MaskFileError, PictureMasks, Shape


def read_panoptic_masks(path: Path) -> Iterator[MaskEntry]:
    """Read and check panoptic annotations; the classes of their segments do not count.

    Args:
        path (Path): The JSON. PNGs lie beside it or in a folder of its name.

    Raises:
        MaskFileError: If a PNG cannot be read.
        ValueError: If the JSON is not valid, or a PNG is missing.
    """
    file = read_panoptic_file(str(path))
    findings = Findings(str(path))
    file.check_join(findings)
    findings.raise_errors()
    findings.tell()
    listings = FolderListings()
    for image_id in file.annotations:
        map_path = find_map(
            path, file.map_name(image_id), listings, f'{path}, {file.entry(image_id)}')
        read = partial(_read, str(map_path), file.segments(image_id))
        yield MaskEntry(
            file.images[image_id]['file_name'], _header_shape(map_path), read, path)


def is_panoptic(path: Path) -> bool:
    """Whether a JSON file is in COCO's panoptic layout, without parsing it."""
    return b'"segments_info"' in path.read_bytes()


def _header_shape(path: Path) -> Shape:
    try:
        with Image.open(path) as image:
            return image.size[::-1]
    except (OSError, UnidentifiedImageError) as error:
        raise MaskFileError(unreadable(str(path), error)) from error


def _read(path: str, infos: Sequence[dict], shape: Shape) -> PictureMasks:
    findings = Findings(path)
    segments = read_segments(path, infos, findings, shape)
    findings.tell()
    return PictureMasks(segments.masks(range(len(segments.infos))).view(bool))
