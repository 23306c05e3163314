"""Recipes without training are evaluated as they are, without a checkpoint."""

import sys
from pathlib import Path

import pytest
from mmengine.config import Config

from mmodise.apis import ODISEInferencer
from mmodise.datasets.shapes_world.writer import make_split

ROOT = Path(__file__).parents[2]
RECIPES = sorted((ROOT / 'configs/cluster').glob('*_shapes-panoptic.py'))
IMAGE = ROOT / 'docs/images/toys.jpg'


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp('cluster')
    make_split('val', 2, folder / 'data/shapes')
    return folder


@pytest.mark.parametrize('path', RECIPES, ids=lambda path: path.stem)
def test_a_recipe_gives_all_figures(path, data, load_tool, monkeypatch, tmp_path):
    monkeypatch.chdir(data)
    monkeypatch.setenv('LOCAL_RANK', '0')
    monkeypatch.setattr(sys, 'argv', [
        'test.py', str(path), 'none', '--work-dir', str(tmp_path), '--cfg-options',
        f'experiment_name={tmp_path}'])
    load_tool('test').main()
    figures = Config.fromfile(next(tmp_path.glob('*/*.json')))
    assert {'coco_panoptic/PQ', 'coco/segm_mAP', 'semantic/mIoU', 'class_agnostic/mBO'} <= {
        *figures.keys()}
    assert figures['class_agnostic/mBO_st'] > 25


def test_the_inferencer_needs_no_weights():
    inferencer = ODISEInferencer(ROOT / 'configs/cluster/cluster_pixels_shapes-panoptic.py',
                                 device='cpu')
    result, = inferencer(str(IMAGE), 'ball; star', stuff='wall; water')
    assert str(inferencer.device) == 'cpu' and len(result.segments) > 1
