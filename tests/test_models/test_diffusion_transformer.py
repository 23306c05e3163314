"""Maps of Stable Diffusion 3: noise, and what is read, against diffusers' own pipeline."""

import mmodise  # noqa: F401  isort: skip, it makes the next ones importable
import pytest
import torch
from diffusers import AutoencoderKL, SD3Transformer2DModel, StableDiffusion3Pipeline
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast, T5Config, T5EncoderModel

from mmodise.benchmark.small_diffusion_transformer import make_stable_diffusion_3
from mmodise.models import DiffusionBackbone, DiffusionTransformerExtractor
from mmodise.models.extractors.noise import add_flow_noise

BLOCKS = dict(encoder_blocks=(5, 7), transformer_blocks=(1, 3), decoder_blocks=(2, ))
TEXT, TIME, POOLED = (2, 77, 128), (2, 1, 96), (2, 128)


@pytest.fixture(scope='module')
def folder(small_sd3):
    return str(small_sd3)


@pytest.fixture(scope='module')
def extractor(folder):
    return DiffusionTransformerExtractor(folder, **BLOCKS)


@pytest.fixture(scope='module')
def images():
    return torch.rand(2, 3, 128, 128, generator=torch.Generator().manual_seed(0))


def draw(shape, seed):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def expected_maps(pipeline, images, timestep, caption='', **prompt):
    """What enters blocks of the whole networks, run as the pipeline runs them."""
    notes, vae = [], pipeline.vae
    for block in [vae.encoder.down_blocks[2].resnets[1], vae.encoder.down_blocks[3].resnets[1]]:
        block.register_forward_pre_hook(lambda _, args: notes.append(args[0]))
    for i in (1, 3):
        pipeline.transformer.transformer_blocks[i].register_forward_pre_hook(
            lambda _, args, kwargs: notes.append(kwargs['hidden_states']), with_kwargs=True)
    vae.decoder.up_blocks[0].resnets[2].register_forward_pre_hook(
        lambda _, args: notes.append(args[0]))
    text, _, pooled, _ = pipeline.encode_prompt(
        caption, None, None, device='cpu', do_classifier_free_guidance=False, **prompt)
    mean = vae.encode(2 * images - 1).latent_dist.mean
    latents = (mean - 0.0609) * 1.5305
    noise = torch.randn(1, 8, 16, 16, generator=torch.Generator('cpu').manual_seed(42))
    noisy = (1 - timestep / 1000) * latents + timestep / 1000 * noise
    pipeline.transformer(
        noisy, encoder_hidden_states=text.expand(2, -1, -1),
        pooled_projections=pooled.expand(2, -1), timestep=torch.tensor([timestep]).expand(2))
    vae.decode(mean)
    return [note.transpose(1, 2).unflatten(2, (16, 16)) if note.ndim == 3 else note
            for note in notes]


@pytest.mark.parametrize(('timestep', 't5_length'), [(0, 256), (300, 256), (300, 0)])
@torch.no_grad()
def test_maps_equal_those_of_the_whole_pipeline(folder, images, timestep, t5_length):
    extractor = DiffusionTransformerExtractor(
        folder, timesteps=(timestep, ), t5_length=t5_length, **BLOCKS)
    pipeline = StableDiffusion3Pipeline.from_pretrained(
        folder, text_encoder_3=None, tokenizer_3=None)
    expected = expected_maps(pipeline, images, timestep, max_sequence_length=t5_length)
    maps = extractor(images)
    assert len(maps) == len(expected) == 5
    for of, ours, theirs in zip(extractor.maps, maps, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
        assert tuple(ours.shape) == (2, of.channels, 128 // of.stride, 128 // of.stride)
    assert extractor.feature_strides == [4, 8, 8, 8, 8]
    assert [of.name for of in extractor.maps] == [
        'encoder5', 'encoder7', 'transformer1', 'transformer3', 'decoder2']


@torch.no_grad()
def test_t5_makes_its_part_of_the_text(folder, small_sd3_with_t5, images):
    extractor = DiffusionTransformerExtractor(str(small_sd3_with_t5), **BLOCKS)
    pipeline = StableDiffusion3Pipeline.from_pretrained(small_sd3_with_t5)
    expected = expected_maps(pipeline, images, 0)
    for ours, theirs in zip(extractor(images), expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
    without = DiffusionTransformerExtractor(str(small_sd3_with_t5), with_t5=False, **BLOCKS)
    assert without.frozen.empty_t5.abs().max() == 0 < extractor.frozen.empty_t5.std()


@pytest.mark.parametrize('reads', ['t5', 'zeros', 'no-t5-tokens'])
@torch.no_grad()
def test_captions_are_embedded_as_by_the_pipeline(small_sd3_with_t5, images, reads):
    folder, caption = str(small_sd3_with_t5), 'a red ball'
    length = 0 if reads == 'no-t5-tokens' else 6
    extractor = DiffusionTransformerExtractor(
        folder, with_t5=None if reads == 't5' else False, t5_length=length, **BLOCKS)
    extractor.load_text_encoder()
    without = {} if reads == 't5' else dict(text_encoder_3=None, tokenizer_3=None)
    pipeline = StableDiffusion3Pipeline.from_pretrained(folder, **without)
    expected = expected_maps(pipeline, images, 0, caption, max_sequence_length=length)
    for _ in range(2):  # the second time they are known
        offsets = extractor.embed_captions([caption, ''])
        assert [of if of is None else tuple(of.shape) for of in offsets] == [
            (2, 77 + 6, 160) if reads == 't5' else TEXT, None, POOLED]
        maps = extractor(images, *(of if of is None else of[:1] for of in offsets))
        for ours, theirs in zip(maps, expected, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
    assert not offsets[0][1].any() and not offsets[2][1].any()
    plain = extractor(images)
    assert (plain[3] - maps[3]).abs().max() > 1e-2
    if reads == 't5':  # it has a say
        alone = extractor(images, offsets[0][:1, :77], None, offsets[2][:1])
        assert (alone[3] - maps[3]).abs().max() > 1e-3


def test_a_captioner_in_words_conditions_all_of_the_backbone(folder, images):
    backbone = DiffusionBackbone(
        dict(type='DiffusionTransformerExtractor', pretrained=folder, **BLOCKS),
        captioner=dict(type='GivenCaption', text='a red ball'), out_channels=None, window_size=128)
    plain = DiffusionBackbone(
        dict(type='DiffusionTransformerExtractor', pretrained=folder, **BLOCKS),
        out_channels=None, window_size=128)
    with torch.no_grad():
        told, expected = backbone.inner_maps(images)[0], plain.inner_maps(images)[0]
    assert [name for name in told if not torch.allclose(told[name], expected[name], atol=1e-3)] == [
        'transformer1', 'transformer3']


@pytest.fixture(scope='module')
def small_sd3_with_t5(tmp_path_factory):
    folder = tmp_path_factory.mktemp('t5')
    make_stable_diffusion_3(folder)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        T5EncoderModel(T5Config(
            vocab_size=8, d_model=160, d_kv=8, d_ff=32, num_layers=2, num_heads=2,
            feed_forward_proj='gated-gelu')).save_pretrained(folder / 'text_encoder_3')
    words = [('<pad>', 0.0), ('</s>', 0.0), ('<unk>', 0.0), ('▁red', -1.0), ('▁ball', -1.0)]
    tokens = Tokenizer(models.Unigram(words, unk_id=2))
    tokens.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(prepend_scheme='always')])
    tokens.post_processor = processors.TemplateProcessing(
        single='$A </s>', special_tokens=[('</s>', 1)])
    PreTrainedTokenizerFast(
        tokenizer_object=tokens, pad_token='<pad>', eos_token='</s>', unk_token='<unk>',
    ).save_pretrained(folder / 'tokenizer_3')
    index = folder / 'model_index.json'
    text = index.read_text()
    for part, of in (('text_encoder_3', '"T5EncoderModel"'),
                     ('tokenizer_3', '"PreTrainedTokenizerFast"')):
        text = text.replace(f'"{part}": [\n    null,\n    null', f'"{part}": ["transformers", {of}')
    index.write_text(text)
    return folder


def test_noise_of_a_rectified_flow():
    noise = torch.randn(1, 8, 16, 16, generator=torch.Generator('cpu').manual_seed(42))
    noisy = add_flow_noise(torch.full((2, 8, 16, 16), 3.0), noise, (-1, 250, 1000))
    first, second, third = noisy.unflatten(0, (3, 2))
    assert torch.equal(first, torch.full_like(first, 3))
    torch.testing.assert_close(second, (2.25 + 0.25 * noise).expand(2, -1, -1, -1))
    torch.testing.assert_close(third, noise.expand(2, -1, -1, -1))


@torch.no_grad()
def test_several_timesteps_equal_single_ones(folder, images):
    both = DiffusionTransformerExtractor(folder, timesteps=(0, 400), **BLOCKS)
    text, time, pooled = draw(TEXT, 1), draw((2, 2, 96), 2), draw(POOLED, 3)
    maps = both(images, text, time, pooled)
    assert [(of.name, of.noise) for of in both.maps[2:6]] == [
        ('transformer1.0', 0), ('transformer3.0', 0), ('transformer1.1', 400),
        ('transformer3.1', 400)]
    for i, timestep in enumerate((0, 400)):
        single = DiffusionTransformerExtractor(folder, timesteps=(timestep, ), **BLOCKS)
        expected = single(images, text, time[:, i : i + 1], pooled)
        for ours, theirs in zip(maps[2 + 2 * i : 4 + 2 * i], expected[2:4], strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_offsets_are_added_where_they_say(extractor, folder, images):
    text, time, pooled = draw(TEXT, 1), draw(TIME, 2), draw(POOLED, 3)
    whole = SD3Transformer2DModel.from_pretrained(folder, subfolder='transformer').eval()
    notes, frozen = [], extractor.frozen
    whole.transformer_blocks[3].register_forward_pre_hook(
        lambda _, args, kwargs: notes.append(kwargs['hidden_states']), with_kwargs=True)
    whole.time_text_embed.register_forward_hook(lambda _, args, out: out + time[:, 0])
    vae = AutoencoderKL.from_pretrained(folder, subfolder='vae').eval()
    latents = (vae.encode(2 * images - 1).latent_dist.mean - 0.0609) * 1.5305
    states = frozen.empty_text + text
    states = torch.cat([states, torch.zeros(2, 77, 32)], dim=2)
    whole(latents, torch.cat([states, torch.zeros(2, 256, 160)], dim=1),
          frozen.empty_pooled + pooled, torch.zeros(2))
    torch.testing.assert_close(
        extractor(images, text, time, pooled)[3], notes[0].transpose(1, 2).unflatten(2, (16, 16)),
        rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('with_cp', [False, True])
def test_the_gradient_reaches_all_that_a_captioner_delivers(folder, images, with_cp):
    extractor = DiffusionTransformerExtractor(folder, with_cp=with_cp, **BLOCKS)
    assert extractor.condition == dict(
        text_length=77, text_width=128, time_width=96, num_timesteps=1, pooled_width=128)
    offsets = [torch.zeros(shape, requires_grad=True) for shape in (TEXT, TIME, POOLED)]
    maps = extractor(images, *offsets)
    assert [m.requires_grad for m in maps] == [False, False, True, True, False]
    sum((m * draw(m.shape, 4)).sum() for m in maps[2:4]).backward()
    assert all(offset.grad.abs().amax() > 1e-6 for offset in offsets)
    assert all(offset.grad[0].ne(offset.grad[1]).any() for offset in offsets)
    if not with_cp:
        return
    plain = DiffusionTransformerExtractor(folder, **BLOCKS)
    again = [torch.zeros(shape, requires_grad=True) for shape in (TEXT, TIME, POOLED)]
    sum((m * draw(m.shape, 4)).sum() for m in plain(images, *again)[2:4]).backward()
    for one, other in zip(offsets, again, strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-4, atol=1e-5)


def test_nothing_after_the_last_map_is_kept(folder, extractor):
    transformer = extractor.frozen.transformer
    whole = SD3Transformer2DModel.from_pretrained(folder, subfolder='transformer')
    unused = [*whole.transformer_blocks[3:], whole.norm_out, whole.proj_out]

    def size(modules):
        return sum(p.numel() for m in modules for p in m.parameters())

    assert size([transformer]) == size([whole]) - size(unused)
    assert len(extractor.frozen.vae.decoder.up_blocks) == 1
    only_vae = DiffusionTransformerExtractor(folder, transformer_blocks=())
    assert only_vae.frozen.transformer is only_vae.condition is None
    assert only_vae.feature_strides == [4, 8, 8, 4] and only_vae.image_size == 128


@torch.no_grad()
def test_another_image_size_and_precision(folder, images):
    extractor = DiffusionTransformerExtractor(folder, image_size=64, dtype='bfloat16', **BLOCKS)
    assert extractor.image_size == 64
    assert [m.shape[-1] for m in extractor(images[..., :64, :64])] == [16, 8, 8, 8, 8]
    expected = DiffusionTransformerExtractor(folder, image_size=64, **BLOCKS)(images[..., :64, :64])
    for ours, theirs in zip(extractor(images[..., :64, :64]), expected, strict=True):
        assert ours.dtype == torch.bfloat16
        assert 1e-5 < (ours.float() - theirs).norm() / theirs.norm() < 0.05


@pytest.mark.parametrize(('settings', 'message'), [
    (dict(transformer_blocks=(2, 5)),
     r'no block 5 of the transformer.*encoder_blocks 0 to 7; decoder_blocks 0 to 11; '
     r'transformer_blocks 0 to 4; attentions self0 to self4, cross0 to cross4, features0'),
    (dict(encoder_blocks=(8, ), transformer_blocks=(1, )), r'no residual block 8.*0 to 7;'),
    (dict(timesteps=(0, 1001), transformer_blocks=(1, )), r'timesteps=\(0, 1001\).*to 1000'),
    (dict(timesteps=(), transformer_blocks=(1, )), r'timesteps=\(\); give at least one'),
    (dict(image_size=100, transformer_blocks=(1, )), r'image_size=100; .* of 8 up to 192'),
    (dict(image_size=200, transformer_blocks=(1, )), r'image_size=200; .* of 8 up to 192'),
    (dict(dtype='int4', transformer_blocks=(1, )), r"dtype='int4'; give one of float32"),
])
def test_what_there_is_not_is_refused(folder, settings, message):
    with pytest.raises(ValueError, match='DiffusionTransformerExtractor: .*' + message):
        DiffusionTransformerExtractor(folder, **settings)
