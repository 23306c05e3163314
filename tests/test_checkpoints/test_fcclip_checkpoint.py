"""Official checkpoints of FC-CLIP, with their frozen CLIP and without; the recipes apart."""

import json
from collections import OrderedDict
from pathlib import Path

import pytest
import torch

from mmodise.checkpoints import load_from_local
from mmodise.checkpoints.official import CLIP_PREFIX, from_official, official_names, to_official

DATA = Path(__file__).parents[1] / 'data'
FCCLIP = DATA / 'golden_fcclip'
EMPTY_WEIGHT = 'criterion.empty_weight'


def random_weights(keys, prefix=''):
    generator = torch.Generator().manual_seed(0)
    return OrderedDict(
        (prefix + name, torch.randn(shape, generator=generator))
        for name, (shape, _) in json.loads(keys.read_text()).items())


@pytest.fixture
def published():
    """Names and shapes of the small golden set, random numbers; no CLIP, as it was published."""
    return dict(model=random_weights(FCCLIP / 'keys_fcclip.json'))


@pytest.fixture
def trained(published):
    """The same as the authors' training saves it, with the frozen CLIP before all."""
    clip = random_weights(FCCLIP / 'keys_clip.json', CLIP_PREFIX)
    return dict(model=OrderedDict([*clip.items(), *published['model'].items()]), iteration=368750)


def assert_same(ours, theirs):
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[name], value) for name, value in theirs.items())


def test_there_and_back_without_clip(published):
    there = from_official(published)
    assert there.kind == 'fcclip' and list(there.dropped) == [EMPTY_WEIGHT]
    parameters = sum(value.numel() for value in published['model'].values()) - 9
    assert sum(there.num_parameters.values()) == parameters
    assert there.num_parameters['"no object"'] == 48
    assert_same(to_official(there.checkpoint).checkpoint['model'], published['model'])


def test_there_and_back_with_clip(trained, published):
    there = from_official(trained)
    assert list(there.dropped) == [f'{CLIP_PREFIX}*', EMPTY_WEIGHT, 'iteration']
    assert '96 tensors of the frozen CLIP' in there.dropped[f'{CLIP_PREFIX}*']
    assert not any('clip_model' in name for name in there.checkpoint['state_dict'])
    assert_same(to_official(there.checkpoint).checkpoint['model'], published['model'])
    clip = {name.removeprefix(CLIP_PREFIX): value for name, value in trained['model'].items()
            if name.startswith(CLIP_PREFIX)}
    back = to_official(there.checkpoint, clip=clip).checkpoint
    assert_same(back['model'], trained['model'])
    assert back['iteration'] == 368750 and not hasattr(back['model'], '_metadata')


def test_a_file_without_the_weights_of_classes_is_taken(published):
    """Whether the published one has them is not known."""
    del published['model'][EMPTY_WEIGHT]
    there = from_official(published)
    assert not there.dropped
    assert_same(to_official(there.checkpoint).checkpoint['model'], published['model'])
    more = to_official(there.checkpoint, num_classes=3).checkpoint['model']
    assert more[EMPTY_WEIGHT].tolist() == pytest.approx([1, 1, 1, 0.1])


def test_ours_of_a_training_becomes_official(published):
    state_dict = dict(sorted(from_official(published).checkpoint['state_dict'].items()))
    ours = dict(state_dict=state_dict, meta=dict(dataset_meta=dict(classes=tuple('abcdefgh'))))
    model = to_official(ours).checkpoint['model']
    assert_same(model, {**published['model'], EMPTY_WEIGHT: torch.tensor([1.0] * 8 + [0.1])})
    names = official_names(state_dict)
    assert names['panoptic_head.mask_embedding.embed.4.weight'] == (
        'sem_seg_head.predictor.class_embed.layers.2.weight')
    assert names['panoptic_head.mask_embedding.log_scale'] == 'sem_seg_head.predictor.logit_scale'
    assert names['panoptic_head.pixel_decoder.input_convs.0.conv.weight'] == (
        'sem_seg_head.pixel_decoder.input_proj.0.0.weight')
    assert names['panoptic_head.void_embedding.weight'] == 'void_embedding.weight'


def test_what_is_unknown_or_missing_is_named(published):
    published['model']['sem_seg_head.predictor.class_embed.weight'] = torch.ones(1)
    del published['model']['void_embedding.weight']
    with pytest.raises(ValueError, match=(
            r'1 unknown: sem_seg_head\.predictor\.class_embed\.weight; '
            r'1 missing: void_embedding\.weight')):
        from_official(published)


def test_the_recipe_is_told(published, tmp_path):
    torch.save(published, tmp_path / 'fcclip.pth')
    with pytest.raises(ValueError, match=r'is an official FC-CLIP checkpoint\. Convert it'):
        load_from_local(str(tmp_path / 'fcclip.pth'))
    ours = from_official(published).checkpoint
    with pytest.raises(ValueError, match=r"one of ours of the kind 'FC-CLIP', .*--to-official"):
        from_official(ours)
    with pytest.raises(ValueError, match=r"official one of the kind 'FC-CLIP', .*without --to-off"):
        to_official(published)
    keys = json.loads((DATA / 'golden_mini/keys_odise_label.json').read_text())
    label = from_official(dict(model={
        name: torch.zeros(shape) for name, (shape, _) in keys.items()})).checkpoint
    with pytest.raises(ValueError, match='of an ODISE label model, whose official files hold no C'):
        to_official(label, clip={'text_projection': torch.ones(1)})


def test_the_command_puts_clip_back(trained, load_tool, tmp_path, capsys):
    main = load_tool('convert_checkpoint').main
    paths = [str(tmp_path / name) for name in ('official.pth', 'ours.pth', 'back.pth', 'no.pth')]
    torch.save(trained, paths[0])
    main(paths[:2])
    assert 'FC-CLIP model, checkpoint of mmodise' in capsys.readouterr().out
    main([*paths[1:3], '--to-official', '--clip', paths[0]])
    assert_same(torch.load(paths[2], weights_only=True)['model'], trained['model'])
    with pytest.raises(SystemExit, match=r"--clip .*ours\.pth holds no CLIP in open_clip's names"):
        main([paths[1], paths[3], '--to-official', '--clip', paths[1]])
