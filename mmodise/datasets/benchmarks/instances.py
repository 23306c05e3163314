"""Instances whose truth is federated: not every class is annotated in every image."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from mmdet.datasets import CocoDataset

from ..panoptic import FolderListings
from ..panoptic.annotation_file import read_content


class FederatedInstanceDataset(CocoDataset):
    """mmdet's ``CocoDataset`` for LVIS and what is annotated like it.

    Labels are in the order of the categories' ids, whatever the order of the file and the spelling
    of names. Samples also have ``neg_labels``, classes that are verified to be absent, and
    ``not_exhaustive_labels``, of which not all instances are annotated; what is of neither and has
    no instance is not judged. Images without an instance are kept in tests.

    Args:
        **kwargs: As for :class:`mmdet.datasets.CocoDataset`.

    Raises:
        FileNotFoundError: When built, if the annotation file or images are not there.
        ValueError: When built, if the file is not valid or has other categories.
    """

    def load_data_list(self) -> list[dict]:
        """One sample per image of the annotation file, in the order of ids."""
        content = read_content(self.ann_file, self.backend_args)
        self._take_categories(sorted(content['categories'], key=lambda entry: entry['id']))
        annotations = defaultdict(list)
        for annotation in content.get('annotations', []):
            annotations[annotation['image_id']].append(annotation)
        images = sorted(content['images'], key=lambda image: image['id'])
        strays = annotations.keys() - {image['id'] for image in images}
        if strays:
            raise ValueError(f'{self.ann_file}: {len(strays)} images have annotations and are not '
                             f'listed, such as {min(strays, key=str)}.')
        self.cat_img_map = self._map_categories(annotations)
        data_list = [self._sample(image, annotations[image['id']]) for image in images]
        self._look_for([sample['img_path'] for sample in data_list])
        return data_list

    def file_name(self, image: Mapping) -> str:
        """Where the picture of an image is, from ``data_prefix.img`` on."""
        return image['file_name']

    def _take_categories(self, categories: Sequence[Mapping]) -> None:
        classes = self._metainfo['classes']
        if len(categories) != len(classes):
            raise ValueError(f'{self.ann_file} has {len(categories)} categories, and '
                             f'{type(self).__name__} {len(classes)} classes.')
        self.cat_ids = [category['id'] for category in categories]
        self.cat2label = {cat_id: label for label, cat_id in enumerate(self.cat_ids)}

    def _map_categories(self, annotations: Mapping) -> dict:
        found = defaultdict(set)
        for image_id, entries in annotations.items():
            for entry in entries:
                if entry['category_id'] not in self.cat2label:
                    raise ValueError(f'{self.ann_file}: an annotation of image {image_id} has the '
                                     f'unknown category_id {entry["category_id"]}.')
                found[entry['category_id']].add(image_id)
        return {cat_id: list(found[cat_id]) for cat_id in self.cat_ids}

    def _sample(self, image: Mapping, annotations: Sequence[Mapping]) -> dict:
        sample = self.parse_data_info(dict(
            raw_img_info=dict(image, img_id=image['id'], file_name=self.file_name(image)),
            raw_ann_info=annotations))
        sample.update(neg_labels=self._labels(image, 'neg_category_ids'),
                      not_exhaustive_labels=self._labels(image, 'not_exhaustive_category_ids'))
        if self.return_classes:
            sample.update(text=self._metainfo.get('thing_classes', self._metainfo['classes']))
        return sample

    def _labels(self, image: Mapping, key: str) -> list[int]:
        return sorted(self.cat2label[cat_id] for cat_id in image.get(key, ()))

    def _look_for(self, paths: Sequence[str]) -> None:
        listings = FolderListings()
        missing = [path for path in paths if not listings.has(path)]
        if missing:
            raise FileNotFoundError(
                f'{len(missing)} of {len(paths)} images that {self.ann_file} asks for are not '
                f'there, the first is {missing[0]}. Check data_root and data_prefix.img='
                f'{self.data_prefix["img"]!r}.')
