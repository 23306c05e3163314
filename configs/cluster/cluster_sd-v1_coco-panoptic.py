# Stable Diffusion 1.x at full size on COCO, with DiffCut's settings: at most 1024 cells per image.
# The frozen weights come from the hub, or from local copies:
# `--cfg-options model.backbone.extractor.pretrained=FOLDER`.
_base_ = [
    '../_base_/models/cluster.py', '../_base_/datasets/coco_panoptic.py',
    '../_base_/default_runtime.py'
]

model = dict(panoptic_head=dict(vocabulary={{_base_.coco_vocabulary}}))

test_pipeline = _base_.test_pipeline
test_pipeline[1].update(scale=(1024, 1024))  # in four windows
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
train_dataloader = val_dataloader = val_evaluator = None
test_cfg = dict(type='TestLoop')
test_evaluator = [
    *_base_.test_evaluator,
    dict(type='ClassAgnosticMetric', **_base_.panoptic)
]
