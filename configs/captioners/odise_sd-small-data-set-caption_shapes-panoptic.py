# The captions of the data set, in place of the implicit captioner: in training one of an image's at
# random, in testing its first.
_base_ = '../odise/odise_sd-small_shapes-panoptic.py'

model = dict(backbone=dict(captioner=dict(type='DataSetCaption', _delete_=True)))

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadPanopticAnnotations'),
    {{_base_.light}},
    dict(type='RandomFlip', prob=0.5),
    dict(type='DrawCaption'),
    dict(type='PackDetInputs', meta_keys=(
        *_base_.meta_keys, 'flip', 'flip_direction', 'caption')),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadPanopticAnnotations'),
    dict(type='DrawCaption', random=False),
    dict(type='PackDetInputs', meta_keys=(*_base_.meta_keys, 'caption')),
]
train_dataloader = dict(dataset=dict(
    caption_file='annotations/captions_train.json', pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(
    caption_file='annotations/captions_val.json', pipeline=test_pipeline))
test_dataloader = val_dataloader
