# The paper's model on the data sets of its tables, in one pass. What has been found of each picture
# is kept in the work folder, and a test that was stopped goes on with the next.
_base_ = [
    '../_base_/models/odise.py', '../_base_/datasets/open_vocabulary.py',
    '../_base_/schedules/odise_coco.py', '../_base_/default_runtime.py'
]

model = dict(panoptic_head=dict(vocabulary={{_base_.coco_vocabulary}}))
# By title, the columns of each table.
test_cfg = dict(
    type='DataSetsTestLoop',
    data_sets={{_base_.data_sets}},
    tables={
        'Open-vocabulary panoptic segmentation': {
            'A-150': ['PQ', 'AP', 'mIoU'], 'COCO': ['PQ', 'AP', 'mIoU']},
        'Open-vocabulary semantic segmentation': {
            'A-847': ['mIoU'], 'PC-459': ['mIoU'], 'A-150': ['mIoU'], 'PC-59': ['mIoU'],
            'PAS-21': ['mIoU'], 'PAS-20': ['mIoU'], 'COCO': ['mIoU']},
        'Other data sets': {
            'Cityscapes': ['PQ', 'AP', 'mIoU'], 'Mapillary': ['PQ', 'mIoU'], 'COCO-Stuff': ['mIoU'],
            'LVIS': ['LVIS AP', 'APr', 'APc', 'APf'], 'Open Images': ['LVIS AP50'],
            'Visual Genome': ['region recall']},
        'Masks of any class whose overlap exceeds 0.5': {'A-150': ['recall'], 'COCO': ['recall']}})
