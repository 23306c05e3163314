"""What the metrics of an evaluation take beside the model, on drawn pictures."""

from __future__ import annotations

import json
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from mmdet.evaluation import INSTANCE_OFFSET
from mmdet.registry import METRICS
from mmengine.evaluator import BaseMetric
from mmengine.structures import InstanceData
from panopticapi.utils import id2rgb
from PIL import Image

from ..utils.masks import bounding_box, encode_masks
from .report import ascii_table

_METRICS = {
    'PQ': dict(type='OpenVocabularyPanopticMetric', areas='file'),
    'AP': dict(type='OpenVocabularyInstanceMetric'),
    'mIoU': dict(type='OpenVocabularySemanticMetric'),
    'recall': dict(type='ClassAgnosticMetric')}


class DrawnSet:
    """Pictures of the size of COCO's with segments drawn at random, and results for them.

    Args:
        root (Path): Where the annotations are written.
        num_classes (int): Three in five are things.
        images (int): How many. Defaults to 4.
        size (tuple[int, int]): Height and width. Defaults to COCO's, 480 x 640.
        segments (int): Of a picture, annotated and predicted. Defaults to 15.
        instances (int): That are predicted. Defaults to 100.
    """

    def __init__(
        self,
        root: Path,
        num_classes: int,
        images: int = 4,
        size: tuple[int, int] = (480, 640),
        segments: int = 15,
        instances: int = 100,
    ) -> None:
        names = tuple(f'class {number}' for number in range(num_classes))
        things = names[:-(-3 * num_classes // 5)]
        self.metainfo = dict(
            classes=names, thing_classes=things, stuff_classes=names[len(things):])
        self._root, self._size, self._segments = root, size, segments
        self._instances = instances
        self.truth = [self._draw(image) for image in range(images)]
        self._write()

    def metrics(self) -> dict[str, BaseMetric]:
        """The metrics of the paper's tables, by name."""
        files = dict(ann_file=str(self._root / 'panoptic.json'), seg_prefix=str(self._root))
        built = {}
        for name, config in _METRICS.items():
            if name == 'AP':
                own = dict(ann_file=str(self._root / 'instances.json'))
            else:
                own = files if name != 'mIoU' else dict(seg_prefix=str(self._root / 'maps'))
            built[name] = METRICS.build(dict(config, **own))
            built[name].dataset_meta = self.metainfo
        return built

    def result(self, image: int) -> dict:
        """What a model might say of a picture: most of it right, a few pixels off."""
        random = np.random.default_rng(image)
        numbers, labels = self.truth[image]
        shifted = np.roll(numbers, (3, -4), (0, 1))
        labels = np.where(random.random(len(labels)) < 0.7, labels, self._labels(random))
        things = labels < len(self.metainfo['thing_classes'])
        ids = labels + INSTANCE_OFFSET * (np.arange(len(labels)) + 1) * things
        masks = [np.roll(numbers == random.integers(self._segments),
                         random.integers(-9, 10, 2), (0, 1)) for _ in range(self._instances)]
        return dict(
            img_id=image, img_path=f'{image}.jpg', ori_shape=self._size,
            pred_panoptic_seg=dict(
                sem_seg=torch.from_numpy(ids[shifted])[None].int(),
                ignore_index=len(self.metainfo['classes'])),
            pred_sem_seg=dict(sem_seg=torch.from_numpy(labels[shifted])[None]),
            pred_instances=InstanceData(
                masks=torch.from_numpy(np.array(masks)),
                bboxes=torch.zeros(len(masks), 4),
                scores=torch.from_numpy(random.random(len(masks), np.float32)),
                labels=torch.from_numpy(random.integers(
                    len(self.metainfo['thing_classes']), size=len(masks)))))

    def _labels(self, random: np.random.Generator) -> np.ndarray:
        return random.integers(len(self.metainfo['classes']), size=self._segments)

    def _draw(self, image: int) -> tuple[np.ndarray, np.ndarray]:
        """Ragged regions around random points, (H, W), and their labels."""
        random = np.random.default_rng(1000 + image)
        rows, columns = np.indices(self._size, dtype=np.float32)
        rows += 9 * np.sin(columns / 7)
        points = random.random((self._segments, 2)) * self._size
        distances = [(rows - y)**2 + (columns - x)**2 for y, x in points]
        return np.argmin(distances, axis=0), self._labels(random)

    def _write(self) -> None:
        (self._root / 'maps').mkdir(parents=True)
        height, width = self._size
        names, things = self.metainfo['classes'], self.metainfo['thing_classes']
        content = dict(
            images=[dict(id=i, file_name=f'{i}.jpg', height=height, width=width)
                    for i in range(len(self.truth))],
            categories=[dict(id=i + 1, name=name, isthing=int(name in things))
                        for i, name in enumerate(names)])
        annotations, instances = [], []
        for image, (numbers, labels) in enumerate(self.truth):
            Image.fromarray(id2rgb(numbers + 1)).save(self._root / f'{image}.png')
            kind = np.uint8 if len(names) <= 255 else np.uint16
            Image.fromarray(labels[numbers].astype(kind)).save(self._root / f'maps/{image}.png')
            infos = []
            for number in np.unique(numbers).tolist():
                mask = numbers == number
                infos.append(dict(id=number + 1, category_id=int(labels[number]) + 1, iscrowd=0,
                                  area=int(mask.sum()), bbox=bounding_box(mask)))
                if labels[number] < len(things):
                    rle, = encode_masks(mask[None])
                    instances.append(dict(infos[-1], id=len(instances) + 1, image_id=image,
                                          segmentation=dict(rle, counts=rle['counts'].decode())))
            annotations.append(dict(
                image_id=image, file_name=f'{image}.png', segments_info=infos))
        self._dump('panoptic', content, annotations=annotations)
        self._dump('instances', content, annotations=instances,
                   categories=content['categories'][:len(things)])

    def _dump(self, name: str, content: Mapping, **more: list) -> None:
        (self._root / f'{name}.json').write_text(json.dumps(dict(content, **more)))


def time_metrics(drawn: DrawnSet, repeats: int = 3, advance: Callable = lambda: None) -> dict:
    """Seconds an image of each metric, by name, the median; maps are read anew for each image."""
    metrics, seconds = drawn.metrics(), defaultdict(list)
    for repeat in range(repeats + 1):  # the first is not timed
        for image in range(len(drawn.truth)):
            result = drawn.result(image)
            for name, metric in metrics.items():
                start = time.perf_counter()
                metric.process({}, [result])
                if repeat:
                    seconds[name].append(time.perf_counter() - start)
                metric.results.clear()
            advance()
    return {name: statistics.median(found) for name, found in seconds.items()}


def table(costs: Mapping[int, Mapping[str, float]], whole: float | None = None) -> str:
    """A line a metric, a column a number of classes; milliseconds an image.

    Args:
        costs (Mapping[int, Mapping[str, float]]): Seconds by classes and metric.
        whole (float, optional): Seconds of the model, of which the sum is a share.
    """
    sums = {classes: sum(found.values()) for classes, found in costs.items()}
    names = next(iter(costs.values()))
    rows = [['ms an image', *(f'{classes} classes' for classes in costs)],
            *([name, *(f'{1000 * found[name]:.1f}' for found in costs.values())]
              for name in names)]
    if whole is None:
        return ascii_table([*rows, ['all', *(f'{1000 * value:.1f}' for value in sums.values())]])
    return ascii_table([
        *rows, ['all', *(f'{1000 * value:.1f}' for value in sums.values())],
        ["of the model's time", *(f'{100 * value / whole:.2f} %' for value in sums.values())]])
