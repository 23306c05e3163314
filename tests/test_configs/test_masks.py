"""Configs of masks from elsewhere: nothing is trained, so that they are tested as they are."""

import json
import sys
from pathlib import Path

import huggingface_hub
import pytest
from mmdet.registry import MODELS

from mmodise.engine import load_config

ROOT = Path(__file__).parents[2]
CONFIGS = sorted((ROOT / 'configs/masks').glob('*.py'))


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_a_picture_goes_to_a_source_that_is_not_trained(path):
    cfg = load_config(path)
    assert cfg.model.backbone == dict(type='PixelBackbone')
    assert cfg.get('train_dataloader') is None and cfg.get('optim_wrapper') is None
    head = cfg.model.panoptic_head
    assert head.type in ('MaskFileHead', 'SAMHead') and head.vocabulary.thing_classes
    assert cfg.model.classifier is not None or head.prompts == 'names'


def test_sam_without_weights_says_what_is_accepted(monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, 'HF_HUB_OFFLINE', True)
    cfg = load_config(ROOT / 'configs/masks/sam_clip-small_shapes-panoptic.py')
    cfg.model.panoptic_head.pretrained = 'no/folder'
    with pytest.raises(FileNotFoundError, match=r"(?s)pretrained='no/folder'.*Accepted: a local"):
        MODELS.build(dict(cfg.model.panoptic_head, train_cfg=None, test_cfg=None))


def test_true_masks_are_tested_without_a_checkpoint(
        demo_dir, load_tool, monkeypatch, tmp_path):
    """Masks come through exactly: only what CLIP calls them can be wrong."""
    monkeypatch.chdir(demo_dir)
    monkeypatch.setenv('LOCAL_RANK', '0')
    monkeypatch.setattr(sys, 'argv', [
        'test.py', str(ROOT / 'configs/masks/mask-file_clip-small_shapes-panoptic.py'),
        '--work-dir', str(tmp_path), '--cfg-options', f'experiment_name={tmp_path}'])
    load_tool('test').main()
    figures = json.loads(next(tmp_path.glob('*/*.json')).read_text())
    # so that of each thing whose name is right the IoU is 1
    assert figures['coco_panoptic/PQ_th'] == pytest.approx(figures['coco_panoptic/RQ_th'])
    assert figures['coco_panoptic/PQ'] > 50
