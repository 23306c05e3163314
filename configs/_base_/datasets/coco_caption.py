# COCO panoptic for caption supervision: in training, captions in place of the classes.
_base_ = './coco_panoptic.py'

image_size = (1024, 1024)
grey = (128, 128, 128)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadPanopticIfAny'),
    dict(type='DrawWords', num_words=8),
    dict(type='RandomFlip', prob=0.5),
    dict(
        type='RandomResize',
        scale=image_size,
        ratio_range=(0.1, 2.0),
        resize_type='PillowResize',
        keep_ratio=True),
    dict(type='RandomCrop', crop_size=image_size, recompute_bbox=True, allow_negative_crop=True),
    dict(type='Pad', size=image_size, pad_val=dict(img=grey, masks=0, seg=255)),
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
