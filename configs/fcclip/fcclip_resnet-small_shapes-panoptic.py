# FC-CLIP on the embedded data set, over a small ResNet CLIP:
# `python tools/small_models/train_small_models.py clip-resnet`. A mask that covers no cell of the
# last map is scored by the head alone, as in all of FC-CLIP's over ResNets.
_base_ = './fcclip_convnext-small_shapes-panoptic.py'

clip = dict(type='FrozenCLIP', model='data/small_models/clip_resnet')

model = dict(
    backbone=dict(clip=clip),
    panoptic_head=dict(clip=clip, in_channels=[64, 128, 256, 512]),
    classifier=dict(clip=clip, valid_only=True))
