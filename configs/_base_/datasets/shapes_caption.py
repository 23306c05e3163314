# The embedded data set for caption supervision: in training, captions in place of the classes.
_base_ = './shapes_panoptic.py'

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadPanopticIfAny'),
    dict(type='DrawWords', num_words=8, extractor='builtin'),  # the same words everywhere
    {{_base_.light}},
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs', meta_keys=(
        'img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'flip', 'flip_direction',
        'words', 'has_masks')),
]
train_dataloader = dict(
    dataset=dict(
        caption_file='annotations/captions_train.json',
        return_classes=False,
        pipeline=train_pipeline))
