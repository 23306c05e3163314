"""The check of one image and its map: each is read, decoded and looked at once."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from mmengine.fileio import get
from PIL import Image

from ..panoptic.findings import Findings
from ..panoptic.orientation import check_orientation, header_orientation, shown_shape
from ..panoptic.segment_map import MapError, unreadable
from ..panoptic.segments import compare_box, read_segments

MIN_SIDE = 32  # pixels; what is smaller is odd
MAX_ASPECT = 5  # long side by short side; what is longer is odd
_SURE = ('JPEG', 'MPO', 'PNG', 'BMP', 'TIFF', 'WEBP')  # formats that every OpenCV reads
_PLAIN = ('RGB', 'L', 'P', '1')  # kinds of pictures that lose nothing when they become colours


class Sample(NamedTuple):
    """What there is to check of an image.

    Args:
        entry (str): How messages call it.
        image_path (str | None): None if it is not there.
        map_path (str | None): None if it is not there, or there are no maps.
        shape (tuple): ``height`` and ``width`` of the annotation file, or None.
        infos (Sequence[Mapping]): Of its segments.
        backend_args (dict | None): As in mmengine's ``fileio``.
    """

    entry: str
    image_path: str | None
    map_path: str | None
    shape: tuple[int | None, int | None]
    infos: Sequence[Mapping]
    backend_args: dict | None


class SampleCheck(NamedTuple):
    """What was found.

    Args:
        findings (list[Findings]): Of the image and of its map.
        content (bytes | None): The same for image files with the same bytes.
        is_usable (bool): Whether image and map can be read and go together.
    """

    findings: list[Findings]
    content: bytes | None
    is_usable: bool


def check_sample(sample: Sample) -> SampleCheck:
    """Read an image and its map, once, and look for what is wrong or odd."""
    of_image = Findings(sample.image_path or sample.entry)
    of_map = Findings(sample.map_path or sample.entry)
    shape, content = None, None
    if sample.image_path:
        shape, content = _check_image(sample, of_image)
    if sample.map_path:
        _check_map(sample, shape, of_map)
    findings = [found for found in (of_image, of_map) if any(found)]
    is_usable = shape is not None and bool(sample.map_path) and not any(
        finding.is_error for found in findings for finding in found)
    return SampleCheck(findings, content, is_usable)


def _check_image(
    sample: Sample, findings: Findings
) -> tuple[tuple[int, int] | None, bytes | None]:
    """Height and width, None if it cannot be read, and a hash of the file."""
    path, digest = sample.image_path, None
    try:
        content = get(path, backend_args=sample.backend_args)
        digest = hashlib.blake2b(content, digest_size=16).digest()
        image = Image.open(io.BytesIO(content))
        header, mode, shape = header_orientation(image), image.mode, shown_shape(image)
        image.draft('L', (1, 1))  # of a JPEG all bytes are read, and few pixels made
        image.load()
    except Exception as error:  # Pillow has many kinds
        findings.error('images that cannot be read', unreadable(path, error))
        return None, digest
    try:
        if sample.map_path:
            check_orientation(path, shape, findings, header)
    except MapError as error:
        findings.error(error.what, str(error))
    _check_kind(image, mode, content, findings)
    _check_shape(shape, sample, findings)
    return shape, digest


def _check_kind(image: Image.Image, mode: str, content: bytes, findings: Findings) -> None:
    if image.format not in _SURE and cv2.imdecode(
            np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) is None:
        findings.error('images of a format that OpenCV cannot read', str(image.format),
                       'It is what loads them: save them as JPEG or PNG.')
    if mode not in _PLAIN:
        findings.warning(
            'images that are not colours or grey of 8 bits', mode, 'They become such: without '
            'transparency, and with 8 of 16 bits.')
    if getattr(image, 'n_frames', 1) > 1 and image.format != 'MPO':
        findings.warning('images with several pictures', f'{image.n_frames}',
                         'Only the first is used.')


def _check_shape(shape: tuple[int, int], sample: Sample, findings: Findings) -> None:
    size = f'{shape[1]} x {shape[0]} pixels'
    if None not in sample.shape and shape != sample.shape:
        findings.warning(
            "images whose 'width' and 'height' are not the picture's",
            f'{sample.shape[1]} x {sample.shape[0]}, {size}', 'The picture is what counts.')
    if min(shape) < MIN_SIDE:
        findings.warning(f'tiny images: a side of less than {MIN_SIDE} pixels', size,
                         'Is it a thumbnail?')
    if max(shape) > MAX_ASPECT * min(shape):
        findings.warning(
            f'images of an extreme shape: one side more than {MAX_ASPECT} times the other', size,
            'Scaled to the size of training, little is left of the short side.')


def _check_map(sample: Sample, shape: tuple[int, int] | None, findings: Findings) -> None:
    try:
        segments = read_segments(
            sample.map_path, sample.infos, findings, shape, sample.image_path or '',
            sample.backend_args)
    except MapError as error:
        findings.error(error.what, str(error))
        return
    except OSError as error:
        findings.error('maps that cannot be read', unreadable(sample.map_path, error))
        return
    for info, area, box in zip(
            segments.infos, segments.areas.tolist(), segments.boxes(), strict=True):
        if area == 1:
            findings.warning('segments of one pixel', f'segment {info["id"]}',
                             'Was it a slip of the pen?')
        if info.get('bbox') is not None:
            left, top, width, height = info['bbox']
            compare_box(info['id'], [left, top, left + width, top + height], box, findings)
    if not sample.infos:
        findings.warning('images without a segment', sample.entry, 'All of them is void.')
