# A few photos in COCO's own layout, small enough for a CPU; trained and tested on the same photos,
# those of panoptic_val2017.json. Any COCO fits: the environment variable COCO_ROOT points at it.
_base_ = './coco_panoptic_vocabulary.py'

dataset_type = 'CheckedPanopticDataset'
# `--cfg-options data_root=…` would come too late for the paths made from it below.
data_root = '{{$COCO_ROOT:data/coco_panoptic_sample}}/'
image_size = (384, 256)  # at most: long side, short side
meta_keys = (
    'img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'text', 'stuff_text')

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadPanopticAnnotations'),
    dict(type='Resize', scale=image_size, keep_ratio=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs', meta_keys=meta_keys)
]
# Annotations are not loaded for testing: the metric reads them from ann_file and seg_prefix.
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=image_size, keep_ratio=True),
    dict(type='PackDetInputs', meta_keys=meta_keys)
]

dataset = dict(
    type=dataset_type,
    data_root=data_root,
    ann_file='annotations/panoptic_val2017.json',
    data_prefix=dict(img='val2017/', seg='annotations/panoptic_val2017/'),
    metainfo={{_base_.coco_vocabulary}},
    return_classes=True)
train_dataloader = dict(
    batch_size=2,
    num_workers=0,
    persistent_workers=False,
    # One epoch without end: mmengine pauses for two seconds at the end of every epoch.
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(pipeline=train_pipeline, **dataset))
val_dataloader = dict(
    batch_size=1,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(test_mode=True, pipeline=test_pipeline, **dataset))
test_dataloader = val_dataloader

panoptic = dict(
    ann_file=data_root + 'annotations/panoptic_val2017.json',
    seg_prefix=data_root + 'annotations/panoptic_val2017/')
val_evaluator = [
    dict(type='CocoPanopticMetric', **panoptic),
    dict(type='OpenVocabularyInstanceMetric', **panoptic),
    dict(type='OpenVocabularySemanticMetric', **panoptic)
]
test_evaluator = val_evaluator
