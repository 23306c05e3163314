# The embedded data set for caption supervision: in training, captions in place of the classes.
_base_ = './shapes_panoptic.py'

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadPanopticIfAny'),
    dict(type='DrawWords', num_words=8, extractor='builtin'),  # the same words everywhere
    dict(type='PhotoMetricDistortion', brightness_delta=12, contrast_range=(0.85, 1.15),
         saturation_range=(0.8, 1.2), hue_delta=0),
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
