# COCO panoptic with the augmentation of the paper (large-scale jittering to 1024 x 1024).
_base_ = './coco_panoptic_vocabulary.py'

dataset_type = 'CheckedPanopticDataset'
# The folder with train2017/, val2017/ and annotations/. Use the environment variable COCO_ROOT to
# point elsewhere: `--cfg-options data_root=…` comes too late for the paths made from it below.
data_root = '{{$COCO_ROOT:data/coco}}/'
image_size = (1024, 1024)
grey = (128, 128, 128)
meta_keys = (
    'img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'text', 'stuff_text')

# Pillow's resizing is the official release's: it antialiases what it makes smaller, OpenCV's does
# not.
jitter = dict(
    type='RandomResize',
    scale=image_size,
    ratio_range=(0.1, 2.0),
    resize_type='PillowResize',
    keep_ratio=True)
crop = dict(
    type='RandomCrop', crop_size=image_size, recompute_bbox=True, allow_negative_crop=True)
pad = dict(type='Pad', size=image_size, pad_val=dict(img=grey, masks=0, seg=255))
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadPanopticIfAny'),
    dict(type='RandomFlip', prob=0.5),
    jitter, crop, pad,
    dict(type='PackDetInputs', meta_keys=meta_keys)
]
# Annotations are not loaded for testing: the metric reads them from ann_file and seg_prefix.
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(2560, 1024), keep_ratio=True, backend='pillow'),
    dict(type='PackDetInputs', meta_keys=meta_keys)
]

train_dataloader = dict(
    batch_size=2,  # on each of 32 GPUs
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='annotations/panoptic_train2017.json',
        data_prefix=dict(img='train2017/', seg='annotations/panoptic_train2017/'),
        metainfo={{_base_.coco_vocabulary}},
        return_classes=True,
        pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='annotations/panoptic_val2017.json',
        data_prefix=dict(img='val2017/', seg='annotations/panoptic_val2017/'),
        metainfo={{_base_.coco_vocabulary}},
        return_classes=True,
        test_mode=True,
        pipeline=test_pipeline))
test_dataloader = val_dataloader

# PQ, mask AP and mIoU in one pass. As in the official release, instances are compared with COCO's
# own annotations, which overlap; with `**panoptic` instead, with those that can be made of panoptic
# ones, for data that has no others.
panoptic = dict(
    ann_file=data_root + 'annotations/panoptic_val2017.json',
    seg_prefix=data_root + 'annotations/panoptic_val2017/')
val_evaluator = [
    dict(type='CocoPanopticMetric', **panoptic),
    dict(
        type='OpenVocabularyInstanceMetric',
        ann_file=data_root + 'annotations/instances_val2017.json'),
    dict(type='OpenVocabularySemanticMetric', **panoptic)
]
test_evaluator = val_evaluator
