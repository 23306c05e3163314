# mmsegmentation's Semantic FPN on diffusion features.
_base_ = ['../_base_/datasets/shapes_panoptic.py', '../_base_/default_runtime.py']

clip = dict(type='FrozenCLIP', model='mmodise://shapes/clip')
num_classes = 18  # 12 things and 6 stuff

model = dict(
    type='mmseg.EncoderDecoder',
    data_preprocessor=dict(
        type='mmseg.SegDataPreProcessor',
        mean=[0, 0, 0],
        std=[255, 255, 255],
        bgr_to_rgb=True,
        size_divisor=64,
        test_cfg=dict(size_divisor=64)),
    backbone=dict(
        type='mmdet.DiffusionBackbone',
        extractor=dict(
            type='StableDiffusionExtractor', pretrained='mmodise://shapes/stable_diffusion'),
        captioner=dict(type='ImplicitCaptioner', clip=clip),
        out_channels=128,
        window_size=128),
    decode_head=dict(
        type='mmseg.FPNHead',
        in_channels=[128, 128, 128, 128],
        in_index=[0, 1, 2, 3],
        feature_strides=[4, 8, 16, 32],
        channels=64,
        dropout_ratio=0.1,
        num_classes=num_classes,
        norm_cfg=dict(type='BN'),
        align_corners=False,
        loss_decode=dict(
            type='mmseg.CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0)),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'))

# The panoptic annotations' map of classes is a semantic one.
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadPanopticAnnotations', with_bbox=False, with_mask=False),
    dict(type='RandomFlip', prob=0.5),
    dict(type='mmseg.PackSegInputs')
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadPanopticAnnotations', with_bbox=False, with_mask=False),
    dict(type='mmseg.PackSegInputs')
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
# A fixed classifier knows the base classes only: evaluated on the training images.
val_dataloader = dict(
    dataset=dict(
        split='base',
        ann_file='annotations/panoptic_train.json',
        data_prefix=dict(img='train/', seg='annotations/panoptic_train/'),
        pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(_delete_=True, type='mmseg.IoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator

optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.05))
max_iters = 400
param_scheduler = [dict(type='PolyLR', power=0.9, eta_min=1e-5, by_epoch=False, end=max_iters)]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max_iters)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
default_hooks = dict(
    visualization=dict(_delete_=True, type='mmseg.SegVisualizationHook'))
visualizer = dict(type='mmseg.SegLocalVisualizer')
