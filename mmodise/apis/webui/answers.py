"""What a page answers to its visitors."""

from __future__ import annotations

import logging
import tempfile
import threading
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from mmengine.logging import print_log

from ...utils.optional import import_optional
from ..exports import FORMATS
from ..inferencer import ODISEInferencer
from ..panoptic_result import PanopticResult
from ..segment import Segment
from .limits import Limits
from .open_pictures import OpenPicture, OpenPictures

#: Titles of the table of segments.
COLUMNS = ('No.', 'Class', 'Kind', 'Score', 'Share', 'What else it might be')
_SHOWN_SIDE = 480  # pixels that the shorter side of a picture is drawn with, at least
_DIMMED = 0.35


@dataclass(frozen=True)
class Question:
    """What a visitor asks of a picture.

    Args:
        things (str): Names of things.
        stuff (str): Names of stuff.
        named (Sequence[str]): Names of vocabularies.
        numbers (Mapping[str, float]): ``alpha``, ``beta`` and ``threshold``, see
            :class:`ODISEInferencer`.
    """

    things: str
    stuff: str
    named: Sequence[str]
    numbers: Mapping[str, float]


class Answers:
    """Answers questions about pictures, each visitor's about the visitor's own.

    Args:
        inferencer (ODISEInferencer): The model.
        limits (Limits): What is taken.
    """

    def __init__(self, inferencer: ODISEInferencer, limits: Limits) -> None:
        self.inferencer, self.limits = inferencer, limits
        self.pictures = OpenPictures(limits.max_open, limits.max_age)
        self._computing = threading.Lock()

    def ask(self, visitor: str, path: str, question: Question) -> OpenPicture:
        """Find names in a picture; the networks run only if it is not open.

        Raises:
            OSError: If the picture cannot be read.
            ValueError: If it is too large, or the names are not valid.
        """
        vocabulary = self.limits.read_vocabulary(
            question.things, question.stuff, question.named, self.inferencer.vocabulary)
        picture = self.pictures.get(visitor)
        if picture is None or picture.path != path:
            self.pictures.drop(visitor)
            image = self.limits.read_picture(path)
            with self._computing:  # a model takes all cores, and memory for one
                session = self.inferencer.open(image)
            picture = self.pictures.put(visitor, path, session)
        with self._computing:
            result = picture.session(vocabulary, **question.numbers)
        picture.result = replace(result, path=Path(path).name)  # what files call the picture
        picture.drawn = picture.result.plot(legend=False, min_side=_SHOWN_SIDE)
        return picture

    def last(self, visitor: str) -> OpenPicture:
        """The visitor's picture with its last answer.

        Raises:
            ValueError: If it is not kept any more.
        """
        picture = self.pictures.get(visitor)
        if picture is None or picture.result is None:
            raise ValueError('This picture is not open any more. Ask again.')
        return picture

    def write(self, visitor: str, format_name: str) -> str:
        """Write the last answer in a format of :data:`FORMATS`, as a zip if it is several files.

        Returns:
            str: The file, in a new temporary folder.
        """
        result = self.last(visitor).result
        folder = Path(tempfile.mkdtemp(dir=tempfile.gettempdir()))
        stem = f'segments{FORMATS[format_name].suffix}'
        files = result.save(folder / f'{stem}{FORMATS[format_name].endings[0]}', format_name)
        if len(files) == 1:
            return str(files[0])
        with zipfile.ZipFile(folder / f'{stem}.zip', 'w', zipfile.ZIP_DEFLATED) as archive:
            for file in files:
                archive.write(file, file.name)
        return archive.filename


def list_segments(result: PanopticResult) -> list[list]:
    """Rows of the table of segments, the largest first."""
    return [[
        segment.id, segment.name, 'thing' if segment.is_thing else 'stuff',
        f'{segment.score:.0%}', f'{segment.area / result.segment_ids.size:.1%}',
        ', '.join(f'{name} {score:.0%}' for name, score in segment.runners_up[:3])]
        for segment in sorted(result.segments, key=lambda segment: -segment.area)]


def candidates(segment: Segment) -> dict[str, float]:
    """What a segment is, and what else it might be, with scores."""
    return {segment.name: segment.score, **dict(segment.runners_up)}


def segment_at(picture: OpenPicture, x: int, y: int) -> Segment | None:
    """The segment that is drawn at a pixel of the drawn picture; None for void."""
    height, width = picture.result.segment_ids.shape
    shown_height, shown_width = picture.drawn.shape[:2]
    row = min(y * height // shown_height, height - 1)
    column = min(x * width // shown_width, width - 1)
    return find_segment(picture.result, int(picture.result.segment_ids[row, column]))


def find_segment(result: PanopticResult, number: int) -> Segment | None:
    """The segment of a number; None if there is none."""
    return next((segment for segment in result.segments if segment.id == number), None)


def highlight(picture: OpenPicture, segment: Segment | None) -> np.ndarray:
    """The drawn picture, all but a segment dimmed; as it is for None."""
    if segment is None:
        return picture.drawn
    shown_height, shown_width = picture.drawn.shape[:2]
    mask = picture.result.segment_ids == segment.id
    rows = np.arange(shown_height) * mask.shape[0] // shown_height
    columns = np.arange(shown_width) * mask.shape[1] // shown_width
    mask = mask[rows][:, columns]
    return np.where(mask[..., None], picture.drawn, (_DIMMED * picture.drawn).astype(np.uint8))


@contextmanager
def told_in_words(path: str | None = None) -> Iterator[None]:
    """Make a message for the visitor of what goes wrong inside; names of server files are kept.

    Args:
        path (str, optional): The visitor's file, which is called by its name alone.
    """
    gradio = import_optional('gradio', extra='webui')
    try:
        yield
    except (ValueError, OSError) as error:
        text = str(error)
        if path:
            text = text.replace(path, Path(path).name)
        elif isinstance(error, OSError):
            print_log(f'{error}', 'current', logging.ERROR)
            text = 'The server could not read or write a file. Its log says more.'
        raise gradio.Error(_plain(text), title='', print_exception=False) from error


def _plain(text: str) -> str:
    """Text that is no HTML, as messages are shown as such."""
    return text.replace('&', '&amp;').replace('<', '&lt;').replace('>', '&gt;')
