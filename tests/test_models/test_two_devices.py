"""Models on two devices, in two precisions, and what goes from one to the other.

What a model computes on a second device is in test_second_device.py. A device type cannot be
unregistered, so that the tests run in a process of their own.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[3] / 'shared/tools'
INSIDE = os.environ.get('PRETEND_DEVICE') == '1'

if not INSIDE:
    @pytest.mark.skipif(not TOOLS.is_dir(), reason='needs ../shared')
    def test_in_a_process_of_their_own():
        done = subprocess.run(
            [sys.executable, '-m', 'pytest', '-q', '-p', 'no:xdist', '-p', 'no:cacheprovider',
             __file__], env={**os.environ, 'PRETEND_DEVICE': '1', 'PYTHONPATH': os.pathsep.join(
                 [str(TOOLS), str(Path(__file__).parents[2])])},
            capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
else:
    import numpy as np
    import pretend_device
    import torch

    pretend_device.setup()

    import mmodise

    # isort: split
    from mmdet.registry import METRICS, MODELS
    from mmdet.structures import DetDataSample
    from mmdet.structures.mask import BitmapMasks
    from mmengine.config import Config
    from mmengine.structures import InstanceData, PixelData

    from mmodise.datasets.shapes_world.writer import make_split
    from mmodise.models import FrozenCLIP, StableDiffusionExtractor
    from mmodise.weights import locate

    CONFIGS = Path(__file__).parents[2] / 'configs/odise'
    LABEL = 'odise_sd-small_shapes-panoptic'
    CAPTION = 'odise-caption_sd-small_shapes-panoptic'
    SIZE = 128

    def build(name, **options):
        cfg = Config.fromfile(CONFIGS / f'{name}.py')
        cfg.merge_from_dict({f'model.{key}': value for key, value in options.items()})
        cfg.model.test_cfg.update(instance_on=True, semantic_on=True)
        torch.manual_seed(0)
        model = MODELS.build(cfg.model)
        model.init_weights()
        return model

    def batch():
        generator = torch.Generator().manual_seed(0)
        images = [torch.randint(0, 256, (3, SIZE, SIZE), generator=generator, dtype=torch.uint8)
                  for _ in range(2)]
        samples = []
        for i in range(2):
            masks = np.zeros((2, SIZE, SIZE), np.uint8)
            masks[0, 10:60, 10:60] = masks[1, 70:120, 20:90] = 1
            semantic = torch.full((1, SIZE, SIZE), 13)  # a stuff class
            semantic[0, :30] = 14
            samples.append(DetDataSample(
                metainfo=dict(
                    img_shape=(SIZE, SIZE), ori_shape=(SIZE, SIZE), batch_input_shape=(SIZE, SIZE),
                    words=('red ball', 'sand') if i else (), img_path=str(i)),
                gt_sem_seg=PixelData(sem_seg=semantic), gt_instances=InstanceData(
                    labels=torch.tensor([0, 2]), masks=BitmapMasks(masks, SIZE, SIZE),
                    bboxes=torch.zeros(2, 4))))
        return dict(inputs=images, data_samples=samples)

    def step(model, data):
        """Loss of a training step."""
        model.train()
        data = model.data_preprocessor(data, True)
        torch.manual_seed(1)
        loss, _ = model.parse_losses(model(**data, mode='loss'))
        loss.backward()
        torch.optim.AdamW(model.parameters(), lr=1e-4).step()
        return loss.detach()

    @pytest.mark.parametrize('dtype', ['bfloat16', 'float16'])
    def test_frozen_networks_in_half_precision(dtype):
        options = {'backbone.extractor.dtype': dtype}
        expected = float(step(build(LABEL), batch()))
        model = build(LABEL, **options).to('pretend')
        assert float(step(model, batch())) == pytest.approx(expected, rel=0.05)

    def test_saved_on_the_device_and_loaded_on_the_cpu(tmp_path):
        model = build(LABEL).to('pretend')
        torch.save(model.state_dict(), tmp_path / 'model.pth')
        weights = torch.load(tmp_path / 'model.pth', map_location='cpu', weights_only=True)
        other = build(LABEL)
        torch.nn.init.zeros_(other.panoptic_head.query_embed.weight)
        assert not any(other.load_state_dict(weights))
        expected = model.panoptic_head.query_embed.weight
        assert torch.equal(other.panoptic_head.query_embed.weight, expected.cpu())

    def test_two_models_on_two_devices_do_not_know_of_each_other():
        """Also one that is built while the other is elsewhere."""
        away = build(CAPTION).to('pretend')
        stays = build(LABEL)
        assert float(step(stays, batch())) > 0 and float(step(away, batch())) > 0
        devices = [{t.device.type for network in module.frozen_modules()
                    for t in network.parameters()}
                   for model in (away, stays) for module in model.modules()
                   if isinstance(module, (FrozenCLIP, StableDiffusionExtractor))]
        assert devices == [{'pretend'}] * 4 + [{'cpu'}] * 4
        clips = {id(m.frozen) for m in away.modules() if isinstance(m, FrozenCLIP)}
        assert len(clips) == 1, 'one per device still'

    def test_loading_under_a_default_device():
        torch.set_default_device('pretend')
        try:
            clip = FrozenCLIP(locate('mmodise://shapes/clip'))
            extractor = StableDiffusionExtractor(locate('mmodise://shapes/stable_diffusion'))
        finally:
            torch.set_default_device('cpu')
        assert clip.encode_texts(['red ball']).device.type == 'pretend'
        maps = extractor(torch.rand(1, 3, 64, 64).to('pretend'))
        assert {m.device.type for m in maps} == {'pretend'}

    def test_metrics_take_results_of_the_device(tmp_path):
        make_split('val', 1, tmp_path)
        model = build(LABEL).eval().to('pretend')
        files = dict(
            ann_file=str(tmp_path / 'annotations/panoptic_val.json'),
            seg_prefix=str(tmp_path / 'annotations/panoptic_val/'))
        data = batch()
        del data['inputs'][1], data['data_samples'][1]
        data['data_samples'][0].set_metainfo(
            dict(img_id=1, img_path=str(tmp_path / 'val/000001.jpg')))
        with torch.no_grad():
            results = [sample.to_dict() for sample in model.test_step(data)]
        for name in ('OpenVocabularyPanopticMetric', 'OpenVocabularyInstanceMetric',
                     'OpenVocabularySemanticMetric'):
            metric = METRICS.build(dict(type=name, **files))
            metric.dataset_meta = mmodise.datasets.ShapesPanopticDataset.METAINFO
            metric.process({}, results)
            figures = metric.evaluate(1)
            main = next(v for k, v in figures.items() if k.endswith(('/PQ', 'segm_mAP', 'mIoU')))
            assert 0 <= main <= 100, 'of random weights'
