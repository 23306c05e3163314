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
cityscapes = '{{$CITYSCAPES_ROOT:data/cityscapes}}/'
mapillary = '{{$MAPILLARY_ROOT:data/mapillary_vistas}}/'
lvis = '{{$LVIS_ROOT:data/lvis}}/'
open_images = '{{$OPEN_IMAGES_ROOT:data/open_images}}/'
visual_genome = '{{$VISUAL_GENOME_ROOT:data/visual_genome}}/'

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
cityscapes_maps = dict(
    ann_file=cityscapes + 'gtFine/cityscapes_panoptic_val.json',
    seg_prefix=cityscapes + 'gtFine/cityscapes_panoptic_val/')
mapillary_maps = dict(
    ann_file=mapillary + 'validation/panoptic/panoptic_2018.json',
    seg_prefix=mapillary + 'validation/panoptic/')
lvis_file = lvis + 'lvis_v1_val.json'
open_images_file = open_images + 'annotations/validation_expanded.json'

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
    'Cityscapes': dict(
        dataset=dict(
            type='CityscapesPanopticDataset', data_root=cityscapes,
            ann_file='gtFine/cityscapes_panoptic_val.json',
            data_prefix=dict(img='leftImg8bit/val/', seg='gtFine/cityscapes_panoptic_val/'),
            **panoptic_set),
        metrics=[
            dict(pq, **cityscapes_maps),
            dict(type='OpenVocabularyInstanceMetric', **cityscapes_maps),
            dict(miou, maps=dict(
                type='CityscapesSemanticDataset', data_root=cityscapes,
                data_prefix=dict(img_path='leftImg8bit/val/', seg_map_path='gtFine/val/')))]),
    'Mapillary': dict(
        dataset=dict(
            type='MapillaryPanopticDataset', data_root=mapillary,
            ann_file='validation/panoptic/panoptic_2018.json',
            data_prefix=dict(img='validation/images/', seg='validation/panoptic/'),
            **panoptic_set),
        metrics=[
            dict(pq, **mapillary_maps),
            dict(miou, maps=dict(
                type='MapillarySemanticDataset', data_root=mapillary, data_prefix=dict(
                    img_path='validation/images/', seg_map_path='validation/labels/')))]),
    'COCO-Stuff': dict(
        dataset=dict(
            type='COCOStuffDataset', data_root=coco, original=True,
            data_prefix=dict(img_path='val2017/', seg_map_path='stuffthingmaps/val2017/'),
            **semantic_set),
        metrics=[miou]),
    'LVIS': dict(
        dataset=dict(
            type='LVISBenchmark', ann_file=lvis_file, data_prefix=dict(img=coco), **panoptic_set),
        metrics=[dict(type='LVISInstanceMetric', ann_file=lvis_file)]),
    'Open Images': dict(
        dataset=dict(
            type='OpenImagesSegmentation', data_root=open_images, ann_file=open_images_file,
            data_prefix=dict(img=''), **panoptic_set),
        metrics=[dict(type='LVISInstanceMetric', ann_file=open_images_file)]),
    'Visual Genome': dict(
        dataset=dict(
            type='VisualGenomeRegions', data_root=visual_genome, classes_file='classes.txt',
            ann_file='annotations/regions_not_coco.json', data_prefix=dict(img=''),
            test_mode=True, return_classes=True,
            pipeline=[*load, dict(type='PackDetInputs', meta_keys=(
                'img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'text',
                'stuff_text', 'regions'))]),
        metrics=[dict(type='RegionRecallMetric')]),
}
