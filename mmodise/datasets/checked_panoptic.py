"""Panoptic data sets in COCO's layout, whose errors name the files."""

import os.path as osp
from collections.abc import Hashable, Mapping

from mmdet.datasets import CocoPanopticDataset
from mmdet.registry import DATASETS
from mmengine.fileio import LocalBackend, get_file_backend
from mmengine.utils import is_abs
from PIL import Image

from .caption_file import join_captions, read_captions
from .panoptic.annotation_file import PanopticFile, read_panoptic_file
from .panoptic.classes import (
    ClassMatch,
    check_classes,
    complete_metainfo,
    match_classes,
    respell,
    thing_classes,
)
from .panoptic.file_names import FolderListings
from .panoptic.findings import Findings
from .panoptic.labels import FILL, swap_fill, void_label
from .panoptic.orientation import check_size
from .panoptic.segment_map import MapError, unreadable
from .transforms import LoadPanopticAnnotations
from .transforms.pillow_resize import refuse_bytes_only


@DATASETS.register_module()
class CheckedPanopticDataset(CocoPanopticDataset):
    """mmdet's ``CocoPanopticDataset``, which takes nothing on trust and names what is wrong.

    When it is built it checks the annotation file and looks for all images and annotation maps
    that it will use, by listing each folder once. When it loads a sample, the map must be of the
    image's size, and whatever goes wrong is reported with the names of both files. What is not on
    a local disk is not looked for.

    It differs in this:

    - Labels go by name: the place of a category's name in the metainfo's ``classes``, whatever
      the order of the file. A class that only one of them has is left out, and told; the metainfo
      says what is a thing. If it does not, the file does, and the metainfo is completed.
    - The map of an image is the one that its annotation names.
    - Images without an annotation are left out, and counted; if all are, that is an error.
    - Areas and boxes need not be in the file.
    - There may be more than 255 classes: then void is the number of classes, and not 255.

    Args:
        caption_file (str, optional): Captions of the images in COCO's layout, for caption
            supervision; see :func:`read_captions`. Samples then have ``captions``, joined by image
            id. Starts at ``data_root``. Defaults to None.
        **kwargs: As for :class:`mmdet.datasets.CocoPanopticDataset`. ``data_prefix.seg`` may be
            None where there are no annotations, as for COCO's test images.

    Raises:
        FileNotFoundError: When built, if files are missing; names the first of them.
        ValueError: When built, if the annotation file or the metainfo is not valid, or if they do
            not go together; if the captions file is not valid, or one of another split.
    """

    def __init__(self, *args, caption_file: str | None = None, **kwargs) -> None:
        self.caption_file = caption_file
        super().__init__(*args, **kwargs)

    @classmethod
    def _load_metainfo(cls, metainfo: Mapping | None = None) -> dict:
        """As the parent's; things and stuff of other classes than the given ones are no default."""
        loaded = super()._load_metainfo(metainfo)
        if metainfo and 'classes' in metainfo:
            for key in {'thing_classes', 'stuff_classes'}.difference(metainfo):
                loaded.pop(key, None)
        return loaded

    def _join_prefix(self) -> None:
        self.data_prefix = {
            'img': '', **{key: value for key, value in self.data_prefix.items() if value}}
        super()._join_prefix()
        if self.caption_file and self.data_root and not is_abs(self.caption_file):
            self.caption_file = osp.join(self.data_root, self.caption_file)

    def full_init(self) -> None:
        """As the parent's, once the metainfo is checked."""
        if not self._fully_initialized:
            self._void = void_label(len(check_classes(self._metainfo)))
            if self._void != FILL:
                refuse_bytes_only(self.pipeline.transforms)
            self._listings = FolderListings()
            super().full_init()
            del self._listings

    def load_data_list(self) -> list[dict]:
        """One sample per image that is annotated, with captions if there is a file of them."""
        findings = Findings(self.ann_file)
        file = read_panoptic_file(self.ann_file, self.backend_args, findings)
        findings.raise_errors()
        match, image_ids = self.join(file, findings)
        findings.raise_errors()
        findings.tell()
        self.cat2label = match.labels
        self.cat_ids = [key for key in match.category_ids if key is not None]
        data_list = [
            self.parse_data_info(dict(
                raw_img_info=dict(file.images[image_id], img_id=image_id,
                                  segm_file=file.map_name(image_id)),
                raw_ann_info=file.segments(image_id)))
            for image_id in image_ids]
        if self.caption_file:
            content = read_captions(self.caption_file, self.backend_args)
            join_captions(data_list, self.ann_file, self.caption_file, content)
        return data_list

    def join(self, file: PanopticFile, findings: Findings) -> tuple[ClassMatch, list[Hashable]]:
        """Find the classes in an annotation file, and the images that will be used.

        The metainfo is completed. What does not go together goes to ``findings``.

        Raises:
            ValueError: If neither the metainfo nor the file says what is a thing.
        """
        self._metainfo = complete_metainfo(self._metainfo, file.categories, self.ann_file)
        self._num_things = len(thing_classes(self._metainfo))
        match = self._match_classes(file, findings)
        self.has_maps = 'seg' in self.data_prefix and (file.is_annotated or not self.test_mode)
        images = self._annotated(file, match, findings) if self.has_maps else list(file.images)
        return match, images

    def _match_classes(self, file: PanopticFile, findings: Findings) -> ClassMatch:
        return match_classes(
            self._metainfo['classes'], respell(file.categories, self._metainfo), findings,
            file.count_uses())

    def _annotated(self, file: PanopticFile, match: ClassMatch, findings: Findings) -> list:
        file.check_join(findings)
        annotations = file.annotations.values()
        if annotations and not any(
                segment['category_id'] in match.labels
                for annotation in annotations for segment in annotation['segments_info']):
            findings.error('annotations, none of which has a segment of one of the classes',
                           count=len(annotations), advice='Nothing could be learned or evaluated.')
        return [image_id for image_id in file.images if image_id in file.annotations]

    def parse_data_info(self, raw_data_info: dict) -> dict:
        """Make a sample of an image and its annotation.

        Args:
            raw_data_info (dict): ``raw_img_info`` with ``img_id`` and ``segm_file``, and
                ``raw_ann_info``, a list of segments.

        Returns:
            dict: As mmdet's; instances have a ``bbox`` if the file has. Segments of categories
            that are no classes are only in ``left_out_segments``, by their ids.
        """
        image, metainfo = raw_data_info['raw_img_info'], self._metainfo
        path = self._locate('img', image['file_name'])
        height, width = _size(image, path)
        info = dict(
            img_path=path, img_id=image['img_id'], height=height, width=width,
            seg_map_path=self._locate('seg', image['segm_file']) if self.has_maps else None,
            instances=[], segments_info=[], left_out_segments=[])
        if self.return_classes:
            info.update(text=metainfo['thing_classes'], stuff_text=metainfo['stuff_classes'],
                        custom_entities=True)
        for segment in raw_data_info['raw_ann_info']:
            label = self.cat2label.get(segment['category_id'])
            if label is None:
                info['left_out_segments'].append(segment['id'])
                continue
            is_thing = label < self._num_things and not segment['iscrowd']
            info['segments_info'].append(
                dict(id=segment['id'], category=label, is_thing=is_thing))
            if is_thing:
                info['instances'].append(dict(_box(segment), bbox_label=label, ignore_flag=0))
        return info

    def filter_data(self) -> list[dict]:
        """As the parent's, after which the files of what is left are looked for."""
        self.data_list = super().filter_data()
        if not self.data_list:
            raise ValueError(
                f'{self.ann_file}: no image is left by filter_cfg={self.filter_cfg}.')
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
        info['void_label'] = self._void
        files = [path for path in (info['img_path'], info['seg_map_path']) if path]
        try:
            sample = self.pipeline(info)
            self._check_size(info)
        except MapError:
            raise
        except Exception as error:
            bad = [reason for path in files if (reason := _why_unreadable(path))]
            raise ValueError(
                bad[0] if bad else f'The pipeline fails at {" and ".join(files)}: {error!r}'
            ) from error
        return _restore_labels(sample, self._void)

    def _check_size(self, info: dict) -> None:
        """Look at a map that the pipeline does not read."""
        reads = any(isinstance(step, LoadPanopticAnnotations) for step in self.pipeline.transforms)
        if info['seg_map_path'] and 'ori_shape' in info and not reads and self._is_local():
            check_size(info['img_path'], info['ori_shape'], info['seg_map_path'])

    def _is_local(self) -> bool:
        backend = get_file_backend(self.data_prefix['img'], backend_args=self.backend_args)
        return isinstance(backend, LocalBackend)

    def _locate(self, prefix: str, name: str) -> str:
        """The path of a file that the annotation file names, whether it is there or not."""
        folder = self.data_prefix[prefix]
        found = self._listings.find(folder, name) if self._is_local() else None
        return found or osp.join(folder, name)

    def _look_for(self, what: str, prefix: str, paths: list[str]) -> None:
        missing = [path for path in paths if not self._listings.has(path)]
        if missing:
            near = self._listings.nearest(missing[0])
            raise FileNotFoundError(
                f'{len(missing)} of {len(paths)} {what} that {self.ann_file} asks for are not in '
                f'data_prefix.{prefix}={self.data_prefix[prefix]!r}: {", ".join(missing[:3])}'
                f'{", ..." if len(missing) > 3 else ""}. Check data_root and data_prefix (the '
                "file_name of an annotation is its map's, from there on), or take them out of the "
                f'annotation file.{f" There is {near}; names must be equal." if near else ""}')


def _size(image: Mapping, path: str) -> tuple[int | None, int | None]:
    """Height and width, of the picture if the annotation file has none, None without both."""
    if isinstance(image.get('height'), int) and isinstance(image.get('width'), int):
        return image['height'], image['width']
    try:
        with Image.open(path) as picture:
            return picture.height, picture.width
    except OSError:
        return None, None


def _box(segment: Mapping) -> dict:
    if segment.get('bbox') is None:
        return {}
    left, top, width, height = segment['bbox']
    return dict(bbox=[left, top, left + width, top + height])


def _restore_labels(sample: dict | None, void: int) -> dict | None:
    """Give the class of label 255 its label back, see :func:`swap_fill`."""
    if sample and 'gt_sem_seg' in sample.get('data_samples', ()):
        for labels in sample['data_samples'].gt_sem_seg.values():
            swap_fill(labels, void)
    elif sample and 'gt_seg_map' in sample:
        swap_fill(sample['gt_seg_map'], void)
    return sample


def _why_unreadable(path: str) -> str | None:
    try:
        with Image.open(path) as image:
            image.load()
    except Exception as error:  # Pillow has many kinds
        return unreadable(path, error)
    return None
