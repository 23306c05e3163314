# The embedded data set; `mim run mmodise make_shapes data/shapes` draws it.
dataset_type = 'ShapesPanopticDataset'
data_root = 'data/shapes/'

# The training vocabulary: the base classes, in the order of the labels, with some of their
# synonyms. Others (sphere, cube, hoop, lawn, lake, planks) are left for the tests to look for.
vocabulary = dict(
    thing_classes=(
        'red ball, crimson ball',
        'blue ball',
        'yellow ball, golden ball',
        'blue box',
        'yellow box, golden box',
        'striped box, stripy box',
        'red star',
        'yellow star',
        'striped star',
        'red ring, crimson ring',
        'blue ring',
        'striped ring, stripy ring',
    ),
    stuff_classes=(
        'grass',
        'sand, beach',
        'water',
        'night sky, starry sky',
        'wooden floor',
        'checkered carpet, checkered rug',
    ))

# `text` and `stuff_text` are the sample's vocabulary: without them the model would not see it.
meta_keys = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'text', 'stuff_text')

# Six textures are few to learn from what stuff is. mmdet's transform also permutes the colours of
# half of the pictures, which then have other colours than their names say: the head learns less of
# colours and leaves them to CLIP. Without it novel classes lose 20 PQ, base classes gain 3.
light = dict(
    type='PhotoMetricDistortion', brightness_delta=12, contrast_range=(0.85, 1.15),
    saturation_range=(0.8, 1.2), hue_delta=0)

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadPanopticAnnotations'),
    light,
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs', meta_keys=(*meta_keys, 'flip', 'flip_direction')),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadPanopticAnnotations'),
    dict(type='PackDetInputs', meta_keys=meta_keys),
]

train_dataloader = dict(
    batch_size=4,
    num_workers=0,  # a core that loads is one that does not train, and loading takes little
    persistent_workers=False,
    # One epoch without end: mmengine pauses for two seconds at the end of every epoch.
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        split='base',
        data_root=data_root,
        ann_file='annotations/panoptic_train.json',
        data_prefix=dict(img='train/', seg='annotations/panoptic_train/'),
        return_classes=True,
        pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=8,
    num_workers=0,
    persistent_workers=False,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        split='all',
        data_root=data_root,
        ann_file='annotations/panoptic_val.json',
        data_prefix=dict(img='val/', seg='annotations/panoptic_val/'),
        test_mode=True,
        return_classes=True,
        pipeline=test_pipeline))
test_dataloader = val_dataloader

val_evaluator = dict(
    type='OpenVocabularyPanopticMetric',
    ann_file=data_root + 'annotations/panoptic_val.json',
    seg_prefix=data_root + 'annotations/panoptic_val/')
test_evaluator = val_evaluator
