# The 133 panoptic classes of COCO as a text encoder should read them, in COCO's order, each with
# its synonyms: plain words instead of the labels of the annotation file, such as 'door-stuff' and
# 'tree-merged', which stay the data set's `classes`.
coco_vocabulary = dict(
    thing_classes=(
        'person, man, woman, child, boy, girl, baby, people',
        'bicycle, bike',
        'car, automobile',
        'motorcycle, motorbike',
        'airplane, aeroplane, plane, jet',
        'bus, coach',
        'train, locomotive, railway car',
        'truck, lorry, pickup truck',
        'boat, ship, sailboat',
        'traffic light, traffic signal',
        'fire hydrant',
        'stop sign',
        'parking meter',
        'bench',
        'bird',
        'cat, kitten',
        'dog, puppy',
        'horse, pony, foal',
        'sheep, lamb',
        'cow, bull, calf, cattle',
        'elephant',
        'bear',
        'zebra',
        'giraffe',
        'backpack, rucksack',
        'umbrella, parasol',
        'handbag, purse',
        'tie, necktie, bow tie',
        'suitcase, luggage',
        'frisbee, flying disc',
        'skis, pair of skis',
        'snowboard',
        'sports ball, ball, soccer ball, tennis ball, basketball',
        'kite',
        'baseball bat',
        'baseball glove, baseball mitt',
        'skateboard',
        'surfboard',
        'tennis racket',
        'bottle',
        'wine glass, champagne glass',
        'cup, mug, drinking glass',
        'fork',
        'knife',
        'spoon',
        'bowl',
        'banana',
        'apple',
        'sandwich, burger',
        'orange, tangerine',
        'broccoli',
        'carrot',
        'hot dog',
        'pizza',
        'donut, doughnut',
        'cake, cupcake',
        'chair, armchair, stool',
        'couch, sofa',
        'potted plant, houseplant',
        'bed',
        'dining table, dinner table',
        'toilet',
        'tv, television, monitor, screen',
        'laptop, notebook computer',
        'mouse, computer mouse',
        'remote, remote control',
        'keyboard, computer keyboard',
        'cell phone, mobile phone, smartphone',
        'microwave, microwave oven',
        'oven, stove, cooker',
        'toaster',
        'sink, washbasin',
        'refrigerator, fridge',
        'book, magazine',
        'clock',
        'vase',
        'scissors, pair of scissors',
        'teddy bear, plush toy, stuffed animal',
        'hair drier, hair dryer',
        'toothbrush',
    ),
    stuff_classes=(
        'banner, poster',
        'blanket, bedspread, duvet',
        'bridge, overpass, viaduct',
        'cardboard, cardboard box, carton',
        'counter, countertop',
        'curtain, drapes',
        'door, doorway',  # door-stuff
        'wooden floor, parquet, hardwood floor',  # floor-wood
        'flower, bouquet, blossoms',
        'fruit, piece of fruit',
        'gravel, pebbles',
        'house, cottage',
        'light, lamp, chandelier',
        'mirror',  # mirror-stuff
        'net, netting',
        'pillow, cushion',
        'platform, railway platform',
        'playing field, sports field, tennis court, baseball field',  # playingfield
        'railroad, railway, train tracks',
        'river, stream',
        'road, street',
        'roof, rooftop',
        'sand, beach',
        'sea, ocean',
        'shelf, bookshelf, shelves',
        'snow',
        'stairs, staircase, steps',
        'tent, canopy, awning',
        'towel',
        'brick wall',  # wall-brick
        'stone wall',  # wall-stone
        'tiled wall, wall tiles',  # wall-tile
        'wooden wall, wood paneling',  # wall-wood
        'water, lake, pond',  # water-other
        'window blind, blinds, shutters',  # window-blind
        'window, window pane',  # window-other
        'tree, trees, bush',  # tree-merged
        'fence, railing',  # fence-merged
        'ceiling',  # ceiling-merged
        'sky, clouds',  # sky-other-merged
        'cabinet, cupboard, wardrobe, drawers',  # cabinet-merged
        'table, desk, tabletop',  # table-merged
        'floor, tiled floor, ground',  # floor-other-merged
        'pavement, sidewalk, footpath',  # pavement-merged
        'mountain, hill',  # mountain-merged
        'grass, lawn, meadow',  # grass-merged
        'dirt, soil, mud',  # dirt-merged
        'paper, sheet of paper, paper napkin',  # paper-merged
        'food, meal',  # food-other-merged
        'building, skyscraper, tower',  # building-other-merged
        'rock, stone, boulder',  # rock-merged
        'wall, plaster wall, concrete wall',  # wall-other-merged
        'rug, carpet, mat',  # rug-merged
    ))
