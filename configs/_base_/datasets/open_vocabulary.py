# The data sets that open-vocabulary models are compared on, each with its own vocabulary and truth.
# Those that are not there are left out; `mim run mmodise prepare_...` prepares them. Pictures are
# 1024 pixels on the short side and 2560 at most on the long one, as the official release has it.
_base_ = './coco_panoptic.py'

meta_keys = {{_base_.meta_keys}}
coco = '{{$COCO_ROOT:data/coco}}/'
ade20k = '{{$ADE20K_ROOT:data/ADEChallengeData2016}}/'
ade20k_full = '{{$ADE20K_FULL_ROOT:data/ADE20K_2021_17_01}}/'
context = '{{$PASCAL_CONTEXT_ROOT:data/pascal_ctx_d2}}/'
voc = '{{$PASCAL_VOC_ROOT:data/pascal_voc_d2}}/'

load = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(2560, 1024), keep_ratio=True, backend='pillow')]
pack = dict(type='PackDetInputs', meta_keys=meta_keys)
panoptic_set = dict(test_mode=True, return_classes=True, pipeline=[*load, pack])
# maps of classes stay as large as the original picture
semantic_set = dict(
    test_mode=True, return_classes=True, pipeline=[*load, dict(type='LoadSemanticMap'), pack])
# PQ with the areas of the file, as published figures have it; mIoU over classes with truth
pq = dict(type='CocoPanopticMetric', areas='file')
miou = dict(type='OpenVocabularySemanticMetric')
coco_maps = dict(
    ann_file=coco + 'annotations/panoptic_val2017.json',
    seg_prefix=coco + 'annotations/panoptic_val2017/')
ade20k_maps = dict(
    ann_file=ade20k + 'ade20k_panoptic_val.json', seg_prefix=ade20k + 'ade20k_panoptic_val/')

data_sets = {
    'A-150': dict(
        dataset=dict(
            type='ADE20KPanopticBenchmark', data_root=ade20k, ann_file='ade20k_panoptic_val.json',
            data_prefix=dict(img='images/validation/', seg='ade20k_panoptic_val/'),
            **panoptic_set),
        metrics=[
            dict(pq, **ade20k_maps),
            dict(type='OpenVocabularyInstanceMetric', ann_file=ade20k + 'ade20k_instance_val.json'),
            dict(miou, maps=dict(  # not the panoptic ones, which lack things without instances
                type='ADE20KSemanticBenchmark', data_root=ade20k, data_prefix=dict(
                    img_path='images/validation/', seg_map_path='annotations/validation/'))),
            dict(type='ClassAgnosticMetric', **ade20k_maps)]),
    'COCO': dict(
        dataset={{_base_.val_dataloader.dataset}},
        metrics=[
            dict(pq, **coco_maps),
            dict(type='OpenVocabularyInstanceMetric',
                 ann_file=coco + 'annotations/instances_val2017.json'),
            dict(miou, **coco_maps), dict(type='ClassAgnosticMetric', **coco_maps)]),
    'A-847': dict(
        dataset=dict(
            type='ADE20KFullDataset', data_root=ade20k_full,
            data_prefix=dict(img_path='images_detectron2/validation/',
                             seg_map_path='annotations_detectron2/validation/'),
            **semantic_set),
        metrics=[miou]),
    'PC-459': dict(
        dataset=dict(
            type='PascalContext459Dataset', data_root=context,
            data_prefix=dict(
                img_path='images/validation/', seg_map_path='annotations_ctx459/validation/'),
            **semantic_set),
        metrics=[miou]),
    'PC-59': dict(
        dataset=dict(
            type='PascalContext59Dataset', data_root=context,
            data_prefix=dict(
                img_path='images/validation/', seg_map_path='annotations_ctx59/validation/'),
            **semantic_set),
        metrics=[miou]),
    'PAS-21': dict(
        dataset=dict(
            type='PascalVOC21Dataset', data_root=voc,
            data_prefix=dict(
                img_path='images/validation/', seg_map_path='annotations_pascal21/validation/'),
            **semantic_set),
        metrics=[miou]),
    'PAS-20': dict(
        dataset=dict(
            type='PascalVOC20Dataset', data_root=voc,
            data_prefix=dict(
                img_path='images/validation/', seg_map_path='annotations_pascal20/validation/'),
            **semantic_set),
        metrics=[miou]),
}
