# mmdet's own Mask2Former, with its fixed classifier, on diffusion features.
_base_ = './odise_sd-small_shapes-panoptic.py'

num_things_classes = 12
num_stuff_classes = 6

model = dict(
    _delete_=True,
    type='Mask2Former',
    data_preprocessor={{_base_.model.data_preprocessor}},
    backbone={{_base_.model.backbone}},
    panoptic_head=dict(
        type='Mask2FormerHead',
        in_channels={{_base_.model.panoptic_head.in_channels}},
        strides={{_base_.model.panoptic_head.strides}},
        feat_channels={{_base_.model.panoptic_head.feat_channels}},
        out_channels={{_base_.model.panoptic_head.out_channels}},
        num_things_classes=num_things_classes,
        num_stuff_classes=num_stuff_classes,
        num_queries={{_base_.model.panoptic_head.num_queries}},
        num_transformer_feat_level=3,
        pixel_decoder={{_base_.model.panoptic_head.pixel_decoder}},
        positional_encoding={{_base_.model.panoptic_head.positional_encoding}},
        transformer_decoder={{_base_.model.panoptic_head.transformer_decoder}},
        loss_cls=dict(
            type='CrossEntropyLoss',
            use_sigmoid=False,
            loss_weight=2.0,
            reduction='mean',
            class_weight=[1.0] * (num_things_classes + num_stuff_classes) + [0.1]),
        loss_mask={{_base_.model.panoptic_head.loss_mask}},
        loss_dice={{_base_.model.panoptic_head.loss_dice}}),
    panoptic_fusion_head=dict(
        type='MaskFormerFusionHead',
        num_things_classes=num_things_classes,
        num_stuff_classes=num_stuff_classes),
    train_cfg={{_base_.model.train_cfg}},
    test_cfg=dict(
        panoptic_on=True,
        instance_on=False,
        semantic_on=False,
        object_mask_thr=0.8,
        iou_thr=0.8,
        filter_low_score=True,
        max_per_image=100))

# A fixed classifier knows the base classes only: evaluated on the training images.
val_dataloader = dict(
    dataset=dict(
        split='base',
        ann_file='annotations/panoptic_train.json',
        data_prefix=dict(img='train/', seg='annotations/panoptic_train/')))
test_dataloader = val_dataloader
val_evaluator = dict(
    ann_file='data/shapes/annotations/panoptic_train.json',
    seg_prefix='data/shapes/annotations/panoptic_train/')
test_evaluator = val_evaluator
