"""Trees of data sets as they are downloaded, drawn small."""

import json
from pathlib import Path

import numpy as np
import pytest
from mmdet.registry import DATASETS
from PIL import Image

TREES = Path(__file__).parents[4] / 'shared/trees'


def trees(name):
    """A mark that runs a test on each tree of a data set, or skips it without any."""
    found = sorted(TREES.glob(f'*/{name}'))
    return pytest.mark.parametrize(
        'tree', found or [pytest.param(None, marks=pytest.mark.skip('needs ../shared'))],
        ids=lambda tree: tree.parent.name if tree else 'none')


def read_answers(tree):
    return json.loads((tree / 'answers.json').read_text())


def write_image(path, pixels):
    """Write pixels, (H, W) or (H, W, 3), or a size (height, width) of grey ones."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full(pixels, 99, np.uint8) if isinstance(pixels, tuple) else np.asarray(pixels)
    Image.fromarray(pixels).save(path)


def build(kind, root, load='LoadSemanticMap', **settings):
    """A data set whose samples have their annotations at the original size."""
    pipeline = [dict(type='LoadImageFromFile'), dict(type='Resize', scale=(64, 32)),
                dict(type=load) if isinstance(load, str) else load,
                dict(type='PackDetInputs', meta_keys=(
                    'img_id', 'img_path', 'ori_shape', 'text', 'stuff_text'))]
    return DATASETS.build(dict(
        type=kind, data_root=str(root), return_classes=True, serialize_data=False,
        pipeline=pipeline, test_mode=True, **settings))


def count_pixels(dataset, index, void=255):
    """Pixels of each class of a sample by its name, and those of void."""
    labels = dataset[index]['data_samples'].gt_sem_seg.sem_seg[0].numpy()
    names = dataset.metainfo['classes']
    values, counts = np.unique(labels, return_counts=True)
    found = dict(zip(values.tolist(), counts.tolist(), strict=True))
    nothing = found.pop(void, 0)
    return {names[label]: count for label, count in found.items()}, nothing
