import json
import os
import shutil

import pytest
import torch
from mmdet.registry import DATASETS, TRANSFORMS
from PIL import Image

from mmodise.datasets import ShapesPanopticDataset
from mmodise.datasets.panoptic import FolderListings
from mmodise.datasets.shapes import shapes_metainfo
from mmodise.datasets.shapes_world import BASE_STUFF, BASE_THINGS

IMAGE, MAP = 'train/000002.jpg', 'annotations/panoptic_train/000002.png'
ANNOTATIONS = 'annotations/panoptic_train.json'


@pytest.fixture
def root(demo_dir, tmp_path):
    """A data set of four images, each with its annotation map."""
    shutil.copytree(demo_dir / 'data/shapes', tmp_path / 'shapes')
    return tmp_path / 'shapes'


def build(root, annotated=True, **settings):
    pipeline = [dict(type='LoadImageFromFile'),
                *[dict(type='LoadPanopticAnnotations')] * annotated, dict(type='PackDetInputs')]
    # serializing collects garbage in the whole process first, which takes seconds
    settings = dict(pipeline=pipeline, serialize_data=False, **settings)
    return DATASETS.build(dict(
        type='CheckedPanopticDataset', data_root=str(root), ann_file=ANNOTATIONS,
        metainfo=shapes_metainfo(BASE_THINGS, BASE_STUFF),
        data_prefix=dict(img='train/', seg='annotations/panoptic_train/'), **settings))


def test_a_good_data_set_is_loaded(root):
    dataset = build(root)
    assert len(dataset) == 4
    assert dataset[1]['data_samples'].gt_sem_seg.sem_seg.shape == (1, 128, 128)
    assert issubclass(ShapesPanopticDataset, type(dataset))


@pytest.mark.parametrize(('file', 'kind'), [(IMAGE, 'images'), (MAP, 'annotation maps')])
def test_a_missing_file_is_named_when_the_data_set_is_built(root, file, kind):
    (root / file).unlink()
    with pytest.raises(FileNotFoundError, match=rf'1 of 4 {kind} .* are not in .*{file}\. Check'):
        build(root)
    assert len(build(root, indices=1)) == 1, 'nobody asks for the second image'
    assert len(build(root, indices=[0, 2, 3])) == 3


def test_a_missing_folder_is_told_in_three_names(root):
    shutil.rmtree(root / 'train')
    with pytest.raises(FileNotFoundError, match=r'4 of 4 .*train/000003\.jpg, \.\.\.\. Check'):
        build(root)


def test_each_folder_is_listed_once(tmp_path, monkeypatch):
    (tmp_path / 'there').mkdir()
    (tmp_path / 'there/a').touch()
    listed = []
    monkeypatch.setattr(
        os, 'listdir', lambda folder, listdir=os.listdir: listed.append(folder) or listdir(folder))
    listings = FolderListings()
    there = str(tmp_path / 'there')
    assert [listings.find(there, name) for name in 'aba'] == [f'{there}/a', None, f'{there}/a']
    assert listings.find(str(tmp_path), 'nowhere/a') is None
    assert listed == [there]


@pytest.mark.parametrize('file', [IMAGE, MAP])
@pytest.mark.parametrize('content', ['cut', 'empty', 'text'])
def test_a_broken_file_is_named_when_it_is_read(root, file, content):
    whole = (root / file).read_bytes()
    (root / file).write_bytes(dict(cut=whole[: len(whole) // 2], empty=b'', text=b'hello')[content])
    dataset = build(root)
    dataset[0]
    with pytest.raises(ValueError, match=rf'{file} cannot be read; it is no image, or was cut'):
        dataset[1]


def test_a_broken_file_is_named_across_the_processes_that_load(root):
    (root / IMAGE).write_bytes(b'hello')
    loader = torch.utils.data.DataLoader(build(root), num_workers=1, collate_fn=list)
    with pytest.raises(ValueError, match=rf'{IMAGE} cannot be read'):
        list(loader)


@pytest.mark.parametrize('annotated', [True, False])
def test_an_annotation_map_must_be_of_the_images_size(root, annotated):
    Image.open(root / MAP).resize((64, 32), Image.Resampling.NEAREST).save(root / MAP)
    dataset = build(root, annotated)
    message = rf'{IMAGE} has 128 x 128 pixels, its annotation map .*{MAP} 64 x 32\. '
    with pytest.raises(ValueError, match=message):
        dataset[1]


def test_an_image_may_be_stored_lying_on_its_side(root):
    """As cameras do: 96 x 128 pixels with a note to turn them."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(root / IMAGE).crop((0, 0, 128, 96)).save(root / IMAGE, exif=exif)
    Image.open(root / MAP).crop((0, 0, 96, 128)).save(root / MAP)
    sample = build(root)[1]['data_samples']
    assert sample.ori_shape == (128, 96) == tuple(sample.gt_sem_seg.sem_seg.shape[1:])


def test_what_fails_otherwise_is_told_with_the_files(root):
    @TRANSFORMS.register_module(force=True)
    class FailsAlways:
        def __call__(self, results):
            raise KeyError('colour')

    dataset = build(root)
    dataset.pipeline.transforms.append(FailsAlways())
    with pytest.raises(ValueError, match=rf"fails at .*{IMAGE} and .*{MAP}: KeyError\('colour'\)"):
        dataset[1]


def test_an_annotation_file_that_was_cut_short_is_named(root):
    content = (root / ANNOTATIONS).read_text()
    assert json.loads(content)
    (root / ANNOTATIONS).write_text(content[:1000])
    with pytest.raises(ValueError, match=rf'{ANNOTATIONS} is no JSON, or was cut short'):
        build(root)
