# Masks without training, named by CLIP: recursive normalized cut on the features of Stable
# Diffusion's deepest self-attention on the way down (DiffCut, arXiv 2406.02842).
# Derived configs give panoptic_head.vocabulary, and where the frozen weights are.
clip = dict(type='FrozenCLIP', model='ViT-L-14-336-quickgelu', pretrained='openai')

model = dict(
    type='ODISE',
    data_preprocessor=dict(  # RGB in [0, 1]
        type='PanopticDataPreprocessor',
        mean=[0, 0, 0],
        std=[255, 255, 255],
        bgr_to_rgb=True,
        pad_size_divisor=64),
    backbone=dict(
        type='DiffusionBackbone',
        extractor=dict(
            type='StableDiffusionExtractor',
            pretrained='CompVis/stable-diffusion-v1-3',
            encoder_blocks=(),
            unet_blocks=(),
            decoder_blocks=(),
            attentions=('features5', ),  # stride 32
            timesteps=(50, )),
        out_channels=None,
        window_size=512,
        with_image=True),
    panoptic_head=dict(
        type='ClusterHead',
        method='normalized_cut',
        power=10,
        tau=0.5,
        stride=32,
        min_size=0.002,
        refine=dict(iterations=10, dilations=(1, 2, 4, 8))),
    panoptic_fusion_head=dict(type='OpenVocabularyFusionHead'),
    classifier=dict(type='CLIPClassifier', clip=clip, align_masks=True, min_coverage=0.5),
    test_cfg=dict(
        panoptic_on=True,
        instance_on=True,
        semantic_on=True,
        object_mask_thr=0.0,
        iou_thr=0.0,  # masks do not overlap
        filter_low_score=False,
        max_per_image=100))
