"""A panoptic data set of three small images, to be changed by tests before it is written."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from mmdet.registry import DATASETS, METRICS
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData, PixelData
from PIL import Image

HEIGHT, WIDTH = 24, 16
THINGS, STUFF = ('ball', 'box'), ('grass', 'sky')
CATEGORY_IDS = dict(ball=7, box=3, grass=40, sky=12)
# of each image: segment id, class, rows and columns; the rest is void
SEGMENTS = {
    1: [(1, 'ball', slice(0, 8), slice(0, 6)), (300, 'ball', slice(0, 8), slice(7, 15)),
        (70_000, 'grass', slice(12, 24), slice(0, 16)), (5, 'sky', slice(8, 12), slice(2, 16))],
    2: [(9, 'box', slice(4, 20), slice(4, 12)), (200_000, 'sky', slice(0, 4), slice(0, 16))],
    3: [(2, 'box', slice(0, 5), slice(0, 5)), (66_000, 'ball', slice(6, 16), slice(1, 9)),
        (3, 'grass', slice(16, 24), slice(0, 10)), (4, 'sky', slice(16, 24), slice(10, 16))]}
PACK = dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape'))
LOAD = (dict(type='LoadImageFromFile'), dict(type='LoadPanopticAnnotations'))
METRIC_TYPES = (
    'CocoPanopticMetric', 'OpenVocabularyPanopticMetric', 'OpenVocabularyInstanceMetric',
    'OpenVocabularySemanticMetric')
PERFECT = dict(zip(METRIC_TYPES, (100, 100, 1, 100), strict=True))


class SmallSet:
    """Change ``content``, ``ids`` and ``pictures``, then build data sets and metrics.

    Args:
        root (Path): The folder that it is written into.
    """

    def __init__(self, root: Path) -> None:
        self.root, self.ids, self.pictures, self.right = root, {}, {}, []
        self.metainfo = dict(
            classes=THINGS + STUFF, thing_classes=('ball, sphere', 'box, cube'),
            stuff_classes=('grass, lawn', 'sky'))
        annotations = []
        for image_id, segments in SEGMENTS.items():
            ids, infos, pixels, things = np.zeros((HEIGHT, WIDTH), int), [], Counter(), []
            for segment_id, name, rows, columns in segments:
                ids[rows, columns] = segment_id
                height, width = rows.stop - rows.start, columns.stop - columns.start
                infos.append(dict(
                    id=segment_id, category_id=CATEGORY_IDS[name], iscrowd=0, area=height * width,
                    bbox=[columns.start, rows.start, width, height]))
                pixels[name] += height * width
                if name in THINGS:
                    things.append((name, height * width))
            pixels['void'] = int((ids == 0).sum())
            self.ids[image_id], self.pictures[image_id] = ids, picture(image_id)
            self.right.append((dict(pixels), sorted(things)))
            annotations.append(dict(
                image_id=image_id, file_name=f'{image_id}.png', segments_info=infos))
        self.content = dict(
            images=[dict(id=i, file_name=f'{i}.jpg', height=HEIGHT, width=WIDTH) for i in SEGMENTS],
            annotations=annotations,
            categories=[dict(id=CATEGORY_IDS[name], name=name, isthing=int(name in THINGS))
                        for name in THINGS + STUFF])

    @property
    def ann_file(self) -> Path:
        return self.root / 'panoptic.json'

    def image(self, number: int) -> dict:
        """The entry of the n-th image."""
        return self.content['images'][number - 1]

    def annotation(self, number: int) -> dict:
        """The annotation of the n-th image."""
        return self.content['annotations'][number - 1]

    def segments(self) -> list[dict]:
        """All segments."""
        return [s for a in self.content['annotations'] for s in a['segments_info']]

    def path(self, folder: str, name: str) -> Path:
        """Where a file of the data set is, in a folder that is there."""
        path = self.root / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def save_json(self) -> None:
        """Write the annotation file."""
        self.path('.', 'panoptic.json').write_text(json.dumps(self.content))

    def save(self, write_map=None, write_picture=None) -> None:
        """Write all files under the names in ``content``; maps as COCO does, or otherwise."""
        self.save_json()
        images = self.content['images']
        for image, pixels in zip(images, self.pictures.values(), strict=True):
            (write_picture or save_picture)(pixels, self.path('images', image['file_name']))
        for annotation, ids in zip(
                self.content.get('annotations', ()), self.ids.values(), strict=False):
            name = annotation.get('file_name') or f'{annotation["image_id"]}.png'
            (write_map or save_rgb)(ids, self.path('maps', name))

    def build(self, pipeline=(*LOAD, PACK), **settings):
        """A data set of the files."""
        return DATASETS.build(dict(
            dict(type='CheckedPanopticDataset', data_root=str(self.root), metainfo=self.metainfo,
                 ann_file='panoptic.json', data_prefix=dict(img='images/', seg='maps/'),
                 serialize_data=False, pipeline=list(pipeline)), **settings))

    def trained(self, **settings) -> list[tuple[dict, list]]:
        """What would be trained: of each image the pixels by class, and the instances."""
        dataset = self.build(**settings)
        return [count(dataset[i]['data_samples'], dataset.metainfo) for i in range(len(dataset))]

    def metric(self, kind: str, metainfo=None, **settings):
        """A metric that knows its data set."""
        metric = METRICS.build(dict(
            dict(type=kind, ann_file=str(self.ann_file), seg_prefix=str(self.root / 'maps')),
            **settings))
        metric.dataset_meta = metainfo or self.metainfo
        return metric

    def evaluate(self, kind: str, samples=None, metainfo=None, **settings) -> float:
        """The main figure of a metric for results, those of a perfect model by default."""
        return self.figures(kind, samples, metainfo, **settings)[{
            'OpenVocabularyInstanceMetric': 'coco/segm_mAP',
            'OpenVocabularySemanticMetric': 'semantic/mIoU'}.get(kind, 'coco_panoptic/PQ')]

    def figures(self, kind: str, samples=None, metainfo=None, **settings) -> dict[str, float]:
        """All figures of a metric."""
        samples = self.perfect(metainfo) if samples is None else samples
        metric = self.metric(kind, metainfo, **settings)
        for sample in samples:
            metric.process({}, [sample])
        return metric.evaluate(len(samples))

    def perfect(self, metainfo=None) -> list[dict]:
        """What a perfect model says of the images as they are drawn."""
        classes = (metainfo or self.metainfo)['classes']
        images = (image['id'] for image in self.content['images'])
        return [
            predict(image_id, self.root / 'images' / image['file_name'], segments, classes)
            for image_id, image, segments in zip(
                images, self.content['images'], SEGMENTS.values(), strict=True)]


def picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)


def save_picture(pixels: np.ndarray, path: Path) -> None:
    Image.fromarray(pixels).save(path)


def to_rgb(ids: np.ndarray) -> np.ndarray:
    return np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=-1).astype(np.uint8)


def save_rgb(ids: np.ndarray, path: Path) -> None:
    Image.fromarray(to_rgb(ids)).save(path)


def count(sample: DetDataSample, metainfo: dict) -> tuple[dict, list]:
    classes = metainfo['classes']
    void = max(255, len(classes))
    values, pixels = torch.unique(sample.gt_sem_seg.sem_seg, return_counts=True)
    instances = sample.gt_instances
    masks = instances.masks.masks
    things = sorted((classes[label], int(mask.sum()))
                    for label, mask in zip(instances.labels, masks, strict=True))
    return {'void' if value == void else classes[value]: int(n)
            for value, n in zip(values.tolist(), pixels.tolist(), strict=True)}, things


def predict(image_id, path, segments, classes) -> dict:
    void = len(classes)
    panoptic = torch.full((1, HEIGHT, WIDTH), void)
    semantic = torch.zeros(1, HEIGHT, WIDTH, dtype=torch.long)
    masks, labels = [], []
    for number, (_, name, rows, columns) in enumerate(segments, start=1):
        if name not in classes:
            continue
        label = classes.index(name)
        panoptic[0, rows, columns] = label + 1000 * number * (name in THINGS)
        semantic[0, rows, columns] = label
        if name in THINGS:
            masks.append(panoptic[0] == label + 1000 * number)
            labels.append(label)
    masks = torch.stack(masks) if masks else torch.zeros(0, HEIGHT, WIDTH, dtype=torch.bool)
    return DetDataSample(
        metainfo=dict(img_id=image_id, img_path=str(path), ori_shape=(HEIGHT, WIDTH)),
        pred_panoptic_seg=PixelData(sem_seg=panoptic, metainfo=dict(ignore_index=void)),
        pred_sem_seg=PixelData(sem_seg=semantic),
        pred_instances=InstanceData(
            labels=torch.tensor(labels, dtype=torch.long), masks=masks,
            scores=torch.ones(len(masks)), bboxes=torch.zeros(len(masks), 4))).to_dict()
