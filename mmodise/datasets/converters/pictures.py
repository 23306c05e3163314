"""Pictures of a folder: where they are, how large they are shown, which split they belong to."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import BinaryIO
from urllib.parse import unquote

from PIL import Image

from ..panoptic import FolderListings
from ..panoptic.orientation import read_orientation
from .annotated import AnnotationError

PICTURES = ('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.tif', '.tiff')
_ENDS, _TAIL = {'JPEG': b'\xff\xd9', 'MPO': b'\xff\xd9', 'PNG': b'IEND'}, 64
_SPLITS = dict(train='train', training='train', val='val', valid='val', validation='val',
               test='test', testing='test')


class PictureFolder:
    """The files below a folder.

    Args:
        root (Path): The folder.
        leave_out (Path, optional): One below it that does not count, such as that of the results.
    """

    def __init__(self, root: Path, leave_out: Path | None = None) -> None:
        self.root = root
        self._listings = FolderListings()
        self.files: list[Path] = []
        for folder, folders, names in os.walk(root, followlinks=True):
            folders[:] = sorted(name for name in folders if not name.startswith('.') and (
                leave_out is None or Path(folder, name).resolve() != leave_out.resolve()))
            self.files += [Path(folder, name) for name in sorted(names) if name[0] != '.']
        self.pictures = [path for path in self.files if path.suffix.lower() in PICTURES]
        self._by_name: dict[str, list[Path]] = defaultdict(list)
        for path in self.pictures:
            self._by_name[path.name.casefold()].append(path)

    def find(self, name: str, bases: Iterable[Path], where: str) -> Path:
        """The picture that an annotation names.

        Args:
            name (str): As the annotation has it: from one of ``bases`` on, or a path on another
                machine, whose end is looked for in the whole folder.
            bases (Iterable[Path]): Where names may begin, the likeliest first.
            where (str): The file and the entry, for messages.

        Raises:
            AnnotationError: If there is none, or several that it may be.
        """
        for base in bases:
            found = self._listings.find(str(base), name)
            found = found and Path(os.path.normpath(found))
            if found and found.is_file():
                return found
        end = PurePosixPath(unquote(name.replace('\\', '/').split('?')[0])).parts
        candidates = self._by_name.get(end[-1].casefold(), []) if end else []
        best = max((_common_end(path, end) for path in candidates), default=0)
        candidates = [path for path in candidates if _common_end(path, end) == best]
        if len(candidates) == 1:
            return candidates[0]
        raise AnnotationError(
            f'{where}: the picture {name!r} ' + (
                f'may be {candidates[0]} or {candidates[1]}. Name it from its folder on.'
                if candidates else f'is nowhere below {self.root}. Put it there, or take the entry '
                                   'out; --images DIR says where pictures are.'))


def shown_size(path: Path) -> tuple[tuple[int, int], tuple[int, int], int]:
    """Width and height of a picture as it is shown, as it is stored, and its EXIF orientation.

    Raises:
        AnnotationError: If it is no picture, or was cut short.
    """
    try:
        with path.open('rb') as file, Image.open(file) as image:
            stored = image.size
            if not _has_end(file, image.format):
                image.load()  # fails, unless something was written behind the end
            file.seek(0)
            orientation = read_orientation(file)[0]
    except Exception as error:  # Pillow has many kinds
        raise AnnotationError(
            f'{path} cannot be read; it is no image, or was cut short ({error}).') from error
    return stored[::-1] if orientation > 4 else stored, stored, orientation


def _has_end(file: BinaryIO, picture_format: str | None) -> bool:
    """Whether a file ends as those of its format; decoding it takes a hundred times as long."""
    file.seek(-min(_TAIL, os.fstat(file.fileno()).st_size), os.SEEK_END)
    return _ENDS.get(picture_format, b'none') in file.read()


def split_of(*names: str | Path) -> str:
    """The split that a file belongs to, by its folders and its name; '' if they do not say.

    The first of ``names`` that says something counts, of a path the last part.
    """
    for name in names:
        for part in reversed(PurePosixPath(str(name).replace('\\', '/')).parts):
            words = re.findall(r'[a-z]+', PurePosixPath(part).stem.lower())
            found = {_SPLITS[word] for word in words if word in _SPLITS}
            if len(found) == 1:
                return found.pop()
    return ''


def folder_split(path: Path, root: Path) -> str:
    """The split that a picture belongs to, by the folders between it and the root alone."""
    parents = path.relative_to(root).parent if path.is_relative_to(root) else Path()
    found = [_SPLITS[part.lower()] for part in parents.parts if part.lower() in _SPLITS]
    return found[-1] if found else ''


def _common_end(path: Path, end: tuple[str, ...]) -> int:
    pairs = zip(reversed(path.parts), reversed(end), strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a.casefold() != b.casefold()),
                min(len(path.parts), len(end)))
