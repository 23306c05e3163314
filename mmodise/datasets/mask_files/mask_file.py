"""Masks of pictures from a file, of any of the formats, or from a folder of such files."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from pathlib import Path

from ..panoptic.annotation_file import read_json
from ..panoptic.orientation import turning_hint
from .coco import read_coco_masks
from .npz import read_npz_masks
from .panoptic import is_panoptic, read_panoptic_masks
from .picture_masks import MaskEntry, MaskFileError, PictureMasks, Shape
from .picture_names import PictureNames

_FORMATS = (
    "Masks are COCO's panoptic JSON with its PNGs, COCO's instances or results (JSON, run lengths "
    'or polygons), or arrays by the names of pictures (NPZ).')


class MaskFile:
    """Masks by pictures; what can be wrong with a file is found when it is opened.

    Pictures are found by their names, see :class:`PictureNames`. Of several files each picture is
    in one, and the folders of the files are those of the pictures, as ``predict`` writes them.

    Args:
        source (str | Path): A file; a folder, of which all files of masks are read; or a pattern.
        images (str | Path, optional): For COCO's results, which name pictures by their ids: a JSON
            file with COCO's list ``images``. Defaults to None.

    Raises:
        FileNotFoundError: If there is no such file.
        MaskFileError: If a file is of no such format, or an entry is not valid.
    """

    def __init__(self, source: str | Path, images: str | Path | None = None) -> None:
        self.source = os.fspath(source)
        self._images = None if images is None else Path(images)
        #: The files that were read, without the PNGs of panoptic annotations.
        self.files = list(_list_files(self.source))
        is_one = os.path.isfile(self.source)
        entries = [entry for path in self.files for entry in self._read(path, is_one)]
        if not entries:
            raise MaskFileError(f'{self.source} has masks of no picture. {_FORMATS}')
        self._names = PictureNames(
            ((entry.name if is_one else _below(entry), entry) for entry in entries), self.source)

    def find(self, picture: str) -> MaskEntry:
        """The entry of a picture.

        Args:
            picture (str): Its path.

        Raises:
            MaskFileError: If there is none, or several may be meant; names some that look like it.
        """
        entry = self._names.find(picture if '://' in picture else os.path.abspath(picture))
        if entry is None:
            raise MaskFileError(
                f'{picture}: {self.source} has no picture of this name; it has '
                f'{", ".join(map(repr, self._names.near(picture)))}. Rename the picture, or list '
                'it there without masks.')
        return entry

    def read(self, picture: str, shape: Shape) -> PictureMasks:
        """The masks of a picture.

        Args:
            picture (str): Its path.
            shape (tuple[int, int]): Its height and width, as it is shown.

        Raises:
            MaskFileError: If there are none, or they are of another size.
            ValueError: If they cannot be read.
        """
        entry = self.find(picture)
        if entry.shape is not None and tuple(entry.shape) != tuple(shape):
            raise MaskFileError(
                f'{picture} has {shape[1]} x {shape[0]} pixels, its masks in {entry.file} '
                f'{entry.shape[1]} x {entry.shape[0]}. They must be the same: resize both or '
                f'neither.{turning_hint(picture)}')
        return entry.read(tuple(shape))

    def _read(self, path: Path, is_one: bool) -> Iterator[MaskEntry]:
        if path.suffix.lower() == '.npz':
            return read_npz_masks(path)
        if is_panoptic(path):
            return read_panoptic_masks(path)
        content = read_json(str(path))
        if not is_one and not isinstance(content, list) and 'annotations' not in content:
            return iter(())  # another JSON of a folder, such as a table of results
        return read_coco_masks(path, content, self._images)


def _list_files(source: str) -> Iterator[Path]:
    if os.path.isfile(source):
        yield Path(source)
    elif os.path.isdir(source) or glob.has_magic(source):
        pattern = os.path.join(glob.escape(source), '**') if os.path.isdir(source) else source
        found = sorted(path for path in map(Path, glob.iglob(pattern, recursive=True))
                       if path.suffix.lower() in ('.json', '.npz') and path.is_file())
        if not found:
            raise FileNotFoundError(f'{source}: there are no masks. {_FORMATS}')
        yield from found
    else:
        raise FileNotFoundError(f'{source}: there is no such file of masks. {_FORMATS}')


def _below(entry: MaskEntry) -> str | int:
    if isinstance(entry.name, int):
        return entry.name
    return f'{entry.file.parent.as_posix()}/{entry.name}'
