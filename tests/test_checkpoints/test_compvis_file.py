"""Stable Diffusion from a single file, against the official model's numbers (golden set 'mini')."""

import json
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from safetensors.torch import save_file

from mmodise.checkpoints.stable_diffusion.loading import load_stable_diffusion, load_text_encoder
from mmodise.models import StableDiffusionExtractor

TESTS = Path(__file__).parents[1]
GOLDEN = TESTS / 'data/golden_mini'
PARTS = TESTS / 'data/golden_open_parts'
ARCHITECTURE = dict(unet=dict(sample_size=16), text_encoder=dict(num_attention_heads=4))


@pytest.fixture(scope='module')
def path(golden_file):
    return str(golden_file('sd'))


@pytest.fixture(scope='module')
def weights(path):
    """Names and tensors of the small file."""
    return torch.load(path, weights_only=True)['state_dict']


def changed(weights, folder, without=(), **tensors):
    """A file that lacks the weights with these beginnings, and has others in addition."""
    weights = {name: value for name, value in weights.items() if not name.startswith(without)}
    torch.save({**weights, **tensors}, folder / 'changed.ckpt')
    return str(folder / 'changed.ckpt')


def sampled(tensor, count=1024):
    """As the golden set stores what is large."""
    flat = tensor.flatten()
    if len(flat) <= count:
        return flat.numpy()
    return flat.numpy()[(np.arange(count, dtype=np.int64) * 2654435761) % len(flat)]


def test_features_are_the_official_ones(path):
    common = np.load(GOLDEN / 'common.npz')
    stages = np.load(GOLDEN / 'label_img0.npz')
    extractor = StableDiffusionExtractor(path, architecture=ARCHITECTURE)
    assert extractor.image_size == 128
    np.testing.assert_allclose(
        sampled(extractor.frozen.empty_text), common['uncond_inputs'].ravel(), rtol=0, atol=2e-5)
    image = np.load(GOLDEN / 'inputs.npz')['image0'][:, :128, :128]
    maps = extractor(torch.from_numpy(image)[None] / 255)
    for index, name in ((0, 'enc0'), (1, 'enc1'), (6, 'dec0'), (7, 'dec1')):
        expected = stages[f'win0.{name}'].ravel()
        tolerance = 1e-4 * np.abs(expected).max()
        np.testing.assert_allclose(sampled(maps[index]), expected, rtol=0, atol=tolerance)


def test_texts_are_the_official_ones(original_file):
    """From the text encoder's part of a file as it was saved."""
    texts = np.load(PARTS / 'texts_and_window.npz')
    encoder = load_text_encoder(str(original_file('stable_diffusion_text')), ARCHITECTURE)
    with torch.no_grad():
        ours = encoder(torch.from_numpy(texts['hf_tokens']))
    np.testing.assert_allclose(ours.last_hidden_state, texts['ldm_text_embed'], rtol=0, atol=2e-5)


@pytest.mark.parametrize('kind', ['safetensors', 'half', 'bare', 'with_more'])
def test_other_forms_of_the_same_file(weights, path, tmp_path, kind):
    other = tmp_path / ('sd.safetensors' if kind == 'safetensors' else 'sd.ckpt')
    if kind == 'safetensors':
        save_file(weights, other)
    elif kind == 'with_more':  # averages, the VAE's loss, and older names of transformers
        more = ('model_ema.decay', 'model_ema.diffusion_modeltime_embed0weight', 'logvar',
                'first_stage_model.loss.logvar',
                'cond_stage_model.transformer.text_model.embeddings.position_ids')
        torch.save({**weights, **{name: torch.ones(1) for name in more}}, other)
    else:
        torch.save({k: v.half() if kind == 'half' else v for k, v in weights.items()}, other)
    tolerance = 2e-2 if kind == 'half' else 0
    for ours, first in zip(load_stable_diffusion(str(other), architecture=ARCHITECTURE),
                           load_stable_diffusion(path, architecture=ARCHITECTURE), strict=True):
        if isinstance(ours, torch.Tensor):
            torch.testing.assert_close(ours, first, rtol=0, atol=tolerance)
            continue
        assert not ours.training
        for one, two in zip(ours.parameters(), first.parameters(), strict=True):
            assert one.dtype == torch.float32
            torch.testing.assert_close(one, two, rtol=1e-3 if kind == 'half' else 0, atol=tolerance)


def test_linear_layers_around_transformers_are_known_as_version_2(weights, path, tmp_path):
    """They compute the same as convolutions of size 1, if the heads are as many."""
    flat = {name: value[:, :, 0, 0] if '.1.proj_' in name and value.ndim == 4 else value
            for name, value in weights.items()}
    torch.save(flat, tmp_path / 'sd2.ckpt')
    with pytest.raises(ValueError, match=r'architecture=dict\(unet=dict\(attention_head_dim='):
        load_stable_diffusion(str(tmp_path / 'sd2.ckpt'), architecture=ARCHITECTURE)
    unets = [
        load_stable_diffusion(file, architecture=dict(
            ARCHITECTURE, unet=dict(sample_size=16, attention_head_dim=8)))[1]
        for file in (path, str(tmp_path / 'sd2.ckpt'))]
    inputs = dict(
        sample=torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(0)), timestep=3,
        encoder_hidden_states=torch.ones(1, 77, 48), class_labels=torch.zeros(1, 128))
    with torch.no_grad():
        first, second = (unet(**inputs).sample for unet in unets)
    assert unets[1].config.use_linear_projection
    torch.testing.assert_close(first, second, rtol=0, atol=1e-5)


def test_the_text_encoder_of_version_2_is_open_clips_last_but_one_layer(weights, tmp_path):
    torch.manual_seed(0)
    clip = open_clip.CLIP(
        8, dict(layers=1, width=64, patch_size=16, image_size=32),
        dict(width=128, heads=2, layers=3, vocab_size=100, context_length=9)).eval()
    tower = {f'cond_stage_model.model.{name}': value for name, value in clip.state_dict().items()
             if not name.startswith('visual.')}
    path = changed(weights, tmp_path, 'cond_stage_model.', **tower)
    encoder = load_text_encoder(path)
    assert encoder.config.num_hidden_layers == 2
    assert (encoder.config.num_attention_heads, encoder.config.hidden_act) == (2, 'gelu')
    tokens = torch.tensor([[98, 99, 0, 0, 0, 0, 0, 0, 0]])  # begin, end, padded with 0
    with torch.no_grad():
        x = clip.token_embedding(tokens) + clip.positional_embedding
        for block in clip.transformer.resblocks[:2]:
            x = block(x, attn_mask=clip.attn_mask)
        expected = clip.ln_final(x)
    torch.testing.assert_close(encoder(tokens).last_hidden_state, expected, rtol=0, atol=1e-5)
    _, _, empty = load_stable_diffusion(path, with_unet=False)
    torch.testing.assert_close(empty, expected, rtol=0, atol=1e-5)


def test_levels_without_attention_are_known(weights, tmp_path):
    first_level = tuple(f'model.diffusion_model.{block}.1.' for block in (
        'input_blocks.1', 'input_blocks.2', 'output_blocks.9', 'output_blocks.10',
        'output_blocks.11'))
    _, unet, _ = load_stable_diffusion(
        changed(weights, tmp_path, first_level), architecture=ARCHITECTURE)
    attention = 'CrossAttnDownBlock2D'
    assert unet.config.down_block_types == ['DownBlock2D', attention, attention, 'DownBlock2D']
    assert not any(p.is_meta for p in unet.parameters())


@pytest.mark.parametrize('version', [1, 2])
def test_full_size_on_the_meta_device(tmp_path, version):
    names = json.loads((TESTS / 'data/full_size_names.json').read_text())['sd_v1']
    weights = {name: torch.empty(shape, device='meta') for name, shape in names.items()}
    if version == 2:  # linear layers, a wider context, another text encoder
        weights = {name: as_version_2(name, value) for name, value in weights.items()
                   if not name.startswith('cond_stage_model.')} | text_tower_of_version_2()
    torch.save(dict(state_dict=weights), tmp_path / 'meta.ckpt')
    with torch.device('meta'):
        vae, unet, text = load_stable_diffusion(str(tmp_path / 'meta.ckpt'))
        encoder = load_text_encoder(str(tmp_path / 'meta.ckpt'))
        extractor = StableDiffusionExtractor(str(tmp_path / 'meta.ckpt'))
    sizes = [sum(p.numel() for p in network.parameters()) for network in (unet, vae, encoder)]
    assert extractor.image_size == 512
    if version == 1:
        assert sizes == [859_520_964, 83_653_863, 123_060_480]
        assert unet.config.attention_head_dim == 8
        assert (encoder.config.num_attention_heads, encoder.config.num_hidden_layers) == (12, 12)
        assert text.shape == (1, 77, 768)
        assert extractor.feature_widths == [512, 512, 2560, 1920, 960, 640, 512, 512]
    else:  # as diffusers counts them in Stable Diffusion 2.1
        assert sizes == [865_910_724, 83_653_863, 340_387_840]
        assert unet.config.attention_head_dim == [5, 10, 20, 20]
        assert (encoder.config.num_attention_heads, encoder.config.num_hidden_layers) == (16, 23)
        assert text.shape == (1, 77, 1024)


def as_version_2(name, value):
    if name.endswith(('attn2.to_k.weight', 'attn2.to_v.weight')):
        return torch.empty(len(value), 1024, device='meta')
    if '.1.proj_' in name and value.ndim == 4:
        return value[:, :, 0, 0]
    return value


def text_tower_of_version_2():
    with torch.device('meta'):
        clip = open_clip.CLIP(
            1024, dict(layers=1, width=64, patch_size=16, image_size=32),
            dict(width=1024, heads=16, layers=24))
    return {f'cond_stage_model.model.{name}': value for name, value in clip.state_dict().items()
            if not name.startswith('visual.')}


@pytest.mark.parametrize('name', [
    'model.diffusion_model.input_blocks.1.0.in_layers.0.weight',
    'model.diffusion_model.input_blocks.3.0.op.bias',
    'model.diffusion_model.input_blocks.4.0.out_layers.3.weight',
    'model.diffusion_model.middle_block.1.transformer_blocks.0.attn2.to_k.weight',
    'model.diffusion_model.output_blocks.5.1.transformer_blocks.0.ff.net.0.proj.bias',
    'model.diffusion_model.time_embed.2.weight',
    'first_stage_model.encoder.mid.attn_1.q.weight',
    'first_stage_model.decoder.up.2.block.1.norm2.bias',
    'first_stage_model.quant_conv.weight',
    'cond_stage_model.transformer.text_model.encoder.layers.1.mlp.fc2.bias',
    'cond_stage_model.transformer.text_model.final_layer_norm.weight',
])
def test_a_missing_weight_is_named_as_in_the_file(weights, tmp_path, name):
    path = changed(weights, tmp_path, without=name)
    with pytest.raises(ValueError, match=rf'(lacks|1 missing:) {name}'):
        load_stable_diffusion(path, architecture=ARCHITECTURE)


@pytest.mark.parametrize('name', [
    'model.diffusion_model.label_emb.0.0.weight', 'first_stage_model.encoder.down.1.attn.0.q.bias',
    'cond_stage_model.transformer.text_model.encoder.layers.1.mlp.fc3.bias'])
def test_an_unknown_weight_is_named(weights, tmp_path, name):
    path = changed(weights, tmp_path, **{name: torch.ones(64)})
    with pytest.raises(ValueError, match=rf'1 that the model does not have: {name}'):
        load_stable_diffusion(path, architecture=ARCHITECTURE)


def test_a_weight_of_another_shape_is_named(weights, tmp_path):
    name = 'model.diffusion_model.output_blocks.0.0.out_layers.3.bias'
    path = changed(weights, tmp_path, **{name: torch.ones(3)})
    with pytest.raises(ValueError, match=r'1 of another shape: .* \(3,\), expected \(64,\)'):
        load_stable_diffusion(path, architecture=ARCHITECTURE)


@pytest.mark.parametrize(('without', 'message'), [
    ('first_stage_model.', r'no weights of the vae \(first_stage_model\.\*\)\. Its names'),
    (('first_stage_model.', 'cond_stage_model.'),
     r'the vae \(first_stage_model\.\*\) and the text_encoder \(cond_stage_model\.\*\)'),
    ('model.', r'no weights of the unet \(model\.diffusion_model\.\*\)'),
])
def test_a_part_that_is_not_there_is_named_with_what_it_is_for(
        weights, tmp_path, without, message):
    path = changed(weights, tmp_path, without)
    with pytest.raises(ValueError, match=rf'{message}.*\n  Accepted: .*\(makes latents of images'):
        load_stable_diffusion(path, architecture=ARCHITECTURE)


def test_what_is_not_asked_for_may_be_missing(weights, tmp_path):
    path = changed(weights, tmp_path, 'model.')
    vae, unet, text = load_stable_diffusion(path, with_unet=False, architecture=ARCHITECTURE)
    assert unet is None and text.shape == (1, 77, 48) and vae.config.latent_channels == 4
    path = changed(weights, tmp_path, ('model.', 'first_stage_model.'))
    assert load_text_encoder(path, ARCHITECTURE).config.hidden_size == 48


def test_tensors_of_no_part_are_told(weights, tmp_path, log):
    path = changed(weights, tmp_path, **{'embedding_manager.initial': torch.ones(1)})
    load_text_encoder(path, ARCHITECTURE)
    assert len(log.messages) == 1
    assert f'{path}: embedding_manager.initial (1 in all) belong to no part' in log.messages[0]


@pytest.mark.parametrize(('name', 'message'), [
    ('backbone.feature_extractor.x.weight',
     'a checkpoint of the official ODISE.*mim run mmodise convert_checkpoint'),
    ('backbone.captioner.text_gate', 'a checkpoint of mmodise, which is for `load_from`'),
    ('down_blocks.0.resnets.0.norm1.weight', "one network in diffusers' names; give the folder"),
    ('encoder.down_blocks.0.resnets.0.norm1.weight', "one network in diffusers' names"),
    ('encoder.down.0.block.0.norm1.weight', 'a VAE without its prefix'),
    ('conditioner.embedders.0.transformer.x', 'Stable Diffusion XL'),
    ('lora_unet_down_blocks_0', 'a LoRA'),
    ('visual.conv1.weight', 'a CLIP'),
])
def test_files_of_other_kinds_are_known(tmp_path, name, message):
    torch.save(dict(model={name: torch.ones(1)}), tmp_path / 'other.ckpt')
    message = rf'(?s)no weights of the vae .*looks like {message}.*{name}.*Accepted: '
    with pytest.raises(ValueError, match=message):
        load_stable_diffusion(str(tmp_path / 'other.ckpt'))


def test_a_model_for_inpainting_is_refused(weights, tmp_path):
    name = 'model.diffusion_model.input_blocks.0.0.weight'
    path = changed(weights, tmp_path, **{name: torch.ones(32, 9, 3, 3)})
    with pytest.raises(ValueError, match='UNet takes 9 channels and the VAE makes 4; models for'):
        load_stable_diffusion(path, architecture=ARCHITECTURE)


def test_heads_that_no_file_tells_are_asked_for(path):
    with pytest.raises(ValueError, match=r'dict\(text_encoder=dict\(num_attention_heads='):
        load_text_encoder(path)


@pytest.mark.parametrize(('architecture', 'message'), [
    (dict(unit=dict(sample_size=16)), r"'unit' is not known; parts are unet, vae, text_encoder"),
    (dict(unet=dict(sample_sise=16)), "unet has no setting 'sample_sise', did you mean 'sample_si"),
    (dict(text_encoder=dict(heads=4)), "text_encoder has no setting 'heads'"),
])
def test_settings_that_there_are_not(architecture, message):
    with pytest.raises(ValueError, match=message):
        load_text_encoder('mmodise://shapes/stable_diffusion', architecture)
