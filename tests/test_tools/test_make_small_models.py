import importlib
import math
from pathlib import Path
from types import ModuleType

import numpy as np
import open_clip
import pytest
import torch
from diffusers import (
    AmusedPipeline,
    AutoencoderKL,
    PNDMScheduler,
    StableDiffusion3Pipeline,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from open_clip.tokenizer import HFTokenizer, SimpleTokenizer
from torch import Tensor
from transformers import CLIPTextModel

from mmodise.datasets.shapes_world import STUFF, THINGS, draw_scene

ROOT = Path(__file__).parents[2]
NAMES = (*THINGS, *STUFF)
END = '<|endoftext|>'


@pytest.fixture(scope='module')
def make_small_models() -> ModuleType:
    return importlib.import_module('mmodise.benchmark.small_models')


@pytest.fixture(scope='module')
def out_dir(make_small_models, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp('small_models')
    make_small_models.make_small_models(folder)
    return folder


@pytest.fixture(scope='module')
def clip(out_dir) -> open_clip.CLIP:
    return open_clip.create_model(f'local-dir:{out_dir / "clip"}').eval()


@pytest.fixture(scope='module')
def clip_tokenizer(out_dir) -> HFTokenizer:
    return open_clip.get_tokenizer(f'local-dir:{out_dir / "clip"}')


@pytest.fixture(scope='module')
def sd_dir(out_dir) -> Path:
    return out_dir / 'stable_diffusion'


@pytest.fixture(scope='module')
def images() -> Tensor:
    scenes = [draw_scene(np.random.default_rng(seed)).image for seed in range(4)]
    return torch.from_numpy(np.stack(scenes)).permute(0, 3, 1, 2) / 255  # (4, 3, 128, 128)


def test_equal_seeds_give_equal_files(make_small_models, out_dir, tmp_path):
    make_small_models.make_small_models(tmp_path)
    names = sorted(path.relative_to(out_dir) for path in out_dir.rglob('*') if path.is_file())
    assert len(names) == 18
    for name in names:
        assert (tmp_path / name).read_bytes() == (out_dir / name).read_bytes(), name


def test_another_seed_gives_other_weights_and_leaves_the_generator_alone(
        make_small_models, clip, tmp_path):
    before = torch.random.get_rng_state()
    make_small_models.make_small_models(tmp_path, seed=1)
    assert torch.equal(torch.random.get_rng_state(), before)
    other = open_clip.create_model(f'local-dir:{tmp_path / "clip"}')
    assert not torch.allclose(other.visual.proj, clip.visual.proj, atol=0.01)


def test_clip_is_openai_shaped(clip):
    assert clip.logit_scale.item() == pytest.approx(math.log(1 / 0.07))
    assert isinstance(clip.transformer.resblocks[0].mlp.gelu, open_clip.transformer.QuickGELU)
    assert isinstance(clip.visual.transformer.resblocks[0].mlp.gelu,
                      open_clip.transformer.QuickGELU)
    assert clip.visual.image_mean == pytest.approx((0.48145466, 0.4578275, 0.40821073))


def test_tokenizer_splits_words_of_the_world_as_clip_does(clip_tokenizer):
    full = SimpleTokenizer()
    texts = [*NAMES, 'a photo of two golden hoops beside the snowfield, under the starry sky.']
    for text in texts:
        expected = ['<|startoftext|>', *(full.decoder[i] for i in full.encode(text)), END]
        ids = clip_tokenizer([text])[0].tolist()
        tokens = clip_tokenizer.tokenizer.convert_ids_to_tokens(ids)
        assert tokens[:len(expected)] == expected
        assert set(tokens[len(expected):]) <= {END}
        assert len(ids) == 77


@pytest.mark.parametrize('text', ["it's 2 zebras, isn't it?", 'naïve café', '象'])
def test_tokenizer_spells_any_other_text(clip_tokenizer, text):
    ids = clip_tokenizer.tokenizer(text).input_ids
    spelt = clip_tokenizer.tokenizer.decode(ids, skip_special_tokens=True)
    assert spelt.replace(' ', '') == text.replace(' ', '')


def test_both_models_have_the_same_tokenizer(out_dir, sd_dir):
    for name in ('vocab.json', 'merges.txt', 'tokenizer_config.json'):
        assert (out_dir / 'clip' / name).read_text() == (sd_dir / 'tokenizer' / name).read_text()


def test_text_encoder_is_clips_text_tower(clip, clip_tokenizer, sd_dir):
    encoder = CLIPTextModel.from_pretrained(sd_dir, subfolder='text_encoder').eval()
    tokens = clip_tokenizer(NAMES)
    with torch.no_grad():
        hidden = clip.token_embedding(tokens) + clip.positional_embedding
        hidden = clip.ln_final(clip.transformer(hidden, attn_mask=clip.attn_mask))
        actual = encoder(tokens).last_hidden_state
    assert actual.shape == (24, 77, 64) and actual.std() > 0.5
    torch.testing.assert_close(actual, hidden, atol=1e-5, rtol=0)


def test_stable_diffusion_has_the_structure_of_1_x(sd_dir):
    unet = UNet2DConditionModel.from_pretrained(sd_dir, subfolder='unet')
    attention = [[hasattr(block, 'attentions') for block in blocks]
                 for blocks in (unet.down_blocks, unet.up_blocks)]
    assert attention == [[True, True, True, False], [False, True, True, True]]
    assert [len(block.resnets) for block in unet.up_blocks] == [3, 3, 3, 3]
    attn2 = unet.up_blocks[1].attentions[0].transformer_blocks[0].attn2
    assert (attn2.heads, attn2.to_k.in_features) == (2, 64)
    scheduler = PNDMScheduler.from_pretrained(sd_dir, subfolder='scheduler')
    assert scheduler.alphas_cumprod[0].item() == pytest.approx(1 - 0.00085)
    # The product of all 1 - beta for sqrt(beta) linear from sqrt(0.00085) to sqrt(0.012).
    assert scheduler.alphas_cumprod[-1].item() == pytest.approx(0.00466, abs=1e-5)


def test_diffusers_own_pipeline_reads_the_folder(sd_dir):
    pipeline = StableDiffusionPipeline.from_pretrained(sd_dir, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    image = pipeline('a red ball', num_inference_steps=1, output_type='np').images
    assert image.shape == (1, 128, 128, 3) and image.std() > 0.05


def test_features_keep_a_scale_near_one(sd_dir, clip_tokenizer, images):
    vae = AutoencoderKL.from_pretrained(sd_dir, subfolder='vae').eval()
    unet = UNet2DConditionModel.from_pretrained(sd_dir, subfolder='unet').eval()
    text = CLIPTextModel.from_pretrained(sd_dir, subfolder='text_encoder').eval()
    read = [vae.encoder.down_blocks[2].resnets[1], vae.encoder.down_blocks[3].resnets[1],
            *(block.resnets[2] for block in unet.up_blocks),
            *(block.resnets[2] for block in vae.decoder.up_blocks[:2])]
    features = []
    for block in read:
        block.register_forward_pre_hook(lambda _, inputs: features.append(inputs[0]))
    with torch.no_grad():
        latent = vae.encode(2 * images - 1).latent_dist.mean * vae.config.scaling_factor
        empty = text(clip_tokenizer([''])).last_hidden_state
        unet(latent, 0, empty.expand(4, -1, -1))
        vae.decode(latent / vae.config.scaling_factor)
    assert 0.4 < latent.std() < 1.2
    assert [tuple(f.shape[1:]) for f in features] == [
        (48, 32, 32), (48, 16, 16), (80, 2, 2), (80, 4, 4), (80, 8, 8), (80, 16, 16),
        (48, 16, 16), (48, 32, 32)]
    for feature in features:
        assert 0.6 < feature.std() < 2.5
        assert feature.std(dim=0).mean() > 0.4  # images differ
        assert feature.std(dim=(2, 3)).mean() > 0.4  # and so do places


def test_a_stable_diffusion_xl_is_read_by_diffusers_own_pipeline(load_tool, tmp_path):
    load_tool('make_small_models').main([str(tmp_path), '--xl'])
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        'stable_diffusion_xl', 'stable_diffusion_xl.safetensors', 'stable_diffusion_xl_fp16']
    for variant, name in ((None, 'stable_diffusion_xl'), ('fp16', 'stable_diffusion_xl_fp16')):
        pipeline = StableDiffusionXLPipeline.from_pretrained(
            tmp_path / name, variant=variant, torch_dtype=torch.float32, local_files_only=True)
        pipeline.set_progress_bar_config(disable=True)
        image = pipeline(
            'a red ball', height=128, width=128, num_inference_steps=1, output_type='np').images
        assert image.shape == (1, 128, 128, 3) and image.std() > 0.05


def test_a_stable_diffusion_3_is_read_by_diffusers_own_pipeline(load_tool, tmp_path):
    load_tool('make_small_models').main([str(tmp_path), '--sd3'])
    pipeline = StableDiffusion3Pipeline.from_pretrained(
        tmp_path / 'stable_diffusion_3', text_encoder_3=None, tokenizer_3=None,
        local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    image = pipeline(
        'a red ball', num_inference_steps=1, max_sequence_length=0, output_type='np').images
    assert image.shape == (1, 128, 128, 3) and image.std() > 0.05


def test_an_amused_is_read_by_diffusers_own_pipeline(load_tool, tmp_path):
    load_tool('make_small_models').main([str(tmp_path), '--amused'])
    pipeline = AmusedPipeline.from_pretrained(tmp_path / 'amused', local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    image = pipeline('a red ball', num_inference_steps=2, output_type='np').images
    assert image.shape == (1, 128, 128, 3) and image.std() > 0.05
