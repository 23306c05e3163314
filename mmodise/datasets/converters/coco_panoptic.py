"""Panoptic annotations that are there already: they are used as they are."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ..panoptic import FolderListings, PanopticFile, read_panoptic_file
from ..panoptic.entries import read_flag
from .annotated import AnnotatedImage, AnnotationError, ExistingMap, Source
from .pictures import PictureFolder, folder_split, split_of


def read_coco_panoptic(
    paths: Sequence[Path], folder: PictureFolder, images: Path | None = None
) -> Source:
    """Read panoptic annotation files, of one split each.

    Args:
        paths (Sequence[Path]): The JSON files; maps are in a folder of the same name, or of
            another known place.
        folder (PictureFolder): Where pictures are looked for.
        images (Path, optional): Where ``file_name`` begins. Defaults to None, known places.

    Raises:
        ValueError: If a file or an entry is not valid, or a map or picture is not there.
    """
    files = [read_panoptic_file(str(path)) for path in paths]
    categories = [category for file in files for category in file.categories]
    flags = {category['name'].strip(): read_flag(category.get('isthing'))
             for category in categories}
    stuff = None if None in flags.values() else tuple(
        name for name, flag in flags.items() if not flag)
    source = Source([], tuple(flags), paths, stuff)
    listings = FolderListings()
    for path, file in zip(paths, files, strict=True):
        file.check_join(source.findings)
        source.findings.raise_errors()
        for image_id in file.annotations:
            source.images.append(_image(path, file, image_id, folder, images, listings))
    return source


def _image(
    path: Path, file: PanopticFile, image_id, folder: PictureFolder, images: Path | None,
    listings: FolderListings,
) -> AnnotatedImage:
    image, where = file.images[image_id], f'{path}, {file.entry(image_id)}'
    short = path.stem.removeprefix('panoptic_')
    above = path.parent.parent if path.parent != folder.root else folder.root
    bases = [images] if images else [
        above / short, above / 'images' / short, path.parent / short, path.parent,
        above / 'images', above, folder.root]
    picture = folder.find(image['file_name'], bases, where)
    infos = tuple(dict(info, name=_name(file, info)) for info in file.segments(image_id))
    found = find_map(path, file.map_name(image_id), listings, where)
    size = (image['width'], image['height']) if {'width', 'height'} <= set(image) else None
    split = split_of(path.stem) or folder_split(picture, folder.root)
    return AnnotatedImage(picture, split, ExistingMap(found, infos), size, where)


def _name(file: PanopticFile, info: dict) -> str:
    return next(category['name'].strip() for category in file.categories
                if category['id'] == info['category_id'])


def find_map(path: Path, name: str, listings: FolderListings, where: str) -> Path:
    """Find a map, in the folders where known tools put them.

    Args:
        path (Path): The annotation file.
        name (str): The map, as the file names it.
        listings (FolderListings): Of the folders.
        where (str): The file and the entry, for messages.

    Raises:
        AnnotationError: If it is in none of them.
    """
    folders = [path.with_suffix(''), path.parent, path.parent.parent / path.stem,
               path.parent / 'panoptic', path.parent.parent]
    for folder in folders:
        found = listings.find(str(folder), name)
        if found:
            return Path(os.path.normpath(found))
    raise AnnotationError(
        f'{where}: its map {name!r} is not in {", ".join(map(str, folders[:3]))}.')
