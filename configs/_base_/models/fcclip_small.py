# FC-CLIP over a small CLIP that `train_small_models.py clip-convnext` makes, with the head of the
# small ODISE but for what is FC-CLIP's: see fcclip.py, of which this says all that differs.
# Derived configs give panoptic_head.vocabulary.
_base_ = './odise_small.py'

clip = dict(type='FrozenCLIP', model='data/small_models/clip_convnext')
prompt = 'a photo of a {}.'  # this CLIP has not read the 14 templates of FC-CLIP

model = dict(
    data_preprocessor=dict(
        pad_size_divisor=32,
        pad_colour=[0.48145466, 0.4578275, 0.40821073]),
    backbone=dict(_delete_=True, type='CLIPBackbone', clip=clip),
    panoptic_head=dict(
        type='FCCLIPHead',
        clip=clip,
        prompt=prompt,
        in_channels=[32, 64, 96, 128],
        pixel_decoder=dict(type='Float32PixelDecoder')),
    classifier=dict(_delete_=True, type='PooledCLIPClassifier', clip=clip, prompt=prompt),
    ensemble=dict(alpha=0.4, beta=0.8))
