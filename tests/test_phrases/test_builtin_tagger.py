"""Captions in the manner of COCO's, written for this test, with the noun phrases in them."""

import re

import numpy as np
import pytest

from mmodise.datasets.shapes_world import STUFF, THINGS, draw_scene, write_captions
from mmodise.phrases import BuiltinTagger, noun_phrases

# The tagger was written with the first 40 in view; it had not seen the last 25 when it was
# finished. (configs/odise/README.md compares it with NLTK.)
CAPTIONS = {
    'A man riding a wave on top of a surfboard.':
        'man;wave;surfboard',
    'A bowl of fruit sitting on a wooden table.':
        'bowl;fruit;bowl of fruit;wooden table',
    'Two giraffes standing next to each other in a field.':
        'giraffes;field',
    'A baseball player swinging a bat at a ball.':
        'baseball player;bat;ball',
    'A group of people flying kites on the beach.':
        'group;people;group of people;kites;beach',
    'A white toilet sits in a small bathroom.':
        'white toilet;small bathroom',
    'A red double decker bus driving down a city street.':
        'red double decker bus;city street',
    'A cat laying on top of a laptop computer.':
        'cat;laptop computer',
    'A woman holding an umbrella while walking in the rain.':
        'woman;umbrella;rain',
    'Several sheep graze in a grassy field.':
        'sheep;grassy field',
    'A plate of food with broccoli and rice.':
        'plate;food;plate of food;broccoli;rice;food with broccoli',
    'A stop sign in front of a brick building.':
        'stop sign;brick building',
    'Three zebras drink water from a pond.':
        'zebras;water;pond',
    'The train is pulling into the station.':
        'train;station',
    'A kitchen with a stove, microwave and refrigerator.':
        'kitchen;stove;microwave;refrigerator',
    'A skateboarder performs a trick at the skate park.':
        'skateboarder;trick;skate park',
    'Children play soccer on green grass.':
        'children;soccer;green grass;soccer on green grass',
    'A dog catches a frisbee in mid air.':
        'dog;frisbee;mid air;frisbee in mid air',
    'A large clock tower with a blue sky in the background.':
        'large clock tower;blue sky;background',
    'An elephant walks through tall grass near trees.':
        'elephant;tall grass;trees;tall grass near trees',
    'A young boy brushing his teeth in front of a mirror.':
        'young boy;teeth;mirror',
    'A parked motorcycle is covered in snow.':
        'parked motorcycle;snow',
    'People sit at tables outside a restaurant.':
        'people;tables;restaurant',
    'A vase filled with pink flowers on a window sill.':
        'vase;pink flowers;window sill',
    'A man in a suit and tie smiles for the camera.':
        'man;suit;tie;camera',
    'Slices of pizza on paper plates.':
        'slices;pizza;slices of pizza;paper plates;pizza on paper plates',
    'A black and white photo of an old airplane.':
        'white photo;old airplane',
    'The brown horse is eating hay from a bucket.':
        'brown horse;hay;bucket',
    'A boat floats on calm water under a bridge.':
        'boat;calm water;bridge',
    'A traffic light hanging over an empty intersection.':
        'traffic light;empty intersection',
    'A couple of birds perched on a tree branch.':
        'couple;birds;couple of birds;tree branch',
    'A living room with a couch and a television.':
        'living room;couch;television',
    'A person wearing skis jumps off a snowy hill.':
        'person;skis;snowy hill',
    'Some bananas and oranges are in a basket.':
        'bananas;oranges;basket',
    'A little girl in a pink dress holds a teddy bear.':
        'little girl;pink dress;teddy bear',
    'A bear is walking across the rocks near a river.':
        'bear;rocks;river',
    'A parking meter beside a sidewalk.':
        'parking meter;sidewalk',
    'A tennis player gets ready to serve the ball.':
        'tennis player;ball',
    'A cake with candles sits on the counter.':
        'cake;candles;cake with candles;counter',
    'A fire hydrant spraying water onto the street.':
        'fire hydrant;water;street',
    'A man in a wetsuit carries his surfboard toward the ocean.':
        'man;wetsuit;surfboard;ocean',
    'Two women prepare food in a restaurant kitchen.':
        'women;food;restaurant kitchen',
    'A herd of cattle grazing on a lush green hillside.':
        'herd;cattle;herd of cattle;lush green hillside',
    'A bathroom with a tub, sink, toilet and a large mirror.':
        'bathroom;tub;sink;toilet;large mirror',
    'An airplane taking off from an airport runway at sunset.':
        'airplane;airport runway;sunset;airport runway at sunset',
    'A chef slices vegetables with a sharp knife.':
        'chef;vegetables;sharp knife',
    'The kitten is playing with a pair of shoes.':
        'kitten;pair;shoes;pair of shoes',
    'A bench overlooking a lake surrounded by mountains.':
        'bench;lake;mountains',
    'A close up of a sandwich with fries on a plate.':
        'sandwich;fries;plate;sandwich with fries',
    'A double decker bus passes a church on a busy street.':
        'double decker bus;church;busy street',
    'Many people are watching a parade of old cars.':
        'people;parade;old cars;parade of old cars',
    'A toddler sleeping in a crib with stuffed animals.':
        'toddler;crib;stuffed animals;crib with stuffed animals',
    'A skier in a red jacket races down the slope.':
        'skier;red jacket;slope',
    'Several boats docked at a pier under cloudy skies.':
        'boats;pier;cloudy skies;pier under cloudy skies',
    'A person cutting a pizza with scissors.':
        'person;pizza;scissors;pizza with scissors',
    'A glass vase holding yellow tulips on a kitchen counter.':
        'glass vase;yellow tulips;kitchen counter',
    'A police officer on a horse talks to pedestrians.':
        'police officer;horse;pedestrians',
    'A desk with a computer monitor, keyboard and mouse on it.':
        'desk;computer monitor;keyboard;mouse',
    'An orange cat sleeps on the hood of a parked car.':
        'orange cat;hood;parked car',
    'A batter swings at a pitch during a baseball game.':
        'batter;pitch;baseball game',
    'Two dogs run along a sandy beach next to the waves.':
        'dogs;sandy beach;waves',
    'A street sign hanging from a metal pole.':
        'street sign;metal pole',
    'A child eats a chocolate donut with sprinkles.':
        'child;chocolate donut;sprinkles;chocolate donut with sprinkles',
    'Motorcycles lined up outside a small cafe.':
        'motorcycles;small cafe',
    'A woman talking on her cell phone while she walks her dog.':
        'woman;cell phone;dog',
}


def extract(caption):
    return noun_phrases(BuiltinTagger()(caption))


@pytest.mark.parametrize('part', [slice(40), slice(40, None)], ids=['seen', 'unseen'])
def test_phrases_of_captions_in_the_manner_of_coco(part):
    right = found = there = 0
    for caption, phrases in list(CAPTIONS.items())[part]:
        extracted, expected = set(extract(caption)), set(phrases.split(';'))
        right += len(extracted & expected)
        found, there = found + len(extracted), there + len(expected)
    assert there > 80
    assert right / found > 0.98 and right / there > 0.97  # precision and recall


def singular(phrase):
    return re.sub('(?<=x)es$|s$', '', phrase)


def test_phrases_of_the_embedded_captions_are_the_names_of_what_is_there():
    """All of them; and of phrases that are no names there is one, 'picture'."""
    names = {singular(name): key for key, synonyms in (THINGS | STUFF).items() for name in synonyms}
    others = set()
    for seed in range(40):
        rng = np.random.default_rng(seed)
        scene = draw_scene(rng)
        for caption in write_captions(scene, rng):
            phrases = {singular(phrase) for phrase in extract(caption)}
            assert {names[p] for p in phrases if p in names} == set(scene.class_names), caption
            others |= phrases - set(names)
    assert others == {'picture'}


@pytest.mark.parametrize(('text', 'tags'), [
    ('a parked car', 'DT JJ NN'),
    ('a car parked on grass', 'DT NN VB IN NN'),
    ('a striped red ball', 'DT JJ JJ NN'),
    ('men stand at a fruit stand', 'NN VB IN DT NN NN'),
    ('a man stands by two stands', 'DT NN VB IN CD NN'),
    ('dogs run to catch a ball', 'NN VB TO VB DT NN'),
    ('a dog runs and jumps', 'DT NN VB CC VB'),
    ('a bus stop', 'DT NN NN'),
    ('the building is in front of it', 'DT NN VB IN PRP'),
    ('a bed, 3 sheds', 'DT NN FW CD NN'),
    ('she slowly eats', 'PRP RB VB'),
    ('ein großer café', 'NN NN NN'),
    ('一只狗 on grass', 'FW IN NN'),
    ('', ''),
])
def test_tags(text, tags):
    assert [tag for _, tag in BuiltinTagger()(text)] == tags.split()


def test_a_caption_of_another_script_has_no_phrase():
    assert extract('Собака на траве') == extract('草地上的狗') == extract('!?') == []


def test_a_caption_of_500_words():
    caption = ' and '.join(['a dog on green grass'] * 84)
    assert len(caption.split()) == 503
    assert extract(caption) == ['dog', 'green grass', 'dog on green grass']
