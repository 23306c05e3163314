# The captions of an off-the-shelf captioner, in place of the implicit one:
# `python tools/small_models/train_small_models.py captioner`.
_base_ = '../odise/odise_sd-small_shapes-panoptic.py'

model = dict(backbone=dict(captioner=dict(
    type='PretrainedCaptioner', _delete_=True, pretrained='data/small_models/captioner')))
