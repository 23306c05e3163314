"""UNets that take the place of a Stable Diffusion's own, such as CleanDIFT's."""

import huggingface_hub
import pytest
import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import save_file

from mmodise.models import StableDiffusionExtractor


@pytest.fixture(scope='module')
def folder(small_models):
    return str(small_models / 'stable_diffusion')


@pytest.fixture(scope='module')
def tuned(folder):
    """The UNet's weights, a little different."""
    unet = UNet2DConditionModel.from_pretrained(folder, subfolder='unet').float()
    return {name: value * 1.01 for name, value in unet.state_dict().items()}


def write(weights, folder, form):
    path = folder / f'cleandift_unet{form}'
    if form == '.safetensors':
        save_file(weights, path)
    else:
        torch.save(dict(state_dict=weights) if form == '.ckpt' else weights, path)
    return str(path)


@pytest.mark.parametrize('form', ['.safetensors', '.ckpt', '.pt'])
def test_the_weights_are_those_of_the_file(folder, tuned, tmp_path, form):
    extractor = StableDiffusionExtractor(
        folder, unet_weights=write(tuned, tmp_path, form), unet_blocks=(2, ))
    for name, value in extractor.frozen.unet.state_dict().items():
        assert torch.equal(value, tuned[name.replace('.block.', '.').replace('.part.', '.')]), name


def test_latents_without_noise_and_the_timestep_that_is_asked_for(folder):
    images = torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    clean = StableDiffusionExtractor(folder, noise=False, timesteps=(261, ))
    latents = torch.ones(1, 4, 16, 16)
    assert torch.equal(clean.add_noise(latents), latents)
    at_zero = StableDiffusionExtractor(folder, timesteps=(-1, ))
    embed = clean.frozen.unet.time_embedding
    with torch.no_grad():
        times = [unet.time_embedding(unet.time_proj(torch.tensor([t])))
                 for unet, t in ((clean.frozen.unet, 261), (at_zero.frozen.unet, 0))]
        maps = clean(images)
        expected = at_zero(images, None, (times[0] - times[1])[None])
    assert embed is clean.frozen.unet.time_embedding
    torch.testing.assert_close(maps, expected, rtol=1e-4, atol=1e-5)
    noisy = StableDiffusionExtractor(folder, timesteps=(261, ))
    with torch.no_grad():
        assert (noisy(images)[2] - maps[2]).abs().max() > 0.1


def refused(folder, weights, tmp_path, message):
    path = write(weights, tmp_path, '.pt')
    start = rf"(?s)StableDiffusionExtractor: unet_weights='{path}': .*"
    with pytest.raises(ValueError, match=start + message):
        StableDiffusionExtractor(folder, unet_weights=path)


def test_weights_that_are_missing_unknown_or_not_finite(folder, tuned, tmp_path):
    lacking = {name: value for name, value in tuned.items() if name != 'conv_in.bias'}
    refused(folder, lacking, tmp_path, 'the file does not fit.*1 missing: conv_in.bias')
    refused(folder, tuned | dict(more=torch.ones(1)), tmp_path, 'does not have: more')
    broken = tuned | {'conv_in.bias': torch.full_like(tuned['conv_in.bias'], float('nan'))}
    refused(folder, broken, tmp_path, 'nan or infinity.*conv_in.bias')


def test_weights_of_another_version_or_in_other_names(folder, tuned, tmp_path):
    wider = {name: torch.cat([value] * 12, dim=1)
             if name.endswith(('attn2.to_k.weight', 'attn2.to_v.weight')) else value
             for name, value in tuned.items()}
    refused(folder, wider, tmp_path,
            r'of another shape: \S*attn2\.to_k\.weight \(40, 768\), expected \(40, 64\).*; it is '
            'of Stable Diffusion 1.x, and `pretrained` of a model with text of width 64')
    compvis = {f'model.diffusion_model.{name}': value for name, value in tuned.items()}
    refused(folder, compvis, tmp_path, "it is in CompVis' names: give one in diffusers' names")


def test_what_is_no_state_dict(folder, tmp_path):
    refused(folder, dict(epoch=3), tmp_path, 'has no weights')
    with pytest.raises(FileNotFoundError, match=r'unet_weights=.*nowhere\.pt can not be found'):
        StableDiffusionExtractor(folder, unet_weights=str(tmp_path / 'nowhere.pt'))


def test_nothing_to_put_them_into(folder):
    with pytest.raises(ValueError, match=r"unet_weights='x\.pt': nothing of the UNet is read"):
        StableDiffusionExtractor(folder, unet_weights='x.pt', unet_blocks=())


def test_a_file_on_the_hub(folder, tuned, tmp_path, monkeypatch):
    path, asked = write(tuned, tmp_path, '.safetensors'), []

    def download(*where):
        asked.append(where)
        return path

    monkeypatch.setattr(huggingface_hub, 'hf_hub_download', download)
    name = 'CompVis/cleandift/cleandift_sd21_unet.safetensors'
    extractor = StableDiffusionExtractor(folder, unet_weights=name)
    assert asked == [('CompVis/cleandift', 'cleandift_sd21_unet.safetensors')]
    assert torch.equal(extractor.frozen.unet.conv_in.bias, tuned['conv_in.bias'])
    monkeypatch.setattr(huggingface_hub, 'hf_hub_download', lambda *_: 1 / 0)
    with pytest.raises(FileNotFoundError, match='no such local file, and the hub does not give'):
        StableDiffusionExtractor(folder, unet_weights=name)


def test_timesteps_beyond_the_last(folder):
    with pytest.raises(ValueError, match=r'there is no 1000; give 0 to 999, or -1'):
        StableDiffusionExtractor(folder, timesteps=(0, 1000))
