# Caption supervision on the embedded data set with words that have boxes: a word is to be found in
# masks of these. With loss_grounding.box_weight=0 the boxes are not read.
_base_ = [
    '../_base_/models/odise_small.py', '../_base_/datasets/shapes_regions.py',
    '../_base_/schedules/odise_minutes.py', '../_base_/default_runtime.py'
]

model = dict(
    panoptic_head=dict(
        type='ODISECaptionHead',
        num_queries=20,
        prompt='a photo of a {}.',
        vocabulary={{_base_.vocabulary}},
        loss_grounding=dict(type='GroundingLoss', loss_weight=1.0, box_weight=1.0)),
    ensemble=dict(alpha=0.5, beta=0.7))  # as with captions alone
