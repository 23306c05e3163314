# FC-CLIP's recipe over OpenAI's CLIP ResNet-50. A mask that covers no cell of CLIP's last map is
# scored by the head alone, as in all of FC-CLIP's over ResNets.
_base_ = './fcclip_convnext-l_8xb2-lsj-50e_coco-panoptic.py'

clip = dict(type='FrozenCLIP', model='RN50-quickgelu', pretrained='openai')

model = dict(
    backbone=dict(clip=clip),
    panoptic_head=dict(clip=clip, in_channels=[256, 512, 1024, 2048]),
    classifier=dict(clip=clip, valid_only=True))
