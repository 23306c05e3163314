"""CLIP from files: formats, architectures, activations."""

import copy
import json
import logging
import os
import shutil
from pathlib import Path

import huggingface_hub
import numpy as np
import open_clip
import pytest
import torch
from open_clip.factory import _MODEL_CONFIGS
from safetensors.torch import load_file, save_file

from mmodise.checkpoints.clip_loading import load_clip
from mmodise.models import FrozenCLIP

DATA = Path(__file__).parents[1] / 'data'
ARCHITECTURE = dict(
    embed_dim=16, quick_gelu=True,
    vision_cfg=dict(image_size=32, layers=2, width=64, patch_size=8),
    text_cfg=dict(context_length=77, vocab_size=49408, width=64, heads=1, layers=2))
TEXTS = ['a photo of a cat.', 'grass']


@pytest.fixture(scope='module')
def reference():
    torch.manual_seed(0)
    return open_clip.CLIP(**ARCHITECTURE).eval()


@pytest.fixture(scope='module')
def expected(reference):
    with torch.no_grad():
        return reference.encode_text(open_clip.get_tokenizer('ViT-B-32')(TEXTS))


@pytest.fixture(scope='module')
def files(reference, tmp_path_factory):
    """The same weights in several formats."""
    folder = tmp_path_factory.mktemp('clip')
    weights = reference.state_dict()
    openai = {name: torch.tensor(0) for name in ('input_resolution', 'context_length')} | weights
    torch.save(weights, folder / 'state.pt')
    torch.save(dict(state_dict={f'module.{k}': v for k, v in weights.items()}, epoch=1),
               folder / 'training.pt')
    torch.save(openai, folder / 'openai_state.pt')
    save_file({name: value.contiguous() for name, value in weights.items()},
              folder / 'state.safetensors')
    torch.jit.script(reference).save(folder / 'openai.pt')
    gelu = open_clip.CLIP(**{**ARCHITECTURE, 'quick_gelu': False}).eval()
    gelu.load_state_dict(weights)
    torch.jit.script(gelu).save(folder / 'gelu.pt')
    return folder


@pytest.fixture
def named(monkeypatch):
    """The small architecture with names in open_clip, as all of its own have them."""
    for name, quick_gelu in (('tiny', False), ('tiny-quickgelu', True)):
        monkeypatch.setitem(_MODEL_CONFIGS, name, {**ARCHITECTURE, 'quick_gelu': quick_gelu})


@pytest.mark.parametrize('name', ['state.pt', 'training.pt', 'state.safetensors'])
def test_a_file_with_its_architecture(files, name, expected):
    clip = FrozenCLIP(str(files / name), architecture=ARCHITECTURE)
    assert (clip.embed_dim, clip.image_size, clip.patch_size) == (16, (32, 32), (8, 8))
    torch.testing.assert_close(clip.encode_texts(TEXTS), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize('name', ['openai.pt', 'openai_state.pt'])
def test_a_file_in_openais_format_tells_its_architecture(files, name, reference, expected):
    clip = FrozenCLIP(str(files / name))
    torch.testing.assert_close(clip.encode_texts(TEXTS), expected, rtol=0, atol=1e-5)
    images = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        embedded = reference.encode_image((images - clip.frozen.mean) / clip.frozen.std)
    torch.testing.assert_close(clip.encode_images(images), embedded, rtol=0, atol=1e-5)


@pytest.mark.parametrize('name', ['state.pt', 'openai.pt', 'openai_state.pt'])
def test_a_file_with_a_name(files, named, name, expected):
    clip = FrozenCLIP('tiny-quickgelu', str(files / name))
    torch.testing.assert_close(clip.encode_texts(TEXTS), expected, rtol=0, atol=1e-5)


def test_half_precision_files_are_computed_in_float32(reference, tmp_path, expected):
    half = {name: value.half() for name, value in reference.state_dict().items()}
    torch.save(half, tmp_path / 'half.pt')
    clip = FrozenCLIP(str(tmp_path / 'half.pt'), architecture=ARCHITECTURE)
    assert {p.dtype for p in clip.frozen.model.parameters()} == {torch.float32}
    torch.testing.assert_close(clip.encode_texts(TEXTS), expected, rtol=0, atol=5e-3)


def test_precision_of_a_file_is_open_clips(files):
    clip = FrozenCLIP(str(files / 'openai.pt'), precision='bf16')
    other = open_clip.CLIP(**ARCHITECTURE, cast_dtype=torch.bfloat16)
    open_clip.convert_weights_to_lp(other, torch.bfloat16)
    for (name, ours), theirs in zip(
            clip.frozen.model.named_parameters(), other.parameters(), strict=True):
        assert ours.dtype == theirs.dtype, name


def test_the_same_arguments_share_one_network(files):
    path = str(files / 'state.pt')
    first = FrozenCLIP(path, architecture=ARCHITECTURE)
    second = FrozenCLIP(path, architecture=copy.deepcopy(ARCHITECTURE))
    third = FrozenCLIP(path, architecture={**ARCHITECTURE, 'quick_gelu': False})
    assert first.frozen is second.frozen is not third.frozen


def test_the_two_activations_give_different_features(files, expected):
    other = FrozenCLIP(str(files / 'state.pt'), architecture={**ARCHITECTURE, 'quick_gelu': False})
    difference = (other.encode_texts(TEXTS) - expected).norm() / expected.norm()
    assert 1e-3 < difference < 0.3, 'enough to be wrong, too little to be noticed'


@pytest.mark.parametrize(('name', 'pretrained', 'right'), [
    ('ViT-L-14-336', 'openai', 'ViT-L-14-336-quickgelu'),
    ('ViT-B/16', 'dfn2b', 'ViT-B-16-quickgelu'),
    ('tiny', 'openai.pt', 'tiny-quickgelu'),
    ('tiny', 'openai_state.pt', 'tiny-quickgelu'),
    ('tiny-quickgelu', 'gelu.pt', 'tiny'),
])
def test_weights_of_the_other_activation_are_refused(files, named, name, pretrained, right):
    pretrained = str(files / pretrained) if pretrained.endswith('.pt') else pretrained
    with pytest.raises(RuntimeError, match=rf"wrong features .*; use model='{right}'\."):
        FrozenCLIP(name, pretrained)


def test_a_tag_of_the_right_name_gets_as_far_as_the_network(monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, 'HF_HUB_OFFLINE', True)
    message = r"(?s)pretrained='laion2b_s32b_b82k' .*Accepted: .*a local file .*a local folder"
    with pytest.raises(RuntimeError, match=message) as error:
        FrozenCLIP('ViT-L-14', 'laion2b_s32b_b82k')
    assert 'wrong features' not in str(error.value)


def test_a_hub_id_without_network_is_told_the_local_ways(monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, 'HF_HUB_OFFLINE', True)
    with pytest.raises(RuntimeError, match=r'(?s)hf-hub:nobody/nothing.*Accepted: .*a local fold'):
        FrozenCLIP('hf-hub:nobody/nothing')


def test_where_nothing_tells_the_activation_a_warning_does(files, named, log, expected):
    path = str(files / 'state.pt')
    FrozenCLIP('tiny', path)
    [(_, level, message)] = log.record_tuples
    assert level == logging.WARNING
    assert "tiny is built with GELU. OpenAI's weights, and some others, need 'tiny-qu" in message
    log.clear()
    FrozenCLIP('tiny', path, architecture=dict(quick_gelu=False))
    assert log.records == [], 'the user has said it'
    clip = FrozenCLIP('tiny', path, architecture=dict(quick_gelu=True))
    torch.testing.assert_close(clip.encode_texts(TEXTS), expected, rtol=0, atol=1e-5)
    FrozenCLIP('tiny-quickgelu', path)
    assert [record.levelname for record in log.records] == ['INFO']


def test_what_a_file_does_not_tell_is_asked_for(files, named):
    path = str(files / 'state.pt')
    with pytest.raises(RuntimeError, match=r'number of heads.*sizes as tiny, tiny-quickgelu\), or'):
        FrozenCLIP(path)
    silent = {name: value for name, value in ARCHITECTURE.items() if name != 'quick_gelu'}
    with pytest.raises(RuntimeError, match=r'tells the activation.*architecture=dict\(quick_gelu='):
        FrozenCLIP(path, architecture=silent)


def test_narrow_heads_are_asked_for(tmp_path):
    narrow = copy.deepcopy(ARCHITECTURE)
    narrow['text_cfg'].update(width=32, heads=2)
    torch.jit.script(open_clip.CLIP(**narrow).eval()).save(tmp_path / 'narrow.pt')
    with pytest.raises(RuntimeError, match=r'architecture=dict\(text_cfg=dict\(heads='):
        FrozenCLIP(str(tmp_path / 'narrow.pt'))
    clip = FrozenCLIP(str(tmp_path / 'narrow.pt'), architecture=dict(text_cfg=dict(heads=2)))
    assert clip.frozen.model.transformer.resblocks[0].attn.num_heads == 2


def test_weights_of_another_size_are_refused_not_resized(files, named):
    larger = dict(vision_cfg=dict(image_size=64))
    message = (r'1 of another shape: visual\.positional_embedding \(17, 64\), expected \(65, 64\) '
               r'\(open_clip has these sizes as tiny, tiny-quickgelu\)')
    with pytest.raises(RuntimeError, match=message):
        FrozenCLIP('tiny', str(files / 'state.pt'), architecture=larger)


@pytest.mark.parametrize(('arguments', 'message'), [
    (dict(model='state.pt', pretrained='openai'), '`model` is a file of weights; `pretrained`'),
    (dict(model='state.pt', precision='fp8', architecture=ARCHITECTURE), "'fp8' is not one of"),
    (dict(model='ViT-B-32-quickgelu', pretrained='openai', architecture=dict(quick_gelu=True)),
     '`architecture` goes with a local file'),
])
def test_arguments_that_do_not_go_together(files, arguments, message):
    model = arguments['model']
    model = str(files / model) if model.endswith('.pt') else model
    with pytest.raises(RuntimeError, match=message):
        FrozenCLIP(**{**arguments, 'model': model})


class Attack:
    """Runs a command when it is read."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command, )


def test_nothing_of_a_file_or_folder_is_run(tmp_path, small_models):
    mark = tmp_path / 'mark'
    attack = dict(weight=torch.ones(1), x=Attack(f'touch {mark}'))
    torch.save(attack, tmp_path / 'clip.pt')
    for model, pretrained in ((str(tmp_path / 'clip.pt'), None),
                              ('ViT-B-32-quickgelu', str(tmp_path / 'clip.pt'))):
        with pytest.raises(RuntimeError, match=r'clip\.pt is dangerous'):
            FrozenCLIP(model, pretrained)
    folder = shutil.copytree(small_models / 'clip', tmp_path / 'folder')
    weights = load_file(folder / 'open_clip_model.safetensors')
    (folder / 'open_clip_model.safetensors').unlink()
    torch.save(weights, folder / 'open_clip_pytorch_model.bin')
    assert FrozenCLIP(str(folder)).embed_dim == weights['text_projection'].shape[1]
    torch.save({**weights, **attack}, folder / 'open_clip_pytorch_model.bin')
    with pytest.raises(RuntimeError, match='folder'):
        FrozenCLIP(str(folder))
    assert not mark.exists()


def test_other_files_are_refused(files, tmp_path):
    torch.save({'model.diffusion_model.x': torch.ones(1)}, tmp_path / 'sd.ckpt')
    with pytest.raises(RuntimeError, match=r'not the weights of a CLIP .* model\.diffusion_mo'):
        FrozenCLIP(str(tmp_path / 'sd.ckpt'), architecture=ARCHITECTURE)
    cut = shutil.copy(files / 'state.pt', tmp_path / 'cut.pt')
    os.truncate(cut, 5000)
    with pytest.raises(RuntimeError, match=r'cut\.pt \(5,000 bytes\) .* cut short'):
        FrozenCLIP(str(cut), architecture=ARCHITECTURE)


@pytest.mark.parametrize('form', ['state dict', "OpenAI's"])
def test_embeddings_are_the_official_ones(original_file, tmp_path, form):
    """From a file as it was saved by the official release's open_clip, and as OpenAI saves them."""
    meta = json.loads((DATA / 'golden_open_parts/parts.json').read_text())
    golden = np.load(DATA / 'golden_open_parts/texts_and_window.npz')
    path, architecture = original_file('clip'), meta['arch']['clip']
    if form == "OpenAI's":
        clip = open_clip.CLIP(**architecture).eval()
        clip.load_state_dict(torch.load(path, weights_only=True))
        torch.jit.script(clip).save(tmp_path / 'openai.pt')
        path = tmp_path / 'openai.pt'
        architecture = dict(text_cfg=dict(heads=2))  # which no such file tells
    clip = FrozenCLIP(str(path), architecture=architecture)
    np.testing.assert_array_equal(
        clip.frozen.tokenizer(meta['text']), golden['open_clip_tokens'])
    np.testing.assert_allclose(
        clip.encode_texts(meta['text']), golden['open_clip_text_embed'], rtol=0, atol=1e-5)
    embedded = clip.encode_images(torch.from_numpy(golden['window'])[None] / 255)
    np.testing.assert_allclose(
        embedded, golden['prefix'], rtol=0, atol=1e-4 * np.abs(golden['prefix']).max())


def test_full_size_on_the_meta_device(tmp_path):
    names = json.loads((DATA / 'full_size_names.json').read_text())['clip_vitl14_336']
    torch.save({name: torch.empty(shape, device='meta') for name, shape in names.items()},
               tmp_path / 'clip.pt')
    with torch.device('meta'):
        clip = FrozenCLIP('ViT-L-14-336-quickgelu', str(tmp_path / 'clip.pt'))
    assert sum(p.numel() for p in clip.frozen.model.parameters()) == 427_944_193
    assert (clip.embed_dim, clip.image_size) == (768, (336, 336))
    with pytest.raises(RuntimeError, match=r'sizes as ViT-L-14-336, ViT-L-14-336-quickgelu\)'):
        FrozenCLIP('ViT-L-14-quickgelu', str(tmp_path / 'clip.pt'))


def same_weights(ours, theirs):
    ours, theirs = ours.state_dict(), theirs.state_dict()
    assert list(ours) == list(theirs)
    return all(value.dtype == theirs[name].dtype and torch.equal(value, theirs[name])
               for name, value in ours.items())


def test_weights_of_a_tag_are_neither_drawn_nor_copied(
        files, named, monkeypatch, weight_operations):
    tag = dict(file=str(files / 'state.safetensors'), quick_gelu=True, mean=(0.1, 0.2, 0.3),
               std=(0.4, 0.5, 0.6))
    monkeypatch.setattr(open_clip, 'get_pretrained_cfg', lambda name, pretrained: tag)
    with weight_operations(30_000) as seen:
        clip = FrozenCLIP('tiny-quickgelu', 'tagged')
    assert seen == set()
    for precision in ('fp32', 'bf16'):
        network, _ = load_clip('tiny-quickgelu', 'tagged', precision)
        with weight_operations(30_000) as seen:
            plain = open_clip.create_model(
                'tiny-quickgelu', pretrained=tag['file'], precision=precision)
        assert {'aten::normal_', 'aten::copy_'} <= seen, 'what is looked for is seen'
        assert same_weights(network, plain)
    torch.testing.assert_close(clip.frozen.mean.flatten(), torch.tensor(tag['mean']))
    torch.testing.assert_close(clip.frozen.std.flatten(), torch.tensor(tag['std']))


def test_a_tag_that_open_clip_must_adapt_is_left_to_it(named, monkeypatch, tmp_path, reference):
    weights = {**reference.state_dict()}
    weights['positional_embedding'] = weights['positional_embedding'].repeat(2, 1)
    save_file(weights, tmp_path / 'long.safetensors')
    tag = dict(file=str(tmp_path / 'long.safetensors'), quick_gelu=True)
    monkeypatch.setattr(open_clip, 'get_pretrained_cfg', lambda name, pretrained: tag)
    monkeypatch.setattr(open_clip.factory, 'get_pretrained_cfg', lambda name, pretrained: tag)
    network, _ = load_clip('tiny-quickgelu', 'tagged')
    assert network.positional_embedding.shape == (77, 64)
