import json
import logging
import shutil

import pytest
from mmdet.registry import DATASETS, MODELS
from mmengine.dataset import pseudo_collate

from mmodise.datasets.shapes import shapes_metainfo
from mmodise.datasets.shapes_world import BASE_STUFF, BASE_THINGS

PIPELINE = [
    dict(type='LoadImageFromFile'), dict(type='LoadPanopticIfAny'),
    dict(type='DrawWords', extractor='builtin'), dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'words',
                                          'has_masks'))]


@pytest.fixture
def root(demo_dir, tmp_path):
    """A data set of four images with captions."""
    shutil.copytree(demo_dir / 'data/shapes', tmp_path / 'shapes')
    return tmp_path / 'shapes'


def change(root, **changes):
    path = root / 'annotations/captions_train.json'
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def captions_only(root):
    return dict(type='CaptionedImagesDataset', data_root=str(root), serialize_data=False,
                ann_file='annotations/captions_train.json', data_prefix=dict(img='train/'),
                pipeline=PIPELINE)


def test_images_with_captions_and_no_masks(root):
    dataset = DATASETS.build(captions_only(root))
    assert len(dataset) == 4
    sample = dataset[2]
    assert sample['inputs'].shape == (3, 128, 128)
    sample = sample['data_samples']
    assert sample.img_id == 3 and not sample.has_masks
    assert len(sample.gt_instances.masks) == len(sample.gt_instances.labels) == 0
    assert (sample.gt_sem_seg.sem_seg == 255).all()
    captions = dataset.get_data_info(2)['captions']
    assert len(sample.words) == 8 and any(
        all(word in caption for word in sample.words) for caption in captions)


def test_a_mixture_of_both_kinds_goes_into_one_batch(root):
    """Of whichever kind the first is, which is the one that mmdet asks for masks."""
    masks = dict(captions_only(root), type='CheckedPanopticDataset',
                 ann_file='annotations/panoptic_train.json',
                 caption_file='annotations/captions_train.json',
                 data_prefix=dict(img='train/', seg='annotations/panoptic_train/'))
    info = shapes_metainfo(BASE_THINGS, BASE_STUFF)
    dataset = DATASETS.build(dict(type='ConcatDataset', datasets=[
        dict(captions_only(root), metainfo=info), dict(masks, metainfo=info)]))
    assert len(dataset) == 8
    preprocess = MODELS.build(dict(
        type='DetDataPreprocessor', pad_size_divisor=64, pad_mask=True, pad_seg=True))
    for order in ((0, 4), (4, 0)):
        batch = preprocess(pseudo_collate([dataset[i] for i in order]))
        samples = dict(zip(order, batch['data_samples'], strict=True))
        assert batch['inputs'].shape == (2, 3, 128, 128)
        assert [samples[i].has_masks for i in (0, 4)] == [False, True]
        assert samples[0].gt_instances.masks.masks.shape == (0, 128, 128)
        assert len(samples[4].gt_instances.masks) >= 2
        assert len(samples[0].words) == len(samples[4].words) == 8


def test_images_without_captions_are_left_out_and_told(root, log):
    change(root, annotations=[dict(image_id=3, caption='a dog on the grass'),
                              dict(image_id=1, caption='')])
    dataset = DATASETS.build(captions_only(root))
    assert [info['img_id'] for info in map(dataset.get_data_info, range(len(dataset)))] == [3]
    record, = [record for record in log.records if record.levelno == logging.WARNING
               and 'left out' in record.getMessage()]
    assert record.getMessage().startswith('3 of 4 images')


def test_no_caption_at_all_is_an_error(root):
    change(root, annotations=[dict(image_id=77, caption='a dog on the grass')])
    with pytest.raises(ValueError, match=r'captions_train\.json has no caption of any of its imag'):
        DATASETS.build(captions_only(root))


def test_images_must_have_names(root):
    change(root, images=[dict(id=1)])
    with pytest.raises(ValueError, match=r"1 images without 'file_name', such as \{'id': 1\}"):
        DATASETS.build(captions_only(root))


def test_missing_images_are_named(root):
    (root / 'train/000002.jpg').unlink()
    with pytest.raises(FileNotFoundError, match=r'1 of 4 images .* are not in .*000002\.jpg'):
        DATASETS.build(captions_only(root))
