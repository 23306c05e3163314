"""The detector over a diffusion transformer, and over a generator of tokens."""

from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import Config

CONFIGS = Path(__file__).parents[2] / 'configs/odise'


@pytest.fixture(params=['sd3', 'amused'])
def cfg(request):
    cfg = Config.fromfile(CONFIGS / f'odise_{request.param}-small_shapes-panoptic.py').model
    cfg.backbone.extractor.pretrained = str(request.getfixturevalue(f'small_{request.param}'))
    return cfg


def test_a_prediction_and_gradients_of_the_captioner(cfg):
    model = MODELS.build(cfg)
    images = torch.rand(2, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    maps = model.backbone(images)
    assert [tuple(m.shape[1:]) for m in maps] == [(128, side, side) for side in (32, 16, 8, 4)]
    sum((m * torch.randn_like(m)).sum() for m in maps).backward()
    captioner = dict(model.backbone.captioner.named_parameters())
    gates = [name for name in captioner if name.endswith('_gate')]
    assert ('time_gate' in gates) == ('transformer_blocks' in cfg.backbone.extractor)
    assert all(captioner[name].grad.abs().amax() > 0 for name in gates) and len(gates) > 1
    samples = [DetDataSample(metainfo=dict(
        batch_input_shape=(128, 128), img_shape=(128, 128), ori_shape=(256, 256)))
        for _ in images]
    with torch.no_grad():
        results = model.eval().predict(images, samples)
    assert [tuple(r.pred_panoptic_seg.sem_seg.shape) for r in results] == [(1, 256, 256)] * 2


def test_no_captioner_where_the_transformer_is_not_read(cfg):
    blocks = next(name for name in cfg.backbone.extractor if name.startswith('transformer_'))
    cfg.backbone.extractor.update({blocks: (), 'image_size': 128})
    with pytest.raises(ValueError, match='nothing conditions the extractor'):
        MODELS.build(cfg.backbone)
