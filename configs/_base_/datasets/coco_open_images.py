# COCO's masks and captions, and the names of Open Images' boxes, and of what people say is in a
# picture, as words; `mim run mmodise prepare_open_images FOLDER` writes them for the pictures that
# are there.
_base_ = './coco_regions.py'

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='ConcatDataset',
        datasets=[
            {{_base_.coco}},
            dict(
                type='CaptionedRegionsDataset',
                data_root='{{$OPEN_IMAGES_ROOT:data/open_images}}/',
                ann_file='annotations/regions_train.json',
                data_prefix=dict(img=''),
                metainfo={{_base_.coco_vocabulary}},
                pipeline={{_base_.train_pipeline}})
        ]))
