# A learned condition that is the same for every image, in place of the implicit captioner.
_base_ = '../odise/odise_sd-small_shapes-panoptic.py'

model = dict(backbone=dict(captioner=dict(type='LearnedPrompt', _delete_=True)))
