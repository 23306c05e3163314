"""Captioners beside the implicit one: what the generator is told, and what it cannot be told."""

import json
import shutil
from pathlib import Path

import open_clip
import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import Config
from transformers import (
    BlipConfig,
    BlipForConditionalGeneration,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTokenizer,
    ViTImageProcessor,
)

from mmodise.benchmark.small_captioner_training import CaptionTraining, save_captioner
from mmodise.benchmark.small_models import save_tokenizer
from mmodise.checkpoints.stable_diffusion.caption_tokens import load_caption_tokens
from mmodise.models import DiffusionBackbone, FeatureExtractor, LearnedPrompt
from mmodise.models.extractors.text_encoder import FrozenTextEncoder

RECIPE = Path(__file__).parents[2] / 'configs/odise/odise_sd-small_shapes-panoptic.py'
SIDE = 128
TEXT = 'a red ball on the grass'


@pytest.fixture(scope='module')
def stable_diffusion(small_models):
    return str(small_models / 'stable_diffusion')


def build(stable_diffusion, captioner, **extractor):
    return DiffusionBackbone(
        extractor=dict(
            type='StableDiffusionExtractor', pretrained=stable_diffusion, **extractor),
        captioner=captioner, out_channels=128, window_size=SIDE)


@pytest.fixture(scope='module')
def plain(stable_diffusion):
    torch.manual_seed(0)
    return build(stable_diffusion, None).requires_grad_(False)


def with_weights_of(plain, backbone):
    backbone.projections.load_state_dict(plain.projections.state_dict())
    return backbone.requires_grad_(False)


def pictures(*shape):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def states_by_transformers(stable_diffusion, *captions):
    tokenizer = CLIPTokenizer.from_pretrained(stable_diffusion, subfolder='tokenizer')
    encoder = CLIPTextModel.from_pretrained(
        stable_diffusion, subfolder='text_encoder', dtype=torch.float32)
    tokens = tokenizer(
        list(captions), padding='max_length', max_length=77, truncation=True, return_tensors='pt')
    return encoder(tokens.input_ids).last_hidden_state


def assert_same_maps(ours, expected):
    for one, other in zip(ours, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def test_captions_are_what_the_generators_own_text_encoder_makes_of_them(stable_diffusion):
    encoder = FrozenTextEncoder(stable_diffusion)
    expected = states_by_transformers(stable_diffusion, TEXT, '', 'sand')
    torch.testing.assert_close(encoder.encode([TEXT, '', 'sand', TEXT]), expected[[0, 1, 2, 0]])
    text, time = encoder([TEXT, ''])
    torch.testing.assert_close(text[0], expected[0] - expected[1])
    assert not text[1].any() and time is None
    assert FrozenTextEncoder(stable_diffusion).frozen is encoder.frozen, 'shared'
    assert not list(encoder.parameters()) and not encoder.state_dict()


def test_a_given_caption_is_the_generators_condition(stable_diffusion, plain):
    backbone = with_weights_of(
        plain, build(stable_diffusion, dict(type='GivenCaption', text=TEXT)))
    batch = pictures(2, 3, SIDE, 192)
    offset = states_by_transformers(stable_diffusion, TEXT) - states_by_transformers(
        stable_diffusion, '')
    plain.captioner = lambda windows: (offset, None)
    expected = plain(batch)
    plain.captioner = None
    assert_same_maps(backbone(batch), expected)
    assert not torch.allclose(backbone(batch)[2], plain(batch)[2], atol=1e-3)
    assert set(backbone.state_dict()) == set(plain.state_dict()), 'nothing is learned'


def test_windows_of_an_image_share_its_caption(stable_diffusion, plain):
    backbone = with_weights_of(plain, build(stable_diffusion, dict(type='DataSetCaption')))
    assert backbone.reads_captions
    batch, captions = pictures(2, 3, SIDE, 192), ['two blue boxes', 'a ring on sand']
    told, given = [], backbone.captioner.forward
    backbone.captioner.forward = lambda windows, captions: told.append(
        given(windows, captions)) or told[-1]
    both = backbone(batch, captions)
    assert told == [[captions[0]] * 2 + [captions[1]] * 2]
    for i in range(2):
        alone = with_weights_of(
            plain, build(stable_diffusion, dict(type='GivenCaption', text=captions[i])))
        assert_same_maps([maps[[i]] for maps in both], alone(batch[[i]]))
    backbone.max_windows = 3
    assert_same_maps(backbone(batch, captions), both)
    _, whole = backbone.inner_maps(batch, captions)
    assert_same_maps(whole, both)
    with pytest.raises(ValueError, match=r'0 captions for 3 windows\. Only an ODISE'):
        backbone(batch)


def test_a_learned_prompt_learns_and_is_the_same_for_all(stable_diffusion, plain):
    prompt = build(stable_diffusion, dict(type='LearnedPrompt'), timesteps=(0, 100))
    assert {name: tuple(table.shape) for name, table in prompt.captioner.named_parameters()} == {
        'text': (1, 77, 64), 'time': (1, 2, 160)}
    assert [offset.any().item() for offset in prompt.captioner(pictures(3, 3, 8, 8))] == [False] * 2
    sum(maps.square().mean() for maps in prompt(pictures(1, 3, SIDE, SIDE))).backward()
    assert all(table.grad.any() for table in prompt.captioner.parameters())
    pooled = LearnedPrompt(text_length=5, text_width=4, time_width=None, pooled_width=3)
    text, time, more = pooled(pictures(2, 3, 8, 8))
    assert text.shape == (2, 5, 4) and time is None and more.shape == (2, 3)


@pytest.fixture(scope='module')
def captioner_folder(tmp_path_factory):
    """A small captioner with a random decoder, as the tool writes it."""
    folder = tmp_path_factory.mktemp('captioner')
    torch.manual_seed(0)
    save_captioner(CaptionTraining().captioner.eval(), folder)
    return folder


def test_the_small_captioner_sees_as_clip_does(clip_cfg):
    training = CaptionTraining()
    clip, batch = MODELS.build(clip_cfg), pictures(2, 3, 128, 128)
    training.eval()
    with torch.no_grad():
        pooled = training.captioner.encoder(
            pixel_values=(batch - training.mean) / training.std).pooler_output
    torch.testing.assert_close(
        pooled @ clip.frozen.model.visual.proj, clip.encode_images(batch), rtol=1e-3, atol=1e-4)


def test_a_captioner_is_trained_on_the_captions_of_pictures():
    """Two pictures and their captions are learned by heart; padding does not count."""
    torch.manual_seed(0)
    training = CaptionTraining()
    batch = (255 * pictures(2, 3, 128, 128)).byte()
    captions = ['a red ball', 'two blue boxes and three yellow stars on the sand']
    loss = training(batch, captions)['loss']
    with torch.no_grad():
        tokens = [training.tokenizer(text, return_tensors='pt').input_ids for text in captions]
        logits = [training.captioner(
            pixel_values=(batch[[i]] / 255 - training.mean) / training.std,
            decoder_input_ids=tokens[i][:, :-1]).logits for i in range(2)]
    training.eval()
    total = sum(torch.nn.functional.cross_entropy(
        logits[i][0], tokens[i][0, 1:], reduction='sum') for i in range(2))
    count = sum(t.shape[1] - 1 for t in tokens)
    assert loss.item() == pytest.approx((total / count).item(), rel=0.1)  # dropout in the decoder
    optimizer = torch.optim.AdamW(training.parameters(), lr=1e-3)
    for _ in range(80):
        optimizer.zero_grad()
        training(batch, captions)['loss'].backward()
        optimizer.step()
    with torch.no_grad():
        told = training.captioner.generate(
            pixel_values=(batch / 255 - training.mean) / training.std, max_new_tokens=20,
            do_sample=False)
    told = [training.tokenizer.decode(tokens, skip_special_tokens=True) for tokens in told]
    assert [caption.strip() for caption in told] == captions


def test_an_off_the_shelf_captioner_looks_at_each_window(stable_diffusion, captioner_folder):
    backbone = build(stable_diffusion, dict(
        type='PretrainedCaptioner', pretrained=str(captioner_folder), max_words=6))
    state = torch.get_rng_state()
    captions = backbone.captioner(pictures(3, 3, 100, 100))
    assert torch.equal(state, torch.get_rng_state())
    assert len(captions) == 3 and all(isinstance(caption, str) for caption in captions)
    assert captions == backbone.captioner(pictures(3, 3, 100, 100))
    frozen = backbone.captioner.frozen
    assert tuple(frozen.mean.flatten().tolist()) == pytest.approx(open_clip.OPENAI_DATASET_MEAN)
    assert frozen.size == (128, 128)
    sum(maps.sum() for maps in backbone(pictures(1, 3, SIDE, SIDE))).backward()
    assert not [name for name, _ in backbone.named_parameters() if 'captioner' in name]


def test_a_blip_is_read(tmp_path):
    small = dict(hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2)
    BlipForConditionalGeneration(BlipConfig(
        text_config=dict(small, encoder_hidden_size=16, vocab_size=1000, bos_token_id=965,
                         sep_token_id=966, pad_token_id=966, eos_token_id=966),
        vision_config=dict(small, image_size=32, patch_size=8))).save_pretrained(tmp_path)
    save_tokenizer(tmp_path)
    ViTImageProcessor(size=dict(shortest_edge=32)).save_pretrained(tmp_path)
    captioner = MODELS.build(
        dict(type='PretrainedCaptioner', pretrained=str(tmp_path), max_words=4))
    assert captioner.frozen.size == (32, 32) and len(captioner(pictures(2, 3, 64, 64))) == 2


@pytest.mark.parametrize(('name', 'content', 'message'), [
    ('config.json', dict(model_type='clip'), 'is clip; expected .* blip or vision-encoder-decoder'),
    ('config.json', dict(_class_name='UNet2DConditionModel'), 'is UNet2DConditionModel; expected'),
    ('model_index.json', dict(_class_name='StableDiffusionPipeline'), 'is StableDiffusionPipe'),
    ('notes.txt', {}, r'is no model, its files are notes\.txt; expected'),
])
def test_a_folder_of_another_kind_is_told(tmp_path, name, content, message):
    (tmp_path / name).write_text(json.dumps(content))
    with pytest.raises(ValueError, match=message):
        MODELS.build(dict(type='PretrainedCaptioner', pretrained=str(tmp_path)))


def test_what_is_missing_is_named(tmp_path, captioner_folder):
    with pytest.raises(FileNotFoundError, match=r'cannot be read .* expected a captioner'):
        MODELS.build(dict(type='PretrainedCaptioner', pretrained=str(tmp_path / 'nowhere')))
    folder = shutil.copytree(captioner_folder, tmp_path / 'copy')
    (folder / 'preprocessor_config.json').unlink()
    with pytest.raises(FileNotFoundError, match=r'preprocessor_config\.json cannot be loaded'):
        MODELS.build(dict(type='PretrainedCaptioner', pretrained=str(folder)))


def test_a_long_caption_is_cut_and_told_once(stable_diffusion, log):
    encoder = CLIPTextModel.from_pretrained(stable_diffusion, subfolder='text_encoder')
    tokens = load_caption_tokens(stable_diffusion, encoder.config)
    long = ' '.join(['ball'] * 100)
    both = tokens([long, 'a ball', long])
    assert both.shape == (3, 77) and both[0, -1] == both[1, -1] == tokens.end
    assert both[1, 3:].eq(tokens.padding).all()
    warnings = [record.message for record in log.records if 'is cut' in record.message]
    assert len(warnings) == 1 and 'of 100 tokens is cut, the text encoder reads 75' in warnings[0]


def test_a_single_file_is_read_with_clips_own_tokens(tmp_path):
    (tmp_path / 'model.safetensors').touch()
    config = CLIPTextConfig(bos_token_id=49406, eos_token_id=49407, pad_token_id=0)
    tokens = load_caption_tokens(str(tmp_path / 'model.safetensors'), config)(['a photo of a cat'])
    assert tokens[0, :8].tolist() == [49406, 320, 1125, 539, 320, 2368, 49407, 0]
    with pytest.raises(ValueError, match='has 49408 words and the text encoder 967'):
        load_caption_tokens(str(tmp_path / 'model.safetensors'), CLIPTextConfig(vocab_size=967))


class NoText(FeatureExtractor):
    """Conditioned by offsets, but without a text encoder."""

    def forward(self, images, *condition):
        raise NotImplementedError


def test_what_takes_no_text_says_so(stable_diffusion):
    with pytest.raises(ValueError, match='nothing conditions the extractor'):
        build(stable_diffusion, dict(type='GivenCaption', text=TEXT), unet_blocks=())
    with pytest.raises(ValueError, match='NoText embeds no captions; use a captioner that gives'):
        FeatureExtractor.load_text_encoder(NoText.__new__(NoText))
    with pytest.raises(ValueError, match="text='', expected a caption"):
        MODELS.build(dict(type='GivenCaption', text=''))


def test_an_image_without_a_caption_is_named():
    cfg = Config.fromfile(RECIPE).model
    cfg.backbone.captioner = dict(type='DataSetCaption')
    model = MODELS.build(cfg)
    samples = [DetDataSample(metainfo=dict(img_path='val/7.jpg', caption=caption))
               for caption in ('a ball', None)]
    maps = model.extract_feat(pictures(1, 3, SIDE, SIDE), samples[:1])
    assert [m.shape[-1] for m in maps] == [32, 16, 8, 4]
    message = r"and val/7\.jpg brings no caption: give the data set a caption_file"
    with pytest.raises(ValueError, match=message):
        model.extract_feat(pictures(2, 3, SIDE, SIDE), samples)
    with pytest.raises(ValueError, match='an image brings no caption'):
        model.extract_feat(pictures(1, 3, SIDE, SIDE))
    assert 'pyramid4' in model.extract_maps(pictures(1, 3, SIDE, SIDE), samples[:1])
