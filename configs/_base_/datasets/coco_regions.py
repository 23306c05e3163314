# COCO panoptic with captions, to be trained on beside images whose words have boxes: masks are
# learned from COCO's, words from all. Words are drawn once it is known what is left in the picture.
_base_ = './coco_caption.py'

image_size = (1024, 1024)
grey = (128, 128, 128)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadPanopticIfAny'),
    dict(type='RandomFlip', prob=0.5),
    dict(
        type='RandomResize',
        scale=image_size,
        ratio_range=(0.1, 2.0),
        resize_type='PillowResize',
        keep_ratio=True),
    dict(type='RandomCrop', crop_size=image_size, recompute_bbox=True, allow_negative_crop=True),
    dict(type='DrawRegionWords', num_words=8),
    dict(type='Pad', size=image_size, pad_val=dict(img=grey, masks=0, seg=255)),
    dict(type='PackDetInputs', meta_keys=(
        'img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'words', 'word_boxes',
        'has_masks'))
]
coco = dict(
    type='CheckedPanopticDataset',
    data_root={{_base_.data_root}},
    ann_file='annotations/panoptic_train2017.json',
    caption_file='annotations/captions_train2017.json',
    data_prefix=dict(img='train2017/', seg='annotations/panoptic_train2017/'),
    metainfo={{_base_.coco_vocabulary}},
    pipeline=train_pipeline)
