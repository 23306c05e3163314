"""What is done with pictures before the model sees them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import mmcv
import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.dataset import Compose
from torch import Tensor, nn

from .inputs import Picture
from .model_building import looking_up

# of what goes into the model; what is larger is made smaller, if the pipeline does not resize
_MAX_PIXELS = 4 * 2**20

Batch = tuple[Tensor, list[DetDataSample]]


class Preparation:
    """The test pipeline of a config, for pictures in memory, and the model's preprocessor.

    A picture of more than 4 megapixels is made smaller before, where the pipeline does not resize;
    results are of its own size all the same.

    Args:
        cfg (Config): With the pipeline of its ``test_dataloader`` or, if it has none, nothing but
            packing.
        preprocessor (Module): The model's ``data_preprocessor``.
    """

    def __init__(self, cfg: Config, preprocessor: nn.Module) -> None:
        steps = [dict(step) for step in _pipeline(cfg) if not _loads(step)]
        if not steps or not _name(steps[-1]).endswith('PackDetInputs'):
            steps.append(dict(type='PackDetInputs'))
        steps[-1].update(meta_keys=('img_path', 'ori_shape', 'img_shape', 'scale_factor'))
        with looking_up():
            self._transform = Compose(steps)
        self._resizes = any('Resize' in _name(step) for step in steps)
        self._preprocessor = preprocessor

    def __call__(self, pictures: Sequence[Picture], device: torch.device) -> Batch:
        """Make one batch of pictures: RGB in [0, 1], padded, (B, 3, H, W), and their samples."""
        packed = [self._pack(picture) for picture in pictures]
        data = self._preprocessor(dict(
            inputs=[one['inputs'].to(device) for one in packed],
            data_samples=[one['data_samples'] for one in packed]), training=False)
        return data['inputs'], data['data_samples']

    def batches(
        self, pictures: Sequence[Picture], device: torch.device
    ) -> Iterator[tuple[list[int], Tensor, list[DetDataSample]]]:
        """Make batches of those pictures that are of one size with their padding.

        So a result does not depend on the sizes of the others.

        Yields:
            tuple: The places of the pictures of a batch, and the batch.
        """
        alone = [self([picture], device) for picture in pictures]
        sizes: dict[tuple, list[int]] = {}
        for place, (inputs, _) in enumerate(alone):
            sizes.setdefault(tuple(inputs.shape), []).append(place)
        for places in sizes.values():
            yield (places, torch.cat([alone[place][0] for place in places]),
                   [sample for place in places for sample in alone[place][1]])

    def _pack(self, picture: Picture) -> dict:
        image = np.ascontiguousarray(picture.image[..., ::-1])  # BGR, as pipelines have it
        shape = image.shape[:2]
        results = dict(img=image, img_path=picture.path, img_shape=shape, ori_shape=shape)
        if not self._resizes and image.shape[0] * image.shape[1] > _MAX_PIXELS:
            results = _shrink(results)
        return self._transform(results)


def _shrink(results: dict) -> dict:
    height, width = results['img_shape']
    factor = math.sqrt(_MAX_PIXELS / (height * width))
    scale = max(int(width * factor), 1), max(int(height * factor), 1)
    image = mmcv.imresize(results['img'], scale, interpolation='area')
    return {**results, 'img': image, 'img_shape': image.shape[:2],
            'scale_factor': (scale[0] / width, scale[1] / height)}


def _pipeline(cfg: Config) -> list[dict]:
    loader = cfg.get('test_dataloader') or {}
    return (loader.get('dataset') or {}).get('pipeline') or cfg.get('test_pipeline') or []


def _loads(step: dict) -> bool:
    """Whether a step reads a picture or its annotations, which there are none of."""
    return _name(step).startswith(('Load', 'InferencerLoader'))


def _name(step: dict) -> str:
    kind = step['type']
    return kind.split('.')[-1] if isinstance(kind, str) else kind.__name__
