"""FC-CLIP on the embedded data set, over small CLIPs with random weights."""

from pathlib import Path

import pytest
import torch
from mmengine.runner import Runner

from mmodise.benchmark import claim_run, cross_classifiers
from mmodise.benchmark.comparisons import COMPARISONS
from mmodise.benchmark.small_clip_towers import TOWERS, build_tower, save_tower
from mmodise.models import CLIPBackbone, FCCLIPHead, PooledCLIPClassifier

CONFIGS = Path(__file__).parents[2] / 'configs/fcclip'


@pytest.fixture(scope='module')
def data(demo_dir):
    """A folder in which ``data/`` has the data set and the CLIPs."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for part in TOWERS:
            save_tower(part, build_tower(part), torch.tensor(3.0), demo_dir / 'data/small_models')
    return demo_dir


def build(tower, tmp_path):
    args = claim_run.parse_args([
        str(CONFIGS / f'fcclip_{tower}-small_shapes-panoptic.py'), '--work-dir', str(tmp_path),
        '--max-iters', '2', '--cfg-options', 'train_dataloader.batch_size=2'])
    cfg = claim_run.read_config(args)
    cfg.experiment_name = f'{tower}_{tmp_path.name}'
    return Runner.from_cfg(cfg)


def test_two_iterations_and_other_classifiers(data, tmp_path, monkeypatch):
    monkeypatch.chdir(data)
    runner = build('convnext', tmp_path)
    model = runner.model
    assert (type(model.backbone), type(model.panoptic_head), type(model.classifier)) == (
        CLIPBackbone, FCCLIPHead, PooledCLIPClassifier)
    before = {name: value.clone() for name, value in model.named_parameters()}
    runner.train()
    assert not [name for name, value in model.named_parameters()
                if torch.equal(value, before[name])]
    sample = runner.test_dataloader.dataset[0]
    assert sample['inputs'].shape == (3, 256, 256)
    assert sample['data_samples'].ori_shape == (128, 128)
    own = model.classifier
    monkeypatch.setattr(cross_classifiers, '_REPEATS', 1)
    classifiers = COMPARISONS['recipes'].classifiers
    tests = cross_classifiers.evaluate_with(
        runner, {name: classifiers[name] for name in ('tokens', 'convnext', 'resnet')}, steps=1)
    assert model.classifier is own
    assert set(tests) == {'none', 'tokens', 'convnext', 'resnet'}
    costs = {name: test.pop('cost') for name, test in tests.items()}
    # the ConvNeXt has run for the backbone already, and names are embedded
    assert costs['none']['gflops'] <= costs['convnext']['gflops'] < costs['none']['gflops'] + 0.01
    assert costs['resnet']['parameters'] - costs['none']['parameters'] > 1_000_000
    assert all(cost['seconds'] > 0 and cost['megabytes'] > 1 for cost in costs.values())
    assert [len(test['grid']) for name, test in tests.items() if name != 'none'] == [4] * 3
    cost = claim_run.measure_cost(runner)
    assert cost['backbone_gflops'] == pytest.approx(0.26, abs=0.03)


def test_two_iterations_over_a_resnet(data, tmp_path, monkeypatch):
    monkeypatch.chdir(data)
    runner = build('resnet', tmp_path)
    runner.train()
    assert runner.iter == 2 and runner.model.classifier.valid_only
