# COCO's masks and captions, and Visual Genome's regions, whose phrases have boxes.
# `mim run mmodise prepare_visual_genome FOLDER --exclude FILES` prepares them, without the pictures
# of the FILES that are evaluated on. About half of the images of a batch are of either.
_base_ = './coco_regions.py'

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='ConcatDataset',
        datasets=[
            {{_base_.coco}},
            dict(
                type='VisualGenomeRegions',
                data_root='{{$VISUAL_GENOME_ROOT:data/visual_genome}}/',
                ann_file='annotations/regions_train.json',
                data_prefix=dict(img=''),
                metainfo={{_base_.coco_vocabulary}},
                pipeline={{_base_.train_pipeline}})
        ]))
