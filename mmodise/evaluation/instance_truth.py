"""COCO's instance annotations as what mask AP compares results with."""

from __future__ import annotations

import io
import os.path as osp
import re
from collections.abc import Hashable, Mapping, Sequence
from contextlib import redirect_stdout

import numpy as np
from mmdet.datasets.api_wrappers import COCO
from pycocotools import mask as mask_utils

from ..datasets.panoptic.annotation_file import read_content
from ..datasets.panoptic.classes import ClassMatch, match_classes, respell, thing_classes
from ..datasets.panoptic.entries import check_categories, check_images, is_id, read_flag, short
from ..datasets.panoptic.findings import Findings

_LAYOUT = (
    "An instance annotation has 'image_id', 'category_id' and 'segmentation'. Give a file such as "
    'annotations/instances_val2017.json of COCO; or panoptic annotations, by ann_file and '
    'seg_prefix, the folder of their maps.')


class InstanceTruth:
    """The instances of annotated images, and the classes that they are of.

    Args:
        ann_file (str): A file in the layout of COCO's instance annotations. Areas, boxes and
            ``iscrowd`` need not be there; ids of annotations do not matter.
        backend_args (dict, optional): As mmdet's. Defaults to None.
        with_masks (bool): Whether instances must have masks. Defaults to True.
        is_annotated (bool): Whether there must be annotations. Defaults to True.

    Raises:
        FileNotFoundError: If it is not there.
        ValueError: If it is not valid.
    """

    def __init__(
        self,
        ann_file: str,
        backend_args: dict | None = None,
        with_masks: bool = True,
        is_annotated: bool = True,
    ) -> None:
        findings = Findings(ann_file)
        content = read_content(ann_file, backend_args)
        _complete_names(content['images'])
        self.path = ann_file
        self.images = check_images(content, findings)
        self.categories = check_categories(content, findings)
        self._with_masks = with_masks
        if is_annotated and not content.get('annotations'):
            findings.error("file without 'annotations'", advice=_LAYOUT)
        self._by_image = self._check_annotations(content, findings)
        findings.raise_errors()
        findings.tell()
        self._by_name: dict[str, dict | None] = {}
        for image in self.images.values():
            stem = _stem(image['file_name'])
            self._by_name[stem] = None if stem in self._by_name else image

    def take_names(self, classes: Sequence[str]) -> None:
        """Call the categories as classes that are in the order of their ids.

        Nothing is done if there are not as many, or if more than one of a hundred is another name.
        """
        categories = sorted(self.categories, key=lambda category: category['id'])
        if len(categories) != len(classes):
            return
        pairs = list(zip(categories, classes, strict=True))
        others = [category for category, name in pairs if _letters(name) not in (
            _letters(category['name']), _letters(re.sub(r'\(.*\)', '', category['name'])))]
        if len(others) <= len(classes) // 100:
            for category, name in pairs:
                category['name'] = name

    def match(self, metainfo: Mapping) -> ClassMatch:
        """Find the categories that are the things of a metainfo, by name."""
        findings = Findings(self.path)
        match = match_classes(
            thing_classes(metainfo), respell(self.categories, metainfo), findings)
        findings.raise_errors()
        findings.tell()
        return match

    def read(self, sample: Mapping) -> list[dict]:
        """COCO's annotations of an image.

        Args:
            sample (Mapping): ``img_id``, ``height`` and ``width``; perhaps ``img_path``.

        Raises:
            ValueError: If the file does not know the image, or as one of another size.
        """
        image_id, size = sample['img_id'], (sample['height'], sample['width'])
        image = self.find(sample)
        said = image.get('height', size[0]), image.get('width', size[1])
        if said != size:
            raise ValueError(
                f'{image["file_name"]} has {size[1]} x {size[0]} pixels, and by {self.path} '
                f'{said[1]} x {said[0]}: its masks are of another size, or turned.')
        found = self._by_image.get(image['id'], [])
        return found if image['id'] == image_id else [
            dict(annotation, image_id=image_id) for annotation in found]

    def check_images(self, samples: Sequence[Mapping]) -> None:
        """Look for images before any is tested.

        Args:
            samples (Sequence[Mapping]): Each with ``img_id`` and ``img_path``.

        Raises:
            ValueError: If the file does not list one of them; counts them.
        """
        missing = []
        for sample in samples:
            try:
                self.find(sample)
            except ValueError:
                missing.append(sample['img_path'])
        if missing:
            raise ValueError(
                f'{len(missing)} of {len(samples)} images that are to be tested are not listed in '
                f'{self.path}, the first is {missing[0]}. Was it made of another split?')

    def find(self, sample: Mapping) -> dict:
        """The entry of an image: the only one of its name, endings aside, else that of its id.

        The files of a data set may number images differently.

        Raises:
            ValueError: If the file does not know the image.
        """
        image_id, stem = sample['img_id'], _stem(sample.get('img_path', ''))
        image = self.images.get(image_id)
        if stem and (image is None or _stem(image['file_name']) != stem):
            image = self._by_name.get(stem) or image
        if image is None:
            raise ValueError(f'The image with id {image_id!r} is tested, and {self.path} does not '
                             'list it: the metric needs annotations of the images that are tested.')
        return image

    def _check_annotations(self, content: Mapping, findings: Findings) -> dict[Hashable, list]:
        by_image, category_ids = {}, {category['id'] for category in self.categories}
        for entry in content.get('annotations', ()):
            image_id, category_id = (
                entry.get(key) if isinstance(entry, dict) else None
                for key in ('image_id', 'category_id'))
            if not is_id(category_id) or category_id not in category_ids:
                findings.error("annotations whose 'category_id' is not in 'categories'",
                               short(entry), _LAYOUT)
            elif not is_id(image_id) or image_id not in self.images:
                findings.warning("annotations of images that 'images' does not list",
                                 short(image_id), 'They are left out.')
            elif self._is_complete(entry, findings):
                by_image.setdefault(image_id, []).append(entry)
        return by_image

    def _is_complete(self, entry: dict, findings: Findings) -> bool:
        """Complete an annotation; False if it cannot be used."""
        where, masks = f'of image {entry["image_id"]!r}', entry.get('segmentation')
        flag = entry.get('iscrowd')
        entry['iscrowd'] = 0 if flag is None else read_flag(flag)
        if entry['iscrowd'] is None:
            findings.error("annotations whose 'iscrowd' is neither 0 nor 1",
                           f'{short(flag)} {where}')
        if not (masks if self._with_masks else entry.get('bbox')):
            key = 'segmentation' if self._with_masks else 'bbox'
            findings.error(f'annotations without {key!r}', short(entry), _LAYOUT)
        if isinstance(masks, list):
            # as arrays they take a third of the memory
            entry['segmentation'] = [np.array(part, float) for part in masks if len(part) >= 6]
            if self._with_masks and masks and not entry['segmentation']:
                findings.warning('annotations whose polygons have less than three points',
                                 short(entry), 'They are left out.')
                return False
        return True


def index_instances(
    categories: Sequence[Mapping], images: Sequence[Mapping], annotations: Sequence[Mapping]
) -> COCO:
    """Make COCO's index of annotations; what can be made of their masks is made.

    Annotations are numbered from 1: COCO's evaluation takes 0 for "no match".

    Args:
        categories (Sequence[Mapping]): COCO's.
        images (Sequence[Mapping]): COCO's, with ``height`` and ``width``.
        annotations (Sequence[Mapping]): COCO's, ``area`` and ``bbox`` may be left out.
    """
    coco = COCO()
    coco.dataset = dict(categories=categories, images=images, annotations=[
        dict(annotation, id=number) for number, annotation in enumerate(annotations, start=1)])
    with redirect_stdout(io.StringIO()):  # it prints that it does
        coco.createIndex()
    for annotation in coco.dataset['annotations']:
        if annotation.get('segmentation') and not (
                annotation.get('area') and annotation.get('bbox')):
            mask = coco.annToRLE(annotation)
            annotation['area'] = annotation.get('area') or float(mask_utils.area(mask))
            annotation['bbox'] = annotation.get('bbox') or mask_utils.toBbox(mask).tolist()
        elif not annotation.get('area'):
            annotation['area'] = annotation['bbox'][2] * annotation['bbox'][3]
    return coco


def _complete_names(images: Sequence) -> None:
    """Name the pictures that only have an address, as those of LVIS."""
    for image in images:
        if isinstance(image, dict) and not image.get('file_name') and image.get('coco_url'):
            image['file_name'] = '/'.join(str(image['coco_url']).split('/')[-2:])


def _stem(path: str) -> str:
    return osp.splitext(osp.basename(path.replace('\\', '/')))[0]


def _letters(name: str) -> str:
    return re.sub(r'[\W_]', '', name).casefold()
