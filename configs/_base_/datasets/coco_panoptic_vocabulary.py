# The 133 panoptic classes of COCO as a text encoder should read them, in COCO's order, each with
# its synonyms (mmodise/vocabulary/named/coco.txt): plain words instead of the labels of the
# annotation file, such as 'door-stuff' and 'tree-merged', which stay the data set's `classes`.
from importlib import import_module

coco_vocabulary = import_module('mmodise.vocabulary').Vocabulary.named('coco').to_metainfo()
