# The embedded data set for caption supervision with boxes: in training, names of what is in the
# picture in place of captions, each with the box of what it names.
_base_ = './shapes_caption.py'

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadPanopticIfAny'),
    {{_base_.light}},
    dict(type='RandomFlip', prob=0.5),
    dict(type='DrawRegionWords', num_words=8, extractor='builtin'),
    dict(type='PackDetInputs', meta_keys=(
        'img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'flip', 'flip_direction',
        'words', 'word_boxes', 'has_masks')),
]
train_dataloader = dict(
    dataset=dict(caption_file=None, with_regions=True, pipeline=train_pipeline))
