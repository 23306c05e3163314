# ODISE with label supervision, at the paper's size.
# Derived configs give panoptic_head.vocabulary, and where the frozen weights are.
clip = dict(type='FrozenCLIP', model='ViT-L-14-336-quickgelu', pretrained='openai')

attention = dict(embed_dims=256, num_heads=8, dropout=0.0, batch_first=True)

model = dict(
    type='ODISE',
    data_preprocessor=dict(  # RGB in [0, 1]
        type='PanopticDataPreprocessor',
        mean=[0, 0, 0],
        std=[255, 255, 255],
        bgr_to_rgb=True,
        pad_size_divisor=64,
        pad_mask=True,
        mask_pad_value=0,
        pad_seg=True,
        seg_pad_value=255),
    backbone=dict(
        type='DiffusionBackbone',
        extractor=dict(
            type='StableDiffusionExtractor',
            pretrained='CompVis/stable-diffusion-v1-3',
            encoder_blocks=(5, 7),
            unet_blocks=(2, 5, 8, 11),
            decoder_blocks=(2, 5),
            timesteps=(0, )),
        captioner=dict(type='ImplicitCaptioner', clip=clip),
        out_channels=512,
        window_size=512,
        with_cp=True),
    panoptic_head=dict(
        type='ODISEHead',
        clip=clip,
        prompt='{}',
        no_object_weight=0.1,
        in_channels=[512, 512, 512, 512],  # passed to the pixel decoder
        strides=[4, 8, 16, 32],
        feat_channels=256,
        out_channels=256,
        num_queries=100,
        num_transformer_feat_level=3,
        pixel_decoder=dict(
            type='MSDeformAttnPixelDecoder',
            num_outs=3,
            norm_cfg=dict(type='GN', num_groups=32),
            act_cfg=dict(type='ReLU'),
            encoder=dict(
                num_layers=6,
                layer_cfg=dict(
                    self_attn_cfg=dict(**attention, num_levels=3, num_points=4),
                    ffn_cfg=dict(
                        embed_dims=256,
                        feedforward_channels=1024,
                        num_fcs=2,
                        ffn_drop=0.0,
                        act_cfg=dict(type='ReLU', inplace=True)))),
            positional_encoding=dict(num_feats=128, normalize=True)),
        positional_encoding=dict(num_feats=128, normalize=True),
        transformer_decoder=dict(
            return_intermediate=True,
            num_layers=9,
            layer_cfg=dict(
                self_attn_cfg=attention,
                cross_attn_cfg=attention,
                ffn_cfg=dict(
                    embed_dims=256,
                    feedforward_channels=2048,
                    num_fcs=2,
                    ffn_drop=0.0,
                    act_cfg=dict(type='ReLU', inplace=True))),
            init_cfg=None),
        loss_cls=dict(type='WholeBatchCrossEntropyLoss', loss_weight=2.0),
        loss_mask=dict(
            type='CrossEntropyLoss', use_sigmoid=True, loss_weight=5.0, reduction='mean'),
        loss_dice=dict(
            type='DiceLoss',
            use_sigmoid=True,
            activate=True,
            reduction='mean',
            naive_dice=True,
            eps=1.0,
            loss_weight=5.0)),
    panoptic_fusion_head=dict(type='OpenVocabularyFusionHead'),
    classifier=dict(type='CLIPClassifier', clip=clip, prompt='a photo of a {}.'),
    ensemble=dict(type='GeometricEnsemble', alpha=0.3, beta=0.7),
    train_cfg=dict(
        num_points=12544,
        oversample_ratio=3.0,
        importance_sample_ratio=0.75,
        assigner=dict(
            type='HungarianAssigner',
            match_costs=[
                dict(type='ClassificationCost', weight=2.0),
                dict(type='CrossEntropyLossCost', weight=5.0, use_sigmoid=True),
                dict(type='DiceCost', weight=5.0, pred_act=True, eps=1.0)
            ]),
        sampler=dict(type='MaskPseudoSampler')),
    test_cfg=dict(
        panoptic_on=True,
        instance_on=True,
        semantic_on=True,
        object_mask_thr=0.0,
        iou_thr=0.8,
        filter_low_score=True,
        max_per_image=100))
