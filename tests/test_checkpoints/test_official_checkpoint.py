"""Official checkpoints: names, parameters, the way back, and what the weights compute."""

import json
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from safetensors.torch import save_file
from torch import nn

from mmodise.checkpoints.official import from_official, official_names, read_official, to_official

ROOT = Path(__file__).parents[2]
DATA = ROOT / 'tests/data'
MINI = DATA / 'golden_mini'
EMPTY_WEIGHT = 'criterion.empty_weight'

kinds = pytest.mark.parametrize('kind', ['label', 'caption'])


@pytest.fixture
def official(kind):
    """An official checkpoint of the names and shapes of 'mini', filled with random numbers."""
    keys = json.loads((MINI / f'keys_odise_{kind}.json').read_text())
    generator = torch.Generator().manual_seed(0)
    model = OrderedDict(
        (name, torch.randn(shape, generator=generator)) for name, (shape, _) in keys.items())
    model._metadata = OrderedDict({'': dict(version=1), 'sem_seg_head': dict(version=2)})
    return dict(model=model)


class ShapeOfCLIP(nn.Module):
    """Stands for a frozen CLIP of some width."""

    def __init__(self, embed_dim):
        super().__init__()
        self.embed_dim = embed_dim

    def encode_texts(self, texts):
        return torch.zeros(len(texts), self.embed_dim)


class ShapeOfExtractor(nn.Module):
    """Stands for a frozen Stable Diffusion of full size."""

    def __init__(self, **condition):
        super().__init__()
        self.feature_widths = [512, 512, 2560, 1920, 960, 640, 512, 512]
        self.feature_strides = [4, 8, 64, 32, 16, 8, 8, 4]
        self.condition = condition


def build_full_size(shapes):
    """All that is trained of our label model, on the meta device."""
    captioner = 'backbone.feature_extractor'
    _, length, width = shapes[f'{captioner}.alpha_cond']
    _, steps, time_width = shapes[f'{captioner}.time_embed_project.positional_embedding']
    clip = dict(type=ShapeOfCLIP, embed_dim=shapes[f'{captioner}.clip_project.linear.weight'][1])
    model = Config.fromfile(ROOT / 'configs/_base_/models/odise.py').model
    model.classifier = None
    model.panoptic_head.vocabulary = dict(thing_classes=['cat'], stuff_classes=['sky'])
    model.panoptic_head.clip = clip
    model.backbone.captioner = dict(type='ImplicitCaptioner', clip=clip)
    model.backbone.extractor = dict(
        type=ShapeOfExtractor, text_length=length, text_width=width, time_width=time_width,
        num_timesteps=steps)
    with torch.device('meta'):
        return MODELS.build(model)


def test_the_full_size_model_has_all_weights_and_the_papers_numbers_of_parameters():
    shapes = json.loads((DATA / 'full_size_names.json').read_text())['odise_label']
    weights = {name: torch.empty(shape, device='meta') for name, shape in shapes.items()}
    result = from_official(dict(model=weights))
    assert result.kind == 'label' and list(result.dropped) == [EMPTY_WEIGHT]
    assert result.num_parameters == {  # method.md, section 8
        'captioner': 1_695_744, 'projections': 5_873_664, 'pixel decoder': 5_577_152,
        'decoder with mask embedder': 14_722_817, '"no object"': 768, 'text projection': 196_864}
    model = build_full_size(shapes)
    ours = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    converted = result.checkpoint['state_dict']
    assert {name: tuple(value.shape) for name, value in converted.items()} == ours
    trained = [parameter.numel() for parameter in model.parameters() if parameter.requires_grad]
    assert sum(trained) == sum(result.num_parameters.values()) == 28_067_009


@kinds
def test_there_and_back_is_the_same(kind, official):
    official |= dict(iteration=92188, __author__='someone', optimizer=torch.zeros(2**19))
    there = from_official(official)
    assert there.kind == kind
    assert list(there.dropped) == [EMPTY_WEIGHT, 'iteration', '__author__', 'optimizer']
    assert 'meta' in there.dropped['iteration'] and 'meta' not in there.dropped['optimizer']
    back = to_official(there.checkpoint).checkpoint
    assert list(back) == ['model', 'iteration', '__author__']
    assert (back['iteration'], back['__author__']) == (92188, 'someone')
    assert list(back['model']) == list(official['model'])
    assert all(torch.equal(value, official['model'][name])
               for name, value in back['model'].items())
    assert back['model']._metadata == official['model']._metadata


@kinds
def test_ours_of_a_training_becomes_official_in_the_official_order(kind, official):
    ours = dict(
        meta=dict(dataset_meta=dict(classes=tuple('abcdefgh'))), optimizer={},
        state_dict=dict(sorted(from_official(official).checkpoint['state_dict'].items())))
    back = to_official(ours)
    assert list(back.dropped) == ['optimizer']
    model = back.checkpoint['model']
    assert list(model) == list(official['model'])
    assert model[EMPTY_WEIGHT].tolist() == pytest.approx(
        [*[1] * (8 if kind == 'label' else 1), 0.1])
    others = official['model'].keys() - {EMPTY_WEIGHT}
    assert all(torch.equal(model[name], official['model'][name]) for name in others)
    versions = {name: entry['version'] for name, entry in model._metadata.items()}
    assert {name for name, version in versions.items() if version == 2} == {
        'sem_seg_head', 'sem_seg_head.predictor'}
    assert versions[''] == versions['sem_seg_head.pixel_decoder.transformer.encoder'] == 1


@pytest.mark.parametrize('kind', ['label'])
def test_the_number_of_classes_is_asked_for_where_nothing_tells(official):
    ours = dict(state_dict=from_official(official).checkpoint['state_dict'])
    with pytest.raises(ValueError, match='Give --num-classes: 133 for COCO panoptic'):
        to_official(ours)
    assert to_official(ours, num_classes=5).checkpoint['model'][EMPTY_WEIGHT].shape == (6, )


@kinds
def test_each_missing_name_is_named(kind, official):
    for name, value in list(official['model'].items()):
        del official['model'][name]
        with pytest.raises(ValueError, match=rf'missing: (.*, )?{name}\.$'):
            from_official(official)
        official['model'][name] = value
    converted = from_official(official).checkpoint['state_dict']
    for name, value in list(converted.items()):
        if name in ('panoptic_head.no_object', 'panoptic_head.cls_embed.weight'):
            continue  # that tells the kind
        del converted[name]
        with pytest.raises(ValueError, match=rf'1 missing: {name}\.$'):
            to_official(dict(state_dict=converted))
        converted[name] = value


@pytest.mark.parametrize('kind', ['label'])
def test_layers_that_are_there_in_part_are_named(official):
    model = official['model']
    for name in [name for name in model if 'transformer_ffn_layers.2' in name]:
        del model[name]
    for ending in ('weight', 'norm.weight', 'norm.bias'):  # widths differ: there must be one
        del model[f'backbone.feature_projections.0.0.shortcut.{ending}']
    with pytest.raises(ValueError, match='9 missing') as error:
        from_official(official)
    assert 'sem_seg_head.predictor.transformer_ffn_layers.2.linear1.weight' in str(error.value)
    assert 'backbone.feature_projections.0.0.shortcut.norm.bias' in str(error.value)


@pytest.mark.parametrize('kind', ['label'])
@pytest.mark.parametrize('name', [
    'criterion.new', 'word_head.text_proj.weight', 'sem_seg_head.predictor.class_embed.bias',
    'sem_seg_head.pixel_decoder.adapter_2.weight', 'clip_head.clip.logit_scale'])
def test_an_unknown_name_is_named(official, name):
    official['model'][name] = torch.zeros(1)
    with pytest.raises(ValueError, match=rf'1 unknown: {name}\.$'):
        from_official(official)


@kinds
def test_names_of_some_weights(kind, official):
    """As gradients have them."""
    text = 'category_head' if kind == 'label' else 'word_head'
    assert official_names(
        ['panoptic_head.mask_embed.4.bias', 'panoptic_head.text_proj.weight',
         'panoptic_head.transformer_decoder.layers.7.norms.0.weight'], kind
    ) == {
        'panoptic_head.mask_embed.4.bias': 'sem_seg_head.predictor.mask_embed.layers.2.bias',
        'panoptic_head.text_proj.weight': f'{text}.text_proj.weight',
        'panoptic_head.transformer_decoder.layers.7.norms.0.weight':
            'sem_seg_head.predictor.transformer_cross_attention_layers.7.norm.weight'}
    converted = from_official(official).checkpoint['state_dict']
    assert list(official_names(converted).values()) == [
        name for name in official['model'] if name != EMPTY_WEIGHT]
    with pytest.raises(ValueError, match=f'ODISE {kind} model has no .*: backbone.layer1.0.a'):
        official_names(['backbone.layer1.0.a'], kind)
    with pytest.raises(ValueError, match='do not tell'):
        official_names(['backbone.captioner.text_gate'])


@pytest.mark.parametrize('kind', ['label'])
def test_arrays_are_taken_and_other_values_refused(official):
    name = 'sem_seg_head.predictor.query_feat.weight'
    value = official['model'][name]
    official['model'][name] = value.numpy()
    converted = from_official(official).checkpoint['state_dict']
    assert torch.equal(converted['panoptic_head.query_feat.weight'], value)
    official['model'][name] = [1.0]
    with pytest.raises(ValueError, match=f"'{name}' is no tensor: found list"):
        from_official(official)


@pytest.mark.parametrize(('checkpoint', 'message'), [
    ({'state_dict': {'model.diffusion_model.x': 0}, 'global_step': 0}, 'state_dict, global_step'),
    ({'state_dict': {'panoptic_head.no_object': 0}},
     "one of ours of the kind 'ODISE label', .* with --to-official"),
    ({'model': {'backbone.bottom_up.stem.conv1.weight': 0}}, 'found model'),
    ({'model': {'backbone.feature_projections.0.0.conv1.weight': torch.ones(1)}}, 'none is there'),
    ([0], 'found list')])
def test_other_checkpoints_are_refused(checkpoint, message):
    with pytest.raises(ValueError, match=message):
        from_official(checkpoint)


@pytest.mark.parametrize('checkpoint', [
    {'state_dict': {'backbone.conv1.weight': 0}}, {'model': {'word_head.text_proj.weight': 0}}, 3])
def test_only_checkpoints_of_ours_become_official(checkpoint):
    with pytest.raises(ValueError, match='no checkpoint of an ODISE of ours'):
        to_official(checkpoint)


class Trainer:
    """Stands for what trainers put into their files."""


@pytest.mark.parametrize('kind', ['label'])
def test_pickled_objects_are_refused_unless_allowed(official, tmp_path):
    path = tmp_path / 'trainer.pth'
    torch.save(dict(official, trainer=Trainer()), path)
    with pytest.raises(ValueError, match=r'Python objects of .*\.Trainer\. (.|\n)*--allow-pickle'):
        read_official(path)
    checkpoint = read_official(path, allow_pickle=True)
    result = from_official(checkpoint)
    assert isinstance(checkpoint['trainer'], Trainer)
    assert list(result.dropped) == [EMPTY_WEIGHT, 'trainer']
    torch.save(result.checkpoint, tmp_path / 'ours.pth')
    torch.load(tmp_path / 'ours.pth', weights_only=True)


@pytest.mark.parametrize('kind', ['caption'])
def test_weights_on_their_own_are_read(official, tmp_path):
    """As tools/model_converters/keep_weights.py takes them out of a file with pickled objects."""
    save_file(official['model'], tmp_path / 'weights.safetensors')
    checkpoint = read_official(tmp_path / 'weights.safetensors')
    assert from_official(checkpoint).num_parameters['objectness'] == 2 * 64 + 2


@pytest.mark.parametrize('kind', ['label'])
def test_arrays_in_a_file_are_no_pickled_objects(official, tmp_path):
    official['model'] = {name: value.numpy() for name, value in official['model'].items()}
    torch.save(dict(official, best=np.float64(0.5)), tmp_path / 'arrays.pth')
    checkpoint = read_official(tmp_path / 'arrays.pth')
    assert checkpoint['best'] == 0.5
    assert from_official(checkpoint).num_parameters['text projection'] == 64 * 40 + 64


@pytest.mark.parametrize('kind', ['label'])
def test_files_that_cannot_be_read_are_named(official, tmp_path):
    torch.save(official, tmp_path / 'cut.pth')
    with open(tmp_path / 'cut.pth', 'r+b') as file:
        file.truncate(100_000)
    (tmp_path / 'text.pth').write_text('loss: 3.2')
    torch.save({'visual.conv1.weight': torch.ones(1)}, tmp_path / 'clip.pth')
    for name, message in {
        'cut': r'cut\.pth \(100,000 bytes\) cannot be read .* cut short',
        'text': r'text\.pth is text, not weights',
        'clip': r'clip\.pth is no official checkpoint of .* FC-CLIP: found visual\.conv1\.weight\.',
    }.items():
        with pytest.raises(ValueError, match=message):
            read_official(tmp_path / f'{name}.pth')
    with pytest.raises(FileNotFoundError, match=r'none\.pth'):
        read_official(tmp_path / 'none.pth')
