"""Answers questions about pictures, each visitor's about the visitor's own."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..exports import FORMATS
from ..inferencer import ODISEInferencer
from .answer import Answer
from .limits import Limits
from .open_pictures import OpenPicture, OpenPictures


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
    """Answers the visitors of a page.

    Args:
        inferencer (ODISEInferencer): The model.
        limits (Limits): What is taken.
        folder (Path): Where files are made.
    """

    def __init__(self, inferencer: ODISEInferencer, limits: Limits, folder: Path) -> None:
        self.inferencer, self.limits, self.folder = inferencer, limits, folder
        self.pictures = OpenPictures(limits.max_open, limits.max_age)

    def ask(self, visitor: str, path: str, question: Question) -> Answer:
        """Find names in a picture; the networks run only if it is not open.

        Raises:
            OSError: If the picture cannot be read.
            ValueError: If it is too large, or the names are not valid.
        """
        vocabulary = self.limits.read_vocabulary(
            question.things, question.stuff, question.named, self.inferencer.vocabulary)
        picture, note = self.pictures.get(visitor), ''
        if picture is None or picture.path != path:
            picture, note = self._open(visitor, path)
        result = picture.session(vocabulary, **question.numbers)
        if not result.segments:
            note = f'{note} Nothing was found. Lower the threshold, or add names.'.strip()
        picture.answer = Answer(replace(result, path=Path(path).name), note)  # for names of files
        return picture.answer

    def last(self, visitor: str) -> Answer:
        """The last answer to a visitor.

        Raises:
            ValueError: If it is not kept any more.
        """
        picture = self.pictures.get(visitor)
        if picture is None or picture.answer is None:
            raise ValueError('This picture is not open any more. Press Find to open it again.')
        return picture.answer

    def write(self, visitor: str, format_name: str) -> str:
        """Write the last answer in a format of :data:`FORMATS`, as a zip if it is several files.

        Returns:
            str: The file.
        """
        result = self.last(visitor).result
        saved = FORMATS[format_name]
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        stem = f'{Path(result.path).stem}{saved.suffix or "_segments"}'
        files = result.save(folder / f'{stem}{saved.endings[0]}', format_name)
        if len(files) == 1:
            return str(files[0])
        with zipfile.ZipFile(folder / f'{stem}.zip', 'w', zipfile.ZIP_DEFLATED) as archive:
            for file in files:
                archive.write(file, file.name)
        return archive.filename

    def _open(self, visitor: str, path: str) -> tuple[OpenPicture, str]:
        self.pictures.drop(visitor)  # before there are two
        image, note = self.limits.read_picture(path)
        return self.pictures.put(visitor, path, self.inferencer.open(image)), note
