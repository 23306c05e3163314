# FC-CLIP at full size: one frozen CLIP, a ConvNeXt, is the backbone and the classifier of masks,
# and embeds the names. What differs from ODISE with label supervision.
# Derived configs give panoptic_head.vocabulary.
_base_ = './odise.py'

clip = dict(
    type='FrozenCLIP', model='convnext_large_d_320', pretrained='laion2b_s29b_b131k_ft_soup')

model = dict(
    data_preprocessor=dict(
        pad_size_divisor=32,
        pad_colour=[0.48145466, 0.4578275, 0.40821073]),  # CLIP's mean, which is 0 to CLIP
    backbone=dict(_delete_=True, type='CLIPBackbone', clip=clip),
    panoptic_head=dict(
        type='FCCLIPHead',
        clip=clip,
        prompt='vild',
        in_channels=[192, 384, 768, 1536],
        num_queries=250,
        pixel_decoder=dict(type='Float32PixelDecoder')),
    classifier=dict(_delete_=True, type='PooledCLIPClassifier', clip=clip, prompt='vild'),
    ensemble=dict(alpha=0.4, beta=0.8))
