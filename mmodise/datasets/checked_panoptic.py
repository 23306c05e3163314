"""Panoptic data sets in COCO's layout, whose errors name the files."""

import json
import os
import os.path as osp
from collections.abc import Iterable
from contextlib import suppress

from mmdet.datasets import CocoPanopticDataset
from mmdet.registry import DATASETS
from mmengine.fileio import LocalBackend, get_file_backend
from mmengine.utils import is_abs
from PIL import ExifTags, Image, UnidentifiedImageError

from mmodise.datasets.caption_file import join_captions, read_captions


@DATASETS.register_module()
class CheckedPanopticDataset(CocoPanopticDataset):
    """mmdet's ``CocoPanopticDataset``, which tells of bad files early and by their names.

    When it is built it looks for all images and annotation maps that it will use, by listing each
    folder once. When it loads a sample, the annotation map must be of the image's size, and
    whatever goes wrong is reported with the names of both files. What is not on a local disk is
    not checked.

    Args:
        caption_file (str, optional): Captions of the images in COCO's layout, for caption
            supervision; see :func:`read_captions`. Samples then have ``captions``, joined by image
            id. Starts at ``data_root``. Defaults to None.
        **kwargs: As for :class:`mmdet.datasets.CocoPanopticDataset`.

    Raises:
        FileNotFoundError: When built, if files are missing; names the first of them.
        ValueError: When built, if the annotation file is no JSON, the captions file not valid, or
            one of another split.
    """

    def __init__(self, *args, caption_file: str | None = None, **kwargs) -> None:
        self.caption_file = caption_file
        super().__init__(*args, **kwargs)

    def _join_prefix(self) -> None:
        super()._join_prefix()
        if self.caption_file and self.data_root and not is_abs(self.caption_file):
            self.caption_file = osp.join(self.data_root, self.caption_file)

    def full_init(self) -> None:
        """As the parent's; an annotation file that was cut short is named."""
        try:
            super().full_init()
        except json.JSONDecodeError as error:
            raise ValueError(f'{self.ann_file} is no JSON, or was cut short: {error}') from error

    def load_data_list(self) -> list[dict]:
        """As the parent's, with captions if there is a file of them."""
        data_list = super().load_data_list()
        if self.caption_file:
            content = read_captions(self.caption_file, self.backend_args)
            join_captions(data_list, self.ann_file, self.caption_file, content)
        return data_list

    def filter_data(self) -> list[dict]:
        """As the parent's, after which the files of what is left are looked for."""
        self.data_list = super().filter_data()
        used = self.data_list
        if self._indices is not None:
            used = self._get_unserialized_subset(self._indices)
        if self._is_local():
            self._look_for('images', 'img', [info['img_path'] for info in used])
            self._look_for('annotation maps', 'seg', [
                info['seg_map_path'] for info in used if info['seg_map_path']])
        return self.data_list

    def prepare_data(self, idx: int) -> dict | None:
        """Load a sample and pass it through the pipeline.

        Raises:
            ValueError: If that fails; names the file that is bad, or both.
        """
        info = self.get_data_info(idx)
        files = [path for path in (info['img_path'], info['seg_map_path']) if path]
        if len(files) == 2 and self._is_local():
            _check_size(*files)
        try:
            return self.pipeline(info)
        except Exception as error:
            bad = [reason for path in files if (reason := _why_unreadable(path))]
            raise ValueError(
                bad[0] if bad else f'The pipeline fails at {" and ".join(files)}: {error!r}'
            ) from error

    def _is_local(self) -> bool:
        backend = get_file_backend(self.data_prefix['img'], backend_args=self.backend_args)
        return isinstance(backend, LocalBackend)

    def _look_for(self, what: str, prefix: str, paths: list[str]) -> None:
        missing = missing_files(paths)
        if missing:
            raise FileNotFoundError(
                f'{len(missing)} of {len(paths)} {what} that {self.ann_file} asks for are not in '
                f'data_prefix.{prefix}={self.data_prefix[prefix]!r}: {", ".join(missing[:3])}'
                f'{", ..." if len(missing) > 3 else ""}. Check data_root and data_prefix (an '
                "annotation map is called like its image, with '.png' for '.jpg'), or take them "
                'out of the annotation file.')


def missing_files(paths: Iterable[str]) -> list[str]:
    """Paths at which there is nothing; lists each folder once instead of looking at each file."""
    listings: dict[str, set[str]] = {}
    missing = []
    for path in paths:
        folder, name = osp.split(path)
        if folder not in listings:
            listings[folder] = set(os.listdir(folder or '.')) if osp.isdir(folder or '.') else set()
        if name not in listings[folder]:
            missing.append(path)
    return missing


def _check_size(image_path: str, map_path: str) -> None:
    """Compare what the headers of the two files say; what has none is left to the pipeline."""
    with suppress(UnidentifiedImageError), Image.open(image_path) as image:
        sizes = [image.size]
        if image.getexif().get(ExifTags.Base.Orientation, 1) >= 5:  # stored lying on its side
            sizes.append(image.size[::-1])
        with Image.open(map_path) as annotation:
            if annotation.size not in sizes:
                raise ValueError(
                    f'{image_path} has {image.width} x {image.height} pixels, its annotation map '
                    f'{map_path} {annotation.width} x {annotation.height}. They must be the same: '
                    'resize both or neither.')


def _why_unreadable(path: str) -> str | None:
    try:
        with Image.open(path) as image:
            image.load()
    except Exception as error:  # Pillow has many kinds
        return (
            f'{path} cannot be read; it is no image, or was cut short ({error}). Replace it, or '
            'take the image out of the annotation file.')
    return None
