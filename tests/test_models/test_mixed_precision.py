"""Both models under autocast: no NaN, and losses close to those of float32."""

from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData, PixelData

CONFIGS = Path(__file__).parents[2] / 'configs/odise'


@pytest.fixture(scope='module', params=['odise', 'odise-caption'])
def model(request):
    init_default_scope('mmdet')
    torch.manual_seed(0)
    path = CONFIGS / f'{request.param}_sd-small_shapes-panoptic.py'
    model = MODELS.build(Config.fromfile(path).model)
    model.init_weights()
    return model.train()


def batch():
    """Two images; on each a thing in the left half, and stuff."""
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(2, 3, 128, 128, generator=generator)
    samples = []
    for label in range(2):
        size = (128, 128)
        sample = DetDataSample(metainfo=dict(
            batch_input_shape=size, img_shape=size, words=('red ball', 'sand')))
        mask = torch.zeros(1, *size, dtype=torch.uint8)
        mask[..., :64] = 1
        sample.gt_instances = InstanceData(
            labels=torch.tensor([label]), masks=BitmapMasks(mask.numpy(), *size))
        sample.gt_sem_seg = PixelData(sem_seg=torch.where(mask == 1, label, 12))
        samples.append(sample)
    return images, samples


def loss_and_gradients(model, dtype):
    model.zero_grad()
    torch.manual_seed(0)  # points
    with torch.autocast('cpu', dtype=dtype, enabled=dtype != torch.float32):
        losses = model(*batch(), mode='loss')
    sum(losses.values()).backward()
    return losses, {name: p.grad for name, p in model.named_parameters()}


def test_fcclips_pixel_decoder_stays_in_float32():
    cfg = Config.fromfile(CONFIGS.parent / '_base_/models/fcclip.py').model.panoptic_head
    cfg.pixel_decoder.encoder.num_layers = 1
    decoder = MODELS.build(dict(
        cfg.pixel_decoder, in_channels=[8, 8, 8, 8], strides=[4, 8, 16, 32], feat_channels=256,
        out_channels=256)).eval()
    generator = torch.Generator().manual_seed(0)
    maps = [torch.rand(1, 8, side, side, generator=generator) for side in (16, 8, 4, 2)]
    with torch.no_grad():
        expected, _ = decoder(maps)
        with torch.autocast('cpu', dtype=torch.bfloat16):
            features, _ = decoder(maps)
    assert features.dtype == torch.float32 and torch.equal(features, expected)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_finite_and_close(model, dtype):
    exact, _ = loss_and_gradients(model, torch.float32)
    losses, gradients = loss_and_gradients(model, dtype)
    assert all(loss.dtype == torch.float32 and loss.isfinite() for loss in losses.values())
    assert all(gradient.isfinite().all() for gradient in gradients.values())
    assert sum(losses.values()).item() == pytest.approx(sum(exact.values()).item(), rel=0.05)
