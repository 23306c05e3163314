# ODISE on the embedded data set, over small frozen models; minutes on two CPU cores.
_base_ = [
    '../_base_/models/odise_small.py', '../_base_/datasets/shapes_panoptic.py',
    '../_base_/schedules/odise_minutes.py', '../_base_/default_runtime.py'
]

model = dict(panoptic_head=dict(vocabulary={{_base_.vocabulary}}))
