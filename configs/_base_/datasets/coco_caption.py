# COCO panoptic for caption supervision: in training, captions in place of the classes.
_base_ = './coco_panoptic.py'

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadPanopticIfAny'),
    dict(type='DrawWords', num_words=8),
    dict(type='RandomFlip', prob=0.5),
    {{_base_.jitter}}, {{_base_.crop}}, {{_base_.pad}},
    dict(type='PackDetInputs', meta_keys=(
        'img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'words', 'has_masks'))
]
train_dataloader = dict(
    dataset=dict(
        # What `mim run mmodise extract_phrases` makes of this file can be named instead, and spares
        # each process that loads images to look for noun phrases.
        caption_file='annotations/captions_train2017.json',
        return_classes=False,
        pipeline=train_pipeline))
