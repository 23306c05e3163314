"""Probing of the small Stable Diffusion's maps: what is read, measured, written and resumed."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from PIL import Image

from mmodise.benchmark.probing.generator import PIXELS, Generator
from mmodise.benchmark.probing.maps import MapReader
from mmodise.benchmark.probing.pca import best_of_each_kind, principal_colors
from mmodise.benchmark.probing.pictures import Pictures
from mmodise.benchmark.probing.records import Record
from mmodise.benchmark.small_diffusion_transformer import make_stable_diffusion_3
from mmodise.benchmark.small_token_generator import make_amused
from mmodise.engine import load_config

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / 'configs/odise/odise_sd-small_shapes-panoptic.py'
FEW = ['--maps', 'unet8', 'encoder5', '--num-images', '4', '--cells', '40', '--clusters', '3',
       '--pictures', '2']


@pytest.fixture
def config(demo_dir, monkeypatch):
    monkeypatch.chdir(demo_dir)
    return load_config(CONFIG)


@pytest.fixture
def probe(load_tool, demo_dir, monkeypatch, capsys):
    """Give a function that probes with more options and returns what is printed."""
    monkeypatch.chdir(demo_dir)
    tool = load_tool('probe_features')

    def probe(*options, config=CONFIG):
        tool.main([str(config), *FEW, *map(str, options)])
        return capsys.readouterr().out

    return probe


def read_records(folder):
    """Those of lines that were not cut short."""
    lines = (folder / 'records.jsonl').read_text().splitlines()
    return [json.loads(line) for line in lines if line.endswith('}')]


def test_two_maps_at_two_timesteps_and_a_run_that_goes_on(probe, tmp_path):
    out = tmp_path / 'probe'
    printed = probe('--timesteps', 0, 100, '--out-dir', out)
    records = read_records(out)
    assert [(r['map'], r['noise']) for r in records] == [
        ('encoder5', None), ('unet8', 0), ('unet8', 100)]  # the encoder sees no noise
    assert [(r['channels'], r['stride'], r['is_read']) for r in records] == [
        (48, 4, True), (80, 16, True), (80, 16, True)]
    assert all(10 < record['probe_accuracy'] <= 100 for record in records)
    assert printed.startswith('Not counted, as no picture to learn from has them: ')
    assert (out / 'table.md').read_text() in printed
    assert len((out / 'table.csv').read_text().splitlines()) == 1 + 3
    with Image.open(out / 'pca.png') as picture:  # the picture, encoder5, unet8 twice
        assert picture.width == 12 + 4 * (192 + 12)
    with Image.open(out / 'heat_map.png') as picture:
        picture.load()

    # as after an interruption: what is done is not done again, what is lost comes out the same
    done = records[0] | dict(probe_miou=12.34)
    (out / 'records.jsonl').write_text(f'{json.dumps(done)}\n{json.dumps(records[1])[:50]}')
    probe('--timesteps', 0, 100, '--out-dir', out)
    assert read_records(out) == [done, *records[1:]]

    probe('--timesteps', 300, '--out-dir', out, '--pictures', 0)  # is added
    assert read_records(out)[:3] == [done, *records[1:]]
    assert [(r['map'], r['noise']) for r in read_records(out)[3:]] == [('unet8', 300)]

    with pytest.raises(SystemExit, match=r'other settings; .*cells: 40 there, 50 now'):
        probe('--timesteps', 0, '--out-dir', out, '--cells', 50)


@pytest.mark.parametrize(('kind', 'make', 'noise'), [
    ('TokenDiffusionExtractor', make_amused, (0, 0.5)),
    ('DiffusionTransformerExtractor', make_stable_diffusion_3, (0, 100))])
def test_other_extractors(probe, tmp_path, kind, make, noise):
    make(tmp_path / 'weights')
    maps = 'encoder1', 'transformer0'
    probe('--noise', *noise, '--maps', *maps, '--pictures', 0, '--out-dir', tmp_path / 'probe',
          '--cfg-options', 'model.backbone.extractor._delete_=True',
          f'model.backbone.extractor.type={kind}',
          f'model.backbone.extractor.pretrained={tmp_path / "weights"}')
    assert [(r['map'], r['noise']) for r in read_records(tmp_path / 'probe')] == [
        (maps[0], None), (maps[1], noise[0]), (maps[1], noise[1])]
    assert f'| map | {"timestep" if noise[1] > 1 else "mask share"} |' in (
        tmp_path / 'probe/table.md').read_text()


@pytest.mark.parametrize(('options', 'message'), [
    (['--maps', 'unet99', 'encoder5'], r'--maps unet99: .* some of pixels, encoder0, .*decoder11'),
    (['--timesteps', '0', '1500'], r'timesteps=\(0, 1500\): there is no 1500'),
    (['--num-images', '5'], r'--num-images 5: the val_dataloader of .* has 4 pictures'),
    (['--num-images', '1'], r'--num-images 1: .* at least 2 are needed'),
    (['--cfg-options', 'model.backbone.extractor.type=ResNet'], 'is no FeatureExtractor'),
    (['--cfg-options', 'model.backbone.extractor.type=DiffusionTransformerExtractor'],
     'dropped by --cfg-options model.backbone.extractor._delete_=True'),
    (['--cfg-options', 'model.backbone.extractor.nothing=1'], "unexpected .* 'nothing'.*_delete_"),
    (['--cfg-options', 'val_dataloader=None'], 'has no val_dataloader; give another --split'),
    (['--cfg-options', 'val_dataloader.dataset.data_root=nowhere/'], 'is not there'),
    (['--cfg-options', 'val_dataloader.dataset.pipeline.1.type=mmdet.LoadEmptyAnnotations',
      'val_dataloader.dataset.pipeline.1.with_bbox=False'], 'gives no panoptic truth')])
def test_what_is_wrong_is_said(probe, tmp_path, options, message):
    with pytest.raises(SystemExit, match=message):
        probe('--out-dir', tmp_path / 'probe', *options)
    assert not (tmp_path / 'probe/records.jsonl').exists()


def test_a_config_without_an_extractor(probe, tmp_path):
    with pytest.raises(SystemExit, match=r"no model.backbone.extractor .*its backbone is 'ResNet'"):
        probe('--out-dir', tmp_path, config=ROOT / 'configs/odise/odise_r18_shapes-panoptic.py')


def test_all_maps_that_there_are_and_those_that_the_config_reads(config):
    generator = Generator(config)
    everything = generator.maps(100, ['all'])
    blocks = [found for found in everything
              if found.chosen_by is None or found.chosen_by[0].endswith('_blocks')]
    assert [found.name for found in blocks] == [
        'pixels', *(f'encoder{i}' for i in range(8)), *(f'unet{i}' for i in range(12)),
        *(f'decoder{i}' for i in range(12))]
    assert {found.noise for found in blocks if found.name.startswith('unet')} == {100}
    read = ['encoder5', 'encoder7', 'unet2', 'unet5', 'unet8', 'unet11', 'decoder2', 'decoder5']
    assert [found.name for found in filter(generator.is_read, everything)] == read
    assert [found.name for found in generator.maps(100, ['config'])] == ['pixels', *read]
    assert generator.levels(None) == [0] and generator.levels([5, 0, 5]) == [5, 0]


def test_maps_are_those_that_the_backbone_reads(config):
    """Over several windows, and whatever else is read beside them."""
    backbone = dict(config.model.backbone, captioner=None)
    images = torch.rand(2, 3, 128, 192, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected, _ = MODELS.build(backbone).eval().inner_maps(images)
    generator = Generator(config)
    some = generator.maps(0, ['unet5', 'unet8', 'decoder2'])
    generator.max_windows = 3
    reader = MapReader(generator.build(0, some), some)
    names = [found.name for found in reader.backbone.extractor.maps]
    assert names == ['unet5', 'unet8', 'decoder2']
    found = reader.read(images)
    assert set(found) == set(reader.maps)
    for name, maps in found.items():
        assert torch.allclose(maps, expected[name], atol=1e-4), name


def test_pixels_need_no_generator(config):
    generator = Generator(config)
    assert generator.build(0, [PIXELS]) is None
    images = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    found = MapReader(None, [PIXELS]).read(images)['pixels']
    assert found[0, :, 0, 1] == pytest.approx(images[0, :, :4, 4:8].mean((1, 2)))


def test_pictures_of_both_halves_are_the_same_whenever_they_are_loaded(config):
    pictures = Pictures(config, 'train', None, seed=3)  # flipped and recoloured at random
    assert len(pictures.learning) == len(pictures.measuring) == 2
    assert sorted(pictures.learning + pictures.measuring) == [0, 1, 2, 3]
    first, = pictures.batches(pictures.learning)
    again, = pictures.batches(pictures.learning)
    for one, other in zip(first, again, strict=True):
        assert torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other
    alone = next(pictures.batches(pictures.learning[1:]))
    assert torch.equal(alone.images[0], first.images[1])


def test_truth_is_of_the_size_of_the_picture_that_the_generator_sees(config):
    """As in pipelines for tests, which resize the picture before its annotations are loaded."""
    plain = Pictures(config, 'val', None, 0)
    config.val_dataloader.dataset.pipeline.insert(1, dict(type='Resize', scale=(64, 64)))
    halved = Pictures(config, 'val', None, 0)
    full, = plain.batches(plain.learning)
    half, = halved.batches(plain.learning)
    assert half.labels.shape[1:] == (16, 16) == tuple(side // 2 for side in full.labels.shape[1:])
    equal = half.labels == full.labels[:, ::2, ::2]
    assert equal.float().mean() > 0.9


def test_principal_components_as_colours():
    ramp = torch.linspace(0, 1, 101)[None, None]
    feature = torch.cat([0 * ramp, -5 * ramp, ramp.flip(-1) * 0 + 3])
    color, = principal_colors([feature])
    # the largest part of an axis is positive: it falls where the channel falls
    assert color[0, 0].tolist() == [255, 0, 0] and color[0, 100].tolist() == [0, 0, 0]
    assert color[0, 50, 0] == pytest.approx(127.5, abs=1)
    one, other = principal_colors([feature[:, :, :51], feature[:, :, 51:]])
    assert np.concatenate([one, other], axis=1).tolist() == color.tolist()


def test_the_best_map_of_each_kind_and_noise(config):
    class Run:
        maps, levels = Generator(config).maps(0, ['all']), [0, 100]

    def record(name, noise=None):
        return Record(name, noise, 1, 1, False, 0, 0, 0, 0)

    best_first = [record('pixels'), record('decoder5'), record('unet11', 100), record('decoder2'),
                  record('unet8', 300), record('unet8', 0), record('unet8', 100),
                  record('encoder3')]
    assert [found.key for found in best_of_each_kind(best_first, Run)] == [
        ('encoder3', None), ('unet8', 0), ('unet11', 100), ('decoder5', None)]
