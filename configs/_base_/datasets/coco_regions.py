# COCO panoptic with captions, to be trained on beside images whose words have boxes: masks are
# learned from COCO's, words from all. Words are drawn once it is known what is left in the picture.
_base_ = './coco_caption.py'

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadPanopticIfAny'),
    dict(type='RandomFlip', prob=0.5),
    {{_base_.jitter}}, {{_base_.crop}},
    dict(type='DrawRegionWords', num_words=8),
    {{_base_.pad}},
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
