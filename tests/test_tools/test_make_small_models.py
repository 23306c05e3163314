import importlib
import itertools
import math
from pathlib import Path
from types import ModuleType

import numpy as np
import open_clip
import pytest
import torch
from diffusers import AutoencoderKL, PNDMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer

from mmodise.datasets.shapes_world import STUFF, THINGS, draw_scene

ROOT = Path(__file__).parents[2]
NAMES = (*THINGS, *STUFF)
PROMPTS = ['', 'a red ball on the grass', "it's 2 STRIPED  boxes, isn't it?", 'naïve café']


@pytest.fixture(scope='module')
def make_small_models() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / 'tools')
        return importlib.import_module('make_small_models')


@pytest.fixture(scope='module')
def out_dir(make_small_models, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp('small_models')
    make_small_models.make_small_models(folder)
    return folder


@pytest.fixture(scope='module')
def clip(out_dir) -> open_clip.CLIP:
    return open_clip.create_model(f'local-dir:{out_dir / "clip"}').eval()


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
    assert len(names) == 14
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


def test_open_clip_tokenizer_is_openais(out_dir):
    tokens = open_clip.get_tokenizer(f'local-dir:{out_dir / "clip"}')(['a photo of a cat'])
    # "a photo of a cat" in OpenAI's vocabulary, then padding with 0.
    assert tokens[0, :8].tolist() == [49406, 320, 1125, 539, 320, 2368, 49407, 0]
    assert tokens.shape == (1, 77)


def test_names_are_told_apart_and_shared_words_bring_them_closer(clip):
    with torch.no_grad():
        embeddings = clip.encode_text(open_clip.get_tokenizer('ViT-L-14')(NAMES), normalize=True)
    cosine = embeddings @ embeddings.T
    related, unrelated = [], []
    for i, j in itertools.combinations(range(len(NAMES)), 2):
        shared = set(NAMES[i].split()) & set(NAMES[j].split())
        (related if shared else unrelated).append(cosine[i, j].item())
    assert abs(np.mean(unrelated)) < 0.1
    assert np.mean(related) > np.mean(unrelated) + 0.3
    assert max(related + unrelated) < 0.95


def test_images_are_told_apart(clip, images):
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in
                 (clip.visual.image_mean, clip.visual.image_std))
    small = nn.functional.interpolate(images, (64, 64), mode='bicubic')
    with torch.no_grad():
        embeddings = clip.encode_image((small - mean) / std, normalize=True)
    cosine = (embeddings @ embeddings.T)[~torch.eye(4, dtype=torch.bool)]
    assert cosine.max() < 0.96


def test_tokenizer_is_clips_but_pads_with_the_end_token(sd_dir):
    tokenizer = CLIPTokenizer.from_pretrained(sd_dir, subfolder='tokenizer')
    ids = tokenizer(PROMPTS, padding='max_length', return_tensors='pt').input_ids
    expected = open_clip.get_tokenizer('ViT-L-14')(PROMPTS)
    lengths = expected.argmax(dim=1) + 1  # the end token is the largest
    for ours, theirs, length in zip(ids, expected, lengths, strict=True):
        assert ours[:length].tolist() == theirs[:length].tolist()
        assert (ours[length:] == 49407).all()


def test_text_encoder_is_clips_text_tower(clip, sd_dir):
    encoder = CLIPTextModel.from_pretrained(sd_dir, subfolder='text_encoder').eval()
    tokens = open_clip.get_tokenizer('ViT-L-14')(NAMES)
    tokens[:, 40:] = 49407  # as the other tokenizer pads
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


def test_features_keep_a_scale_near_one(sd_dir, images):
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
        empty = text(torch.tensor([[49406] + [49407] * 76])).last_hidden_state
        unet(latent, 0, empty.expand(4, -1, -1))
        vae.decode(latent / vae.config.scaling_factor)
    assert 0.4 < latent.std() < 1.2
    assert [tuple(f.shape[1:]) for f in features] == [
        (64, 32, 32), (64, 16, 16), (128, 2, 2), (128, 4, 4), (96, 8, 8), (64, 16, 16),
        (64, 16, 16), (64, 32, 32)]
    for feature in features:
        assert 0.6 < feature.std() < 2.5
        assert feature.std(dim=0).mean() > 0.4  # images differ
        assert feature.std(dim=(2, 3)).mean() > 0.4  # and so do places
