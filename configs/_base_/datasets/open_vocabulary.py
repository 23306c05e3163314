# The data sets that open-vocabulary models are compared on, each with its own vocabulary and truth.
# Those that are not there are left out; `mim run mmodise prepare_...` prepares them. Pictures are
# 1024 pixels on the short side and 2560 at most on the long one, as the official release has it.
_base_ = './coco_panoptic.py'

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
pack = dict(type='PackDetInputs', meta_keys={{_base_.meta_keys}})
panoptic_set = dict(test_mode=True, return_classes=True, pipeline=[*load, pack])
# maps of classes stay as large as the original picture
semantic_set = dict(
    test_mode=True, return_classes=True, pipeline=[*load, dict(type='LoadSemanticMap'), pack])
# Metrics without files of their own get those of the data set. PQ takes the areas of the file, as
# published figures have it; mIoU is over classes with truth.
pq = dict(type='OpenVocabularyPanopticMetric', areas='file')
ap = dict(type='OpenVocabularyInstanceMetric')
miou = dict(type='OpenVocabularySemanticMetric')
recall = dict(type='ClassAgnosticMetric')
# results that nothing reads are not made; a panoptic map holds 999 classes at most
semantic_only = dict(
    metrics=[miou], test_cfg=dict(panoptic_on=False, instance_on=False, semantic_on=True))
instances_only = dict(  # LVIS looks at 300 an image
    metrics=[dict(type='LVISInstanceMetric')], test_cfg=dict(
        panoptic_on=False, instance_on=True, semantic_on=False, max_per_image=300))
# of maps of classes that were prepared: class, folder, folders of pictures and of maps
prepared_maps = {
    'A-847': ('ADE20KFullDataset', ade20k_full, 'images_detectron2', 'annotations_detectron2'),
    'PC-459': ('PascalContext459Dataset', context, 'images', 'annotations_ctx459'),
    'PC-59': ('PascalContext59Dataset', context, 'images', 'annotations_ctx59'),
    'PAS-21': ('PascalVOC21Dataset', voc, 'images', 'annotations_pascal21'),
    'PAS-20': ('PascalVOC20Dataset', voc, 'images', 'annotations_pascal20')}

data_sets = {
    'A-150': dict(
        dataset=dict(
            type='ADE20KPanopticBenchmark', data_root=ade20k, ann_file='ade20k_panoptic_val.json',
            data_prefix=dict(img='images/validation/', seg='ade20k_panoptic_val/'),
            **panoptic_set),
        metrics=[
            pq, recall, dict(ap, ann_file=ade20k + 'ade20k_instance_val.json'),
            dict(miou, maps=dict(  # not the panoptic ones, which lack things without instances
                type='ADE20KSemanticBenchmark', data_root=ade20k, data_prefix=dict(
                    img_path='images/validation/', seg_map_path='annotations/validation/')))]),
    'COCO': dict(
        dataset=dict(
            type='COCOPanopticBenchmark', data_root=coco,
            ann_file='annotations/panoptic_val2017.json',
            data_prefix=dict(img='val2017/', seg='annotations/panoptic_val2017/'),
            **panoptic_set),
        metrics=[
            pq, recall, dict(ap, ann_file=coco + 'annotations/instances_val2017.json'), miou]),
    **{name: dict(
        dataset=dict(
            type=kind, data_root=root, data_prefix=dict(
                img_path=f'{images}/validation/', seg_map_path=f'{maps}/validation/'),
            **semantic_set),
        **semantic_only) for name, (kind, root, images, maps) in prepared_maps.items()},
    'Cityscapes': dict(
        dataset=dict(
            type='CityscapesPanopticDataset', data_root=cityscapes,
            ann_file='gtFine/cityscapes_panoptic_val.json',
            data_prefix=dict(img='leftImg8bit/val/', seg='gtFine/cityscapes_panoptic_val/'),
            **panoptic_set),
        metrics=[
            pq, ap, dict(miou, maps=dict(
                type='CityscapesSemanticDataset', data_root=cityscapes,
                data_prefix=dict(img_path='leftImg8bit/val/', seg_map_path='gtFine/val/')))]),
    'Mapillary': dict(
        dataset=dict(
            type='MapillaryPanopticDataset', data_root=mapillary,
            ann_file='validation/panoptic/panoptic_2018.json',
            data_prefix=dict(img='validation/images/', seg='validation/panoptic/'),
            **panoptic_set),
        metrics=[
            pq, dict(miou, maps=dict(
                type='MapillarySemanticDataset', data_root=mapillary, data_prefix=dict(
                    img_path='validation/images/', seg_map_path='validation/labels/')))]),
    'COCO-Stuff': dict(
        dataset=dict(
            type='COCOStuffDataset', data_root=coco, original=True,
            data_prefix=dict(img_path='val2017/', seg_map_path='stuffthingmaps/val2017/'),
            **semantic_set),
        **semantic_only),
    'LVIS': dict(
        dataset=dict(
            type='LVISBenchmark', ann_file=lvis + 'lvis_v1_val.json', data_prefix=dict(img=coco),
            **panoptic_set),
        **instances_only),
    'Open Images': dict(
        dataset=dict(
            type='OpenImagesSegmentation', data_root=open_images,
            ann_file='annotations/validation_expanded.json', data_prefix=dict(img=''),
            **panoptic_set),
        **instances_only),
    'Visual Genome': dict(
        dataset=dict(
            type='VisualGenomeRegions', data_root=visual_genome, classes_file='classes.txt',
            ann_file='annotations/regions_not_coco.json', data_prefix=dict(img=''),
            test_mode=True, return_classes=True,
            pipeline=[*load, dict(type='PackDetInputs', meta_keys=(
                'img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'text',
                'stuff_text', 'regions'))]),
        **dict(instances_only, metrics=[dict(type='RegionRecallMetric')])),
}
