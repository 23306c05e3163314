# As the recipe, but what is not annotated is taught to be "no object".
_base_ = './odise_sd-small_own-and-original-shapes.py'

model = dict(panoptic_head=dict(ignore_unannotated=False))
