# ODISE with caption supervision, at the paper's size: what differs from label supervision.
# Samples to train on bring `words`: list it in the meta_keys of PackDetInputs.
_base_ = './odise.py'

model = dict(
    panoptic_head=dict(
        type='ODISECaptionHead',
        prompt='a photo of a {}.',
        loss_grounding=dict(type='GroundingLoss', loss_weight=1.0)),
    ensemble=dict(alpha=0.35, beta=0.65))
