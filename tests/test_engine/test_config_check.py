from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.registry import MODELS

import mmodise  # noqa: F401  registers the parts
from mmodise.engine.config_check import check_config

CONFIGS = Path(__file__).parents[2] / 'configs'
SMALL = CONFIGS / 'odise/odise_sd-small_shapes-panoptic.py'


@pytest.mark.parametrize('path', sorted((CONFIGS / 'odise').glob('*.py')), ids=lambda p: p.stem)
def test_our_recipes_pass(path):
    check_config(Config.fromfile(path))


def write(folder, text):
    (folder / 'config.py').write_text(f'_base_ = {str(SMALL)!r}\n{text}')
    return Config.fromfile(folder / 'config.py')


def test_misspelt_keys_at_the_top_are_listed_with_the_right_ones(tmp_path):
    cfg = write(tmp_path, 'train_dataloder = dict(batch_size=2)\ntrain_cfg = dict(max_iters=3)\n')
    cfg.merge_from_dict({'optim_wraper.optimizer.lr': 0.1})
    with pytest.raises(ValueError) as info:
        check_config(cfg)
    assert str(info.value).splitlines() == [
        f'{tmp_path}/config.py, or what the command line adds to it, has keys that nothing reads:',
        '  optim_wraper: did you mean optim_wrapper?',
        '  train_dataloder: did you mean train_dataloader?']


def test_variables_of_a_config_are_left_alone(tmp_path):
    check_config(write(tmp_path, """
data_root, dataset_type, backend_args, num_classes, train, val = 'data', 'X', None, 3, {}, {}
models = dict(a=1)  # looks like "model", but is used:
model = dict(test_cfg=dict(max_per_image=models['a']), palette={0: 'red'})
"""))


@pytest.mark.parametrize(('key', 'value', 'right'), [
    ('model.panoptic_head.num_querys', 30, 'num_queries'),  # mmdet's head swallows it
    ('model.backbone.extractor.timestep', (0, ), 'timesteps'),
    ('train_dataloader.batch_siz', 2, 'batch_size'),
    ('train_dataloader.dataset.retrun_classes', True, 'return_classes'),
    ('train_dataloader.dataset.pipeline.3.probs', 0.1, 'prob'),
    ('val_evaluator.seg_prefx', 'x', 'seg_prefix'),
    ('param_scheduler.0.begn', 1, 'begin'),
    ('default_hooks.checkpoint.max_keep_ckpt', 1, 'max_keep_ckpts'),
])
def test_misspelt_arguments_of_parts(key, value, right):
    cfg = Config.fromfile(SMALL)
    cfg.merge_from_dict({key: value})
    with pytest.raises(ValueError, match=f'  {key}: did you mean {right}'):
        check_config(cfg)


def test_what_is_left_from_another_type_is_told_with_the_way_to_drop_it():
    cfg = Config.fromfile(SMALL)
    cfg.merge_from_dict({'model.backbone.extractor.type': 'TokenDiffusionExtractor',
                         'model.backbone.extractor.mask_share': (0.5, )})
    with pytest.raises(ValueError) as info:
        check_config(cfg)
    path = 'model.backbone.extractor'
    _, *lines = str(info.value).splitlines()
    assert [line.split(' would.')[0] for line in lines] == [
        f'  {path}.decoder_blocks: TokenDiffusionExtractor takes none, '
        'DiffusionTransformerExtractor and StableDiffusionExtractor',
        f'  {path}.mask_share: did you mean mask_shares?',
        f'  {path}.timesteps: TokenDiffusionExtractor takes none, DiffusionTransformerExtractor '
        'and StableDiffusionExtractor',
        f'  {path}.unet_blocks: TokenDiffusionExtractor takes none, StableDiffusionExtractor and '
        'StableDiffusionXLExtractor']
    assert f'--cfg-options {path}._delete_=True {path}.type=..., or by _delete_=True' in lines[0]
    cfg = Config.fromfile(SMALL)
    cfg.merge_from_dict({f'{path}._delete_': True, f'{path}.type': 'TokenDiffusionExtractor'})
    check_config(cfg)


def test_arguments_that_are_handed_to_parents_are_known_and_others_are_not():
    @MODELS.register_module(force=True)
    class CheckedParent(BaseModel):
        def __init__(self, channels, **kwargs):
            super().__init__(**kwargs)

    @MODELS.register_module(force=True)
    class CheckedChild(CheckedParent):
        def __init__(self, depth, **kwargs):
            super().__init__(**kwargs)

    check_config(Config(dict(model=dict(
        type='CheckedChild', depth=1, channels=2, init_cfg=None, something_else=3))))
    for key, right in (('chanels', 'channels'), ('dept', 'depth'), ('init_cfgs', 'init_cfg')):
        with pytest.raises(ValueError, match=f'model.{key}: did you mean {right}'):
            check_config(Config(dict(model={'type': CheckedChild, key: 1})))


def test_deprecated_names_are_known():
    check_config(Config(dict(
        default_scope='mmdet', model=dict(type='DCNv2', deformable_groups=1))))
