"""The trainings of the small frozen models, for a few iterations; interrupted, they go on."""

import pytest
import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file

from mmodise.benchmark.captioned_pictures import SEED, CaptionedPictures
from mmodise.benchmark.small_clip_towers import four_in_one, quarters
from mmodise.benchmark.small_generator_training import QuantizedAutoencoderTraining
from mmodise.benchmark.small_model_training import SCHEDULES
from mmodise.datasets.shapes_world import draw_picture
from mmodise.models import (
    DiffusionTransformerExtractor,
    FrozenCLIP,
    PretrainedCaptioner,
    StableDiffusionExtractor,
    StableDiffusionXLExtractor,
    TokenDiffusionExtractor,
)

PARTS = ('clip', 'vae', 'unet', 'unet-xl', 'transformer', 'vq', 'tokens', 'captioner',
         'clip-convnext', 'clip-resnet')


@pytest.fixture(scope='module')
def tool(load_tool):
    with pytest.MonkeyPatch.context() as patch:
        for part in PARTS:
            patch.setitem(SCHEDULES, part, (1, 4, 1e-3))
        yield load_tool('train_small_models')


def run(tool, part, folder, iterations):
    with torch.random.fork_rng():
        tool.main([
            part, '--out-dir', str(folder / 'out'), '--work-dir', str(folder / 'work'),
            '--num-pictures', '6', '--max-iters', str(iterations)])


@pytest.fixture(scope='module')
def trained(tool, tmp_path_factory):
    """Folder in which all parts were trained for two iterations."""
    folder = tmp_path_factory.mktemp('small_models')
    for part in PARTS:
        run(tool, part, folder, 2)
    return folder


@pytest.fixture(scope='module')
def small_clip():
    return FrozenCLIP('mmodise://shapes/clip')


def test_what_is_written_is_read_as_any_weights(trained):
    clip = FrozenCLIP(str(trained / 'out/clip'))
    assert clip.encode_texts(['a zebra']).shape == (1, 64)
    extractor = StableDiffusionExtractor(str(trained / 'out/stable_diffusion'))
    assert extractor.feature_strides == [4, 8, 64, 32, 16, 8, 8, 4]
    extractor = StableDiffusionXLExtractor(str(trained / 'out/stable_diffusion_xl'))
    assert extractor.feature_strides == [4, 8, 32, 16, 8, 8, 4]
    extractor = DiffusionTransformerExtractor(
        str(trained / 'out/stable_diffusion_3'), transformer_blocks=(2, ), t5_length=0)
    assert extractor.feature_strides == [4, 8, 8, 8, 4]
    extractor = TokenDiffusionExtractor(str(trained / 'out/amused'), transformer_layers=(2, ))
    assert extractor.feature_strides == [4, 8, 8]
    captioner = PretrainedCaptioner(str(trained / 'out/captioner'), max_words=2)
    assert isinstance(captioner(torch.rand(1, 3, 64, 64))[0], str)
    files = [*(trained / 'out').rglob('*.safetensors')]
    assert len(files) == 18
    for path in files:
        assert {value.dtype for name, value in load_file(path).items()
                if not name.endswith('num_batches_tracked')} == {torch.float16}


def test_the_text_encoder_is_the_trained_text_tower(trained):
    text = load_file(trained / 'out/stable_diffusion/text_encoder/model.safetensors')
    clip = load_file(trained / 'out/clip/open_clip_model.safetensors')
    embedding, = (value for name, value in text.items() if name.endswith('token_embedding.weight'))
    assert torch.equal(embedding, clip['token_embedding.weight'])


@pytest.mark.parametrize(('tower', 'widths'), [
    ('convnext', (32, 64, 96, 128)), ('resnet', (64, 128, 256, 512))])
def test_another_image_tower_for_the_text_tower_of_the_small_clip(
    trained, small_clip, tower, widths
):
    clip = FrozenCLIP(str(trained / f'out/clip_{tower}'))
    assert clip.stage_widths == widths
    texts = ['a striped star', 'sand']
    torch.testing.assert_close(clip.encode_texts(texts), small_clip.encode_texts(texts))
    images = torch.rand(2, 3, 128, 128)
    assert not torch.allclose(*clip.encode_images(images)), 'it looks at the images'


def test_four_pictures_in_one_and_the_quarter_of_each():
    images = torch.arange(8.0).view(8, 1, 1, 1).expand(8, 3, 32, 64)
    together = four_in_one(images)
    assert together.shape == (2, 3, 64, 128)
    masks = quarters(together)
    found = [together[image, 0][masks[image, number]].unique().tolist()
             for image in range(2) for number in range(4)]
    assert found == [[value] for value in range(8)]
    assert masks.sum(dim=1).eq(1).all()


def test_the_latents_have_a_standard_deviation_of_one(trained):
    pictures = CaptionedPictures(trained / 'work/pictures', 6)
    images = torch.stack([pictures[i]['images'] for i in range(6)]) / 127.5 - 1
    vae = AutoencoderKL.from_pretrained(trained / 'out/stable_diffusion', subfolder='vae')
    with torch.no_grad():
        latents = vae.float().encode(images).latent_dist.mean * vae.config.scaling_factor
    assert latents.std() == pytest.approx(1, abs=0.1)


def test_an_interrupted_training_goes_on(trained, tool):
    run(tool, 'vae', trained, 3)
    log = max((trained / 'work/vae').glob('*/*.log')).read_text()
    assert 'resumed epoch: 0, iter: 2' in log
    assert (trained / 'work/vae/iter_3.pth').is_file()
    assert (trained / 'work/vae/training_curve.png').stat().st_size > 5000


def test_captions_go_with_their_pictures(trained):
    pictures = CaptionedPictures(trained / 'work/pictures', 6)
    for index in range(6):
        picture = draw_picture(SEED, index)
        sample = pictures[index]
        assert sample['captions'] in picture.captions
        image = torch.from_numpy(picture.image).permute(2, 0, 1)
        assert torch.equal(sample['images'], image) or torch.equal(sample['images'], image.flip(-1))


def test_the_vq_model_starts_as_the_vae(small_models):
    folder = small_models / 'stable_diffusion'
    vae = AutoencoderKL.from_pretrained(folder, subfolder='vae').float().eval()
    with torch.random.fork_rng(), torch.no_grad():
        vqvae = QuantizedAutoencoderTraining(folder).vqvae.eval()
        image = torch.from_numpy(draw_picture(SEED, 0).image)[None].permute(0, 3, 1, 2) / 255
        mean = vae.encode(2 * image - 1).latent_dist.mean
        latents = vqvae.encode(image).latents
        decoded = vqvae.decoder(vqvae.post_quant_conv(latents))
        expected = vae.decode(mean).sample / 2 + 0.5
    inner = (..., slice(4, 12), slice(4, 12))  # at the borders, zeros are grey and then black
    torch.testing.assert_close(
        latents[inner], (vae.config.scaling_factor * mean)[inner], rtol=0.05, atol=0.05)
    assert (decoded - expected).abs().mean() < 0.02


def test_codes_that_nothing_uses_move_to_latents(small_models):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        training = QuantizedAutoencoderTraining(small_models / 'stable_diffusion')
        codes = training.vqvae.quantize.embedding.weight
        near = torch.randn(2, 4, 8, 8)
        training.move_idle_codes(near)  # all codes, at first
        vectors = near.movedim(1, -1).flatten(0, 2)
        assert torch.cdist(codes, vectors).amin(1).max() < 1e-2
        before = codes.detach().clone()
        for _ in range(training.patience + 1):
            training.move_idle_codes(near[:1])  # those of the second image are idle
        moved = (codes != before).any(1)
        assert moved.any() and not moved.all()
        assert torch.cdist(codes[moved], vectors[:64]).amin(1).max() < 1e-2
