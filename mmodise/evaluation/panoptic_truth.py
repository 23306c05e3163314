"""COCO's panoptic annotations as what the metrics compare results with."""

from __future__ import annotations

import os
import os.path as osp
from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from weakref import WeakValueDictionary

from mmengine.fileio import LocalBackend, get_file_backend

from ..datasets.panoptic.annotation_file import read_panoptic_file
from ..datasets.panoptic.classes import (
    ClassMatch,
    check_classes,
    match_classes,
    respell,
)
from ..datasets.panoptic.file_names import FolderListings, refuse_missing, result_names
from ..datasets.panoptic.findings import Findings
from ..datasets.panoptic.orientation import check_same_size
from ..datasets.panoptic.segments import Segments, read_segments

_KEPT = 8  # maps: a batch's, which one metric after the other asks for


class PanopticTruth:
    """The segments of annotated images, and the classes that they are of.

    Metrics of one process that ask for the same files share what is read.

    Args:
        ann_file (str): COCO's panoptic JSON file.
        seg_prefix (str, optional): The folder of its maps. Defaults to None, with which nothing can
            be read.
        backend_args (dict, optional): As mmdet's. Defaults to None.

    Raises:
        FileNotFoundError: If the file is not there, or all of its maps are not.
        ValueError: If the file is not valid, or with ``seg_prefix`` has no annotations.
    """

    def __init__(
        self, ann_file: str, seg_prefix: str | None = None, backend_args: dict | None = None
    ) -> None:
        key = (_stamp(ann_file), seg_prefix, repr(backend_args))
        maps = _SHARED.get(key)
        if maps is None:
            maps = _SHARED[key] = _Maps(ann_file, seg_prefix, backend_args)
        self._maps, self.file = maps, maps.file

    def match(self, metainfo: Mapping, num_classes: int | None = None) -> ClassMatch:
        """Find the categories that are the classes of a metainfo, by name.

        Args:
            metainfo (Mapping): Of a data set.
            num_classes (int, optional): How many of its first classes count. Defaults to None, all.

        Raises:
            ValueError: If names are spelt differently, or none fits.
        """
        findings = Findings(self.file.path)
        self._match = match_classes(
            check_classes(metainfo)[:num_classes], respell(self.file.categories, metainfo),
            findings, self.file.count_uses())
        findings.raise_errors()
        findings.tell()
        return self._match

    def read(self, sample: Mapping) -> Segments | None:
        """Read the segments of an image that are of one of the classes.

        Args:
            sample (Mapping): A result, with ``img_id``, and perhaps ``img_path`` and ``ori_shape``.

        Returns:
            Segments | None: Each with what the file says of it, and its ``label``; the rest is
            void. None if the image has no annotation.

        Raises:
            ValueError: If the file does not know the image, or the map cannot be used.
        """
        image_id, path = sample['img_id'], sample.get('img_path', '')
        if image_id not in self.file.images:
            raise ValueError(
                f'The image {path} with id {image_id!r} is tested, and {self.file.path} does not '
                'list it: the metric needs the ann_file of the data set that is tested.')
        if image_id not in self.file.annotations:
            return None
        segments, map_path = self._maps.read(image_id)
        shape = tuple(sample.get('ori_shape', segments.shape)[:2])
        check_same_size(path, shape, map_path, segments.shape)
        labels = [self._match.labels.get(info['category_id']) for info in segments.infos]
        kept = [place for place, label in enumerate(labels) if label is not None]
        segments = segments.keep(kept) if len(kept) < len(labels) else segments
        return replace(segments, infos=tuple(
            dict(info, label=labels[place])
            for place, info in zip(kept, segments.infos, strict=True)))

    def check_images(self, samples: Sequence[Mapping]) -> None:
        """Look for images and their maps before any is tested.

        Args:
            samples (Sequence[Mapping]): Each with ``img_id`` and ``img_path``.

        Raises:
            FileNotFoundError: If maps are missing; counts them.
            ValueError: If the file does not list one of the images.
        """
        strays = [sample['img_path'] for sample in samples
                  if sample['img_id'] not in self.file.images]
        if strays:
            raise ValueError(
                f'{len(strays)} of {len(samples)} images that are to be tested are not listed in '
                f'{self.file.path}, the first is {strays[0]}. Was it made of another split?')
        self._maps.look_for([sample['img_id'] for sample in samples
                             if sample['img_id'] in self.file.annotations])

    def labels_without_pixels(self, image_id: Hashable, segments: Segments) -> list[int]:
        """Labels of what the file lists for an image, no groups, and its map does not show."""
        shown = {info['id'] for info in segments.infos}
        return [self._match.labels[info['category_id']] for info in self.file.segments(image_id)
                if info['id'] not in shown and not info['iscrowd']
                and info['category_id'] in self._match.labels]

    def result_name(self, image_id: Hashable) -> str:
        """What the PNG file with the result of an image is called."""
        return self._maps.result_names[image_id]


class _Maps:
    """Maps of one annotation file; the last ones are kept."""

    def __init__(self, ann_file: str, folder: str | None, backend_args: dict | None) -> None:
        self.file = read_panoptic_file(ann_file, backend_args)
        self.result_names = result_names(
            {key: image['file_name'] for key, image in self.file.images.items()})
        self._folder, self._backend_args = folder, backend_args
        self._listings, self._last, self._told = FolderListings(), OrderedDict(), set()
        backend = get_file_backend(ann_file, backend_args=backend_args)
        self._is_local = isinstance(backend, LocalBackend)
        if folder is not None:
            self._check(folder)

    def _check(self, folder: str) -> None:
        findings = Findings(self.file.path)
        self.file.check_join(findings)
        findings.raise_errors()
        names = [self.file.map_name(image_id) for image_id in self.file.annotations]
        if self._is_local and not any(self._listings.find(folder, name) for name in names):
            raise FileNotFoundError(
                f'None of the {len(names)} maps that {self.file.path} names, such as {names[0]!r}, '
                f'is in seg_prefix={folder!r}.')

    def look_for(self, image_ids: Sequence[Hashable]) -> None:
        names = map(self.file.map_name, image_ids)
        if self._is_local and self._folder is not None:
            refuse_missing(
                [name for name in names if not self._listings.find(self._folder, name)],
                len(image_ids), f'maps that {self.file.path} names', self._folder)

    def read(self, image_id: Hashable) -> tuple[Segments, str]:
        """The segments of an image, and the path of its map."""
        name = self.file.map_name(image_id)
        path = self._listings.find(self._folder, name) if self._is_local else None
        path = path or osp.join(self._folder, name)
        key = _stamp(path)
        if key not in self._last:
            findings = Findings(path)
            self._last[key] = read_segments(
                path, self.file.segments(image_id), findings, backend_args=self._backend_args)
            findings.tell(self._told)
            if len(self._last) > _KEPT:
                self._last.popitem(last=False)
        return self._last[key], path


_SHARED: WeakValueDictionary[tuple, _Maps] = WeakValueDictionary()


def _stamp(path: str) -> tuple:
    """A path and the state of the file, if it is on a local disk."""
    try:
        state = os.stat(path)
    except OSError:
        return (path, )
    return path, state.st_mtime_ns, state.st_size
