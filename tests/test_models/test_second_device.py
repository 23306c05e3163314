"""Both models on a second device: the CPU's numbers, no mixture of devices, and few waits.

The device is made of Python, by a file beside the project. A device type cannot be unregistered, so
that the tests run in a process of their own.
"""

import copy
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

TOOLS = Path(__file__).parents[3] / 'shared/tools'
CONFIGS = Path(__file__).parents[2] / 'configs/odise'
INSIDE = 'MMODISE_SECOND_DEVICE' in os.environ

if not (TOOLS / 'pretend_device.py').is_file():
    pytest.skip('the file that makes a second device is not there', allow_module_level=True)

if not INSIDE:
    def test_in_a_process_of_their_own():
        done = subprocess.run(
            [sys.executable, '-m', 'pytest', '-q', '-p', 'no:xdist', '-p', 'no:cacheprovider',
             __file__],
            env={**os.environ, 'MMODISE_SECOND_DEVICE': '1'}, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
else:
    sys.path.insert(0, str(TOOLS))
    import pretend_device
    pretend_device.setup()

    import numpy as np
    from mmdet.registry import MODELS
    from mmdet.structures import DetDataSample
    from mmdet.structures.mask import BitmapMasks
    from mmengine.config import Config
    from mmengine.structures import InstanceData, PixelData

    from mmodise.apis.session import _tensors

    @pytest.fixture(scope='module', params=['odise', 'odise-caption'])
    def model(request):
        """A model on the CPU."""
        cfg = Config.fromfile(CONFIGS / f'{request.param}_sd-small_shapes-panoptic.py').model
        cfg.test_cfg.update(instance_on=True, semantic_on=True)
        torch.manual_seed(0)
        model = MODELS.build(cfg)
        model.init_weights()
        return model

    @pytest.fixture
    def on_device(model):
        """The same on the device."""
        return copy.deepcopy(model).to('pretend')

    def batch(**meta):
        """Two images of 128 x 128, each of two things on stuff, with words for one."""
        generator = torch.Generator().manual_seed(0)
        images = [torch.randint(256, (3, 128, 128), generator=generator, dtype=torch.uint8)
                  for _ in range(2)]
        samples = []
        for words in ((), ('red ball', 'sand')):
            size = (128, 128)
            masks = np.zeros((2, *size), np.uint8)
            masks[0, 10:60, 10:60] = masks[1, 70:120, 20:90] = 1
            sample = DetDataSample(metainfo=dict(
                img_shape=size, ori_shape=(150, 150), batch_input_shape=size, words=words, **meta))
            sample.gt_instances = InstanceData(
                labels=torch.tensor([0, 2]), masks=BitmapMasks(masks, *size))
            sample.gt_sem_seg = PixelData(sem_seg=torch.full((1, *size), 13))
            samples.append(sample)
        return dict(inputs=images, data_samples=samples)

    def step(model):
        """Losses and gradients, of the same random points on each device."""
        data = model.train().data_preprocessor(batch(), True)
        model.zero_grad()
        torch.manual_seed(1)
        loss, _ = model.parse_losses(model(**data, mode='loss'))
        loss.backward()
        return loss.detach().cpu(), {
            name: p.grad.cpu() for name, p in model.named_parameters() if p.grad is not None}

    def predict(model):
        data = batch(text='red ball, ball; ring', stuff_text='sand; lake')
        data = model.eval().data_preprocessor(data, False)
        with torch.no_grad():
            return model(**data, mode='predict')

    def our_waits(run, model):
        """Places in mmodise where the host waits, once for each time."""
        run(model)  # texts are embedded once
        with pretend_device.record() as events:
            run(model)
        owners = [pretend_device.owner(event) for event in events if event.kind == 'wait']
        assert owners, 'waits are noted'
        return [place for package, place in owners if package == 'mmodise']

    def test_waits(on_device):
        """The budget is 4 and 2; what mmdet and mmcv wait for is not ours."""
        assert len(our_waits(predict, on_device)) <= 2, 'shapes of maps; the masks that are needed'
        assert len(our_waits(step, on_device)) <= 2, 'shapes of maps; labels that are not known'

    def test_training(model, on_device):
        expected, expected_gradients = step(model)
        loss, gradients = step(on_device)
        torch.testing.assert_close(loss, expected, rtol=1e-4, atol=0)
        assert gradients.keys() == expected_gradients.keys()
        for name, gradient in gradients.items():  # a cell on the edge of a mask may move
            error = (gradient - expected_gradients[name]).norm()
            assert error <= 0.02 * expected_gradients[name].norm() + 1e-6, name

    def test_prediction(model, on_device):
        for ours, theirs in zip(predict(on_device), predict(model), strict=True):
            assert ours.pred_panoptic_seg.sem_seg.device.type == 'pretend'
            for name in ('pred_panoptic_seg', 'pred_sem_seg'):
                same = ours.get(name).sem_seg.cpu() == theirs.get(name).sem_seg
                assert same.float().mean() > 0.999, name
            one, other = (s.pred_instances.scores.cpu().sort().values for s in (ours, theirs))
            assert (one - other).abs().mean() < 1e-3

    def test_a_session(model, on_device):
        """It keeps what it needs on the device; a later question waits for what it gives."""
        from mmodise import ODISEInferencer
        config = Config.fromfile(CONFIGS / 'odise_sd-small_shapes-panoptic.py')
        image = batch()['inputs'][0].permute(1, 2, 0).numpy()
        found, expected = (
            ODISEInferencer.of_model(one, config).open(image) for one in (on_device, model))
        assert {t.device.type for t in _tensors(found._observation)} == {'pretend'}
        ours, theirs = found('ball; ring', stuff='sand'), expected('ball; ring', stuff='sand')
        assert (ours.segment_ids == theirs.segment_ids).mean() > 0.999
        np.testing.assert_allclose(
            ours.mask_embeddings, theirs.mask_embeddings, rtol=1e-3, atol=1e-3)
        with pretend_device.record() as events:
            found('ball; ring', stuff='sand')
        waits = [event for event in events if event.kind == 'wait']
        assert 0 < len(waits) <= 12, 'the map, embeddings, labels, scores of few segments'

    @pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
    def test_mixed_precision(on_device, dtype):
        with torch.autocast('pretend', dtype=dtype):
            loss, gradients = step(on_device)
            results = predict(on_device)
        assert loss.isfinite()
        assert all(gradient.isfinite().all() for gradient in gradients.values())
        assert all(r.pred_instances.scores.cpu().isfinite().all() for r in results)

    def test_nothing_was_float64():
        """In all tests before; Apple's MPS has none."""
        kernels = pretend_device.kernels()
        assert len(kernels) > 100
        assert not {name for name, dtypes in kernels if 'float64' in dtypes}
