# Tables laid out as Tables 1 and 2 of the paper (arXiv 2303.04803), and more: by title, of each
# data set the figures that are its columns.
tables = {
    'Open-vocabulary panoptic segmentation': {
        'A-150': ['PQ', 'AP', 'mIoU'], 'COCO': ['PQ', 'AP', 'mIoU']},
    'Open-vocabulary semantic segmentation': {
        'A-847': ['mIoU'], 'PC-459': ['mIoU'], 'A-150': ['mIoU'], 'PC-59': ['mIoU'],
        'PAS-21': ['mIoU'], 'PAS-20': ['mIoU'], 'COCO': ['mIoU']},
    'Other data sets': {
        'Cityscapes': ['PQ', 'AP', 'mIoU'], 'Mapillary': ['PQ', 'mIoU'], 'COCO-Stuff': ['mIoU'],
        'LVIS': ['LVIS AP', 'APr', 'APc', 'APf'], 'Open Images': ['LVIS AP50'],
        'Visual Genome': ['region recall']},
    'Classes that were seen in training (base), and that were not (novel)': {
        'A-150': ['PQ base', 'PQ novel', 'AP base', 'AP novel', 'mIoU base', 'mIoU novel'],
        'A-847': ['mIoU base', 'mIoU novel'], 'PC-459': ['mIoU base', 'mIoU novel'],
        'PC-59': ['mIoU base', 'mIoU novel']},
    'Masks of any class whose overlap exceeds 0.5': {'A-150': ['recall'], 'COCO': ['recall']}}
# What the paper and the official release report of their own models.
references = {
    'ODISE, label supervision (reported by its authors)': {
        'A-150': dict(PQ=22.6, AP=14.4, mIoU=29.9), 'COCO': dict(PQ=55.4, AP=46.0, mIoU=65.2),
        'A-847': dict(mIoU=11.1), 'PC-59': dict(mIoU=57.3), 'PC-459': dict(mIoU=14.5),
        'PAS-21': dict(mIoU=84.6)},
    'ODISE, caption supervision (reported by its authors)': {
        'A-150': dict(PQ=23.4, AP=13.9, mIoU=28.7), 'COCO': dict(PQ=45.6, AP=38.4, mIoU=52.4),
        'A-847': dict(mIoU=11.0), 'PC-59': dict(mIoU=55.3), 'PC-459': dict(mIoU=13.8),
        'PAS-21': dict(mIoU=82.7)}}
