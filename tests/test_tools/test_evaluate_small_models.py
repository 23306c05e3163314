"""What the card says of the small frozen models holds, on fewer pictures."""

import pytest
import torch
from diffusers import StableDiffusionPipeline

from mmodise.benchmark import small_model_quality as quality
from mmodise.benchmark.small_model_card import write_card
from mmodise.datasets.shapes_world import THINGS, draw_picture
from mmodise.models import CLIPClassifier, FrozenCLIP


@pytest.fixture(scope='module')
def pipeline(small_models):
    return StableDiffusionPipeline.from_pretrained(
        small_models / 'stable_diffusion', local_files_only=True).to(torch.float32)


@pytest.fixture(scope='module')
def pictures():
    return [draw_picture(quality.SEED, index) for index in range(8)]


def test_the_names_of_things_are_known_base_and_novel_alike(small_models):
    clip = FrozenCLIP(str(small_models / 'clip'))
    accuracy = quality.zero_shot(clip, list(THINGS), 4)
    assert accuracy == pytest.approx(dict(all=98.4, base=100, novel=93.8), abs=6.3)  # one of 16


def test_masks_in_scenes_are_named_better_than_by_chance(small_models):
    accuracy = quality.masks_in_scenes(
        CLIPClassifier(dict(type='FrozenCLIP', model=str(small_models / 'clip'))), 6)
    assert accuracy['all'] == pytest.approx(39.4, abs=6.1)  # two of 33; by chance 4.2


def test_accuracies_are_over_segments_not_over_classes():
    accuracy = quality.accuracies({'red ball': [True, True, True], 'red box': [False]})
    assert accuracy == {'all': 75.0, 'base': 100.0, 'novel': 0.0}


def test_the_vae_restores_pictures(pipeline, pictures):
    errors = quality.reconstruction(pipeline, quality.to_tensor([p.image for p in pictures]))
    assert errors == pytest.approx(
        dict(absolute=7.90, absolute_of_mean_color=54.67, psnr=25.15), rel=0.01)


def test_the_unet_predicts_noise_better_than_the_trivial_answers(pipeline, pictures):
    rows = quality.denoising(
        pipeline, quality.to_tensor([p.image for p in pictures]), [p.captions[0] for p in pictures])
    middle = {row['timestep']: row for row in rows}[400]
    assert middle == pytest.approx(
        dict(timestep=400, caption=0.1135, empty=0.1171, linear=0.3945, zero=1.0034), rel=0.01)


def test_the_card_has_all_figures(tmp_path):
    accuracy = dict(all=50.0, base=60.0, novel=12.3)
    row = dict(timestep=400, caption=0.1, empty=0.2, linear=0.3, zero=1.0)
    write_card(dict(
        things=accuracy, classes=accuracy, masks=accuracy, denoising=[row], count=400,
        reconstruction=dict(absolute=4.0, absolute_of_mean_color=44.0, psnr=28.9),
        megabytes=dict(clip=3.0, unet=4.78)), tmp_path / 'README.md')
    card = (tmp_path / 'README.md').read_text(encoding='utf-8')
    assert '12.3' in card and '| 400 | 0.100 | 0.200 | 0.300 | 1.000 |' in card
    assert '7.78 MB together' in card and '100 portraits a class' in card
