# Masks without training: clusters of Stable Diffusion's features, named by CLIP.
# Derived configs give panoptic_head.vocabulary, and where the frozen weights are.
clip = dict(type='FrozenCLIP', model='ViT-L-14-336-quickgelu', pretrained='openai')

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
            encoder_blocks=(),
            unet_blocks=(5, 8),  # strides 32 and 16
            decoder_blocks=(),
            timesteps=(50, )),
        out_channels=None,
        window_size=512,
        with_image=True),
    panoptic_head=dict(
        type='ClusterHead',
        method='kmeans',
        num_clusters=32,
        stride=16,
        min_size=0.005,
        refine=dict(iterations=10)),
    panoptic_fusion_head=dict(type='OpenVocabularyFusionHead'),
    classifier=dict(type='CLIPClassifier', clip=clip, align_masks=True),
    test_cfg=dict(
        panoptic_on=True,
        instance_on=True,
        semantic_on=True,
        object_mask_thr=0.0,
        iou_thr=0.0,
        filter_low_score=False,
        max_per_image=100))
