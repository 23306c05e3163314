"""Frozen networks: never trained, never in a checkpoint, never missed in one."""

import copy
from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from torch import nn

from mmodise.models.frozen import FrozenModule, FrozenNetworks

SMALL = Path(__file__).parents[2] / 'configs/_base_/models/odise_small.py'


@pytest.fixture
def module():
    network = nn.Sequential(nn.Linear(2, 3), nn.Dropout(0.5), nn.BatchNorm1d(3))
    return FrozenModule(FrozenNetworks(
        network=network, scale=torch.tensor([2.0]), names=['a'], dropped=None))


def test_frozen_networks_are_no_children(module):
    assert list(module.parameters()) == [] and module.state_dict() == {}
    assert module.frozen_modules() == [module.frozen.network]
    assert not any(p.requires_grad for p in module.frozen.network.parameters())


def test_training_mode_leaves_them_in_eval_mode(module):
    nn.Sequential(module).train()
    assert module.training
    assert not any(module.training for module in module.frozen.network.modules())


def test_gradients_pass_through(module):
    x = torch.ones(4, 2, requires_grad=True)
    module.frozen.network(x)[:, 0].sum().backward()
    scale = (1 + 1e-5) ** -0.5  # the normalisation in eval mode: running variance 1
    expected = scale * module.frozen.network[0].weight[0]
    torch.testing.assert_close(x.grad, expected.expand(4, 2))
    assert module.frozen.network[0].weight.grad is None


def test_a_deep_copy_shares_them(module):
    assert copy.deepcopy(module).frozen.network is module.frozen.network


def test_they_follow_to_another_device_alone(module):
    stays, weight = copy.deepcopy(module), module.frozen.network[0].weight.clone()
    nn.Sequential(module).to('meta')
    assert {t.device.type for t in (
        *module.frozen.network.state_dict().values(), module.frozen.scale)} == {'meta'}
    assert torch.equal(stays.frozen.network[0].weight, weight)
    again = copy.deepcopy(stays).to('meta')
    assert again.frozen is module.frozen, 'one per device'
    nn.Sequential(module).to_empty(device='cpu')
    assert module.frozen is stays.frozen and torch.equal(module.frozen.network[0].weight, weight)


def test_a_copy_made_empty_wipes_nothing(module):
    weight = module.frozen.network[0].weight.clone()
    copy.deepcopy(module).to_empty(device='cpu')
    assert torch.equal(module.frozen.network[0].weight, weight)


def test_they_keep_their_precision(module):
    nn.Sequential(module).half().double().to(torch.bfloat16)
    assert module.frozen.network[0].weight.dtype == module.frozen.scale.dtype == torch.float32


def test_what_a_copy_does_not_keep_is_prepared_anew():
    prepared = []
    module = FrozenModule(FrozenNetworks(
        prepare=lambda frozen: prepared.append(frozen.device.type), network=nn.Linear(2, 2)))
    module.to('meta')
    assert prepared == ['cpu', 'meta']


def test_networks_first_used_in_inference_mode_pass_gradients_later(module):
    with torch.inference_mode():
        frozen = module.frozen._copy(torch.device('cpu'))
    x = torch.ones(1, 2, requires_grad=True)
    frozen.network(x).sum().backward()
    assert x.grad.any() and frozen.network[0].weight is not module.frozen.network[0].weight


# ODISE: a checkpoint holds what was trained, and nothing else.


class TwoImages(BaseDataset):
    """The least that mmengine's Runner asks for."""

    METAINFO = dict(classes=('cat', ))

    def load_data_list(self):
        return [dict(), dict()]


@pytest.fixture(scope='module')
def cfg(small_models):
    init_default_scope('mmdet')
    cfg = Config.fromfile(SMALL).model
    clip = dict(cfg.classifier.clip, model=str(small_models / 'clip'))
    cfg.backbone.extractor.pretrained = str(small_models / 'stable_diffusion')
    cfg.backbone.captioner.clip = cfg.panoptic_head.clip = cfg.classifier.clip = clip
    cfg.panoptic_head.vocabulary = dict(classes=('cat', 'dog'))
    return cfg


@pytest.fixture
def runner(cfg, tmp_path):
    """Of a whole ODISE; it trains nothing here, but saves and loads."""
    return Runner(
        model=cfg, work_dir=str(tmp_path), experiment_name=tmp_path.name, default_scope='mmdet',
        train_dataloader=dict(
            batch_size=1, sampler=dict(type='InfiniteSampler'), dataset=dict(type=TwoImages)),
        train_cfg=dict(by_epoch=False, max_iters=1),
        optim_wrapper=dict(optimizer=dict(type='AdamW', lr=1e-3)))


def frozen_networks(model):
    frozen = (m for m in model.modules() if isinstance(m, FrozenModule))
    return {id(network): network for m in frozen for network in m.frozen_modules()}.values()


def test_one_clip_in_memory(runner):
    networks = [type(network).__name__ for network in frozen_networks(runner.model)]
    assert sorted(networks) == ['AutoencoderKL', 'CLIP', 'UNet2DConditionModel']


def test_the_state_is_the_trained_parameters(runner):
    parameters = dict(runner.model.named_parameters())
    assert set(runner.model.state_dict()) == set(parameters)
    assert all(p.requires_grad for p in parameters.values())


def test_training_changes_the_mode_of_no_frozen_layer(runner):
    runner.model.train()
    layers = [m for network in frozen_networks(runner.model) for m in network.modules()
              if isinstance(m, (nn.Dropout, nn.GroupNorm, nn.LayerNorm, nn.MultiheadAttention))]
    assert len(layers) > 50
    assert not any(layer.training for layer in layers)


def test_a_checkpoint_is_as_large_as_the_trained_parameters(runner, tmp_path):
    runner.save_checkpoint(str(tmp_path), 'model.pth', save_optimizer=False,
                           save_param_scheduler=False, by_epoch=False)
    saved = torch.load(tmp_path / 'model.pth', weights_only=False)
    assert set(saved) == {'meta', 'state_dict', 'message_hub'}
    assert set(saved['state_dict']) == {name for name, _ in runner.model.named_parameters()}
    count = sum(p.numel() for p in runner.model.parameters())
    # 4 bytes a parameter; names and the like are some 300 bytes a tensor more
    names = 400 * len(saved['state_dict'])
    assert 4 * count < (tmp_path / 'model.pth').stat().st_size < 4 * count + names + 20_000


def test_loading_a_checkpoint_misses_nothing(runner, tmp_path, capsys):
    runner.save_checkpoint(str(tmp_path), 'model.pth', save_optimizer=False, by_epoch=False)
    expected = runner.model.panoptic_head.query_embed.weight.clone()
    nn.init.zeros_(runner.model.panoptic_head.query_embed.weight)
    capsys.readouterr()
    runner.load_checkpoint(str(tmp_path / 'model.pth'))
    printed = capsys.readouterr().out
    assert 'missing' not in printed and 'unexpected' not in printed
    assert torch.equal(runner.model.panoptic_head.query_embed.weight, expected)


def test_a_trained_parameter_is_missed(runner, tmp_path, capsys):
    state = runner.model.state_dict()
    state.pop('panoptic_head.no_object')
    torch.save(dict(state_dict=state, meta={}), tmp_path / 'part.pth')
    runner.load_checkpoint(str(tmp_path / 'part.pth'))
    printed = capsys.readouterr().out
    assert 'missing keys in source state_dict: panoptic_head.no_object' in printed


def test_a_model_can_be_built_twice_and_copied(cfg):
    model = MODELS.build(cfg)
    copied = copy.deepcopy(model)  # as an exponential moving average does
    other = MODELS.build(cfg)
    clips = {id(m.panoptic_head.clip.frozen.model) for m in (model, copied, other)}
    assert len(clips) == 1
    assert copied.panoptic_head.no_object is not model.panoptic_head.no_object


@torch.no_grad()
def test_a_copied_model_works(cfg):
    model = MODELS.build(cfg).eval()
    images = torch.rand(1, 3, 128, 128)
    for ours, expected in zip(
            copy.deepcopy(model).extract_feat(images), model.extract_feat(images), strict=True):
        torch.testing.assert_close(ours, expected)


def test_initialisation_leaves_frozen_weights_alone(cfg):
    model = MODELS.build(cfg)
    before = [p.clone() for n in frozen_networks(model) for p in n.parameters()]
    model.init_weights()
    after = [p for n in frozen_networks(model) for p in n.parameters()]
    assert all(torch.equal(a, b) for a, b in zip(after, before, strict=True))
