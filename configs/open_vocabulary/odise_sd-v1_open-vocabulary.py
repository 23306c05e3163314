# The paper's model on the data sets of its tables, in one pass. What has been found of each picture
# is kept in the work folder, and a test that was stopped goes on with the next.
_base_ = [
    '../_base_/models/odise.py', '../_base_/datasets/open_vocabulary.py',
    '../_base_/open_vocabulary_tables.py', '../_base_/schedules/odise_coco.py',
    '../_base_/default_runtime.py'
]

model = dict(panoptic_head=dict(vocabulary={{_base_.coco_vocabulary}}))
test_cfg = dict(
    type='DataSetsTestLoop', data_sets={{_base_.data_sets}}, tables={{_base_.tables}},
    references={{_base_.references}})
