"""Vocabularies as other projects and programs write them: read as meant, or refused in words."""

import json

import pytest

from mmodise.vocabulary import Vocabulary

CAT_DOG = (('cat',), ('dog',))
PETS = (('cat', 'kitten'), ('dog',))

# what is read: a text and its classes
JSON = [
    ('["cat", "dog"]', CAT_DOG),
    ('["cat, kitten", "dog"]', PETS),
    ('[["cat", "kitten"], ["dog"]]', PETS),
    ('[["cat", "kitten"], "dog"]', PETS),
    ('[\n  ["cat", "kitten"],\n  ["dog"]\n]\n', PETS),
    ('["Paris, Texas"]', (('Paris', 'Texas'),)),
    ('[["Paris, Texas"]]', (('Paris, Texas',),)),
    ('{"names": ["cat", "dog"]}', CAT_DOG),
    ('{"classes": [["cat", "kitten"], ["dog"]], "version": 2}', PETS),
    ('{"0": "cat", "1": "dog"}', CAT_DOG),
    ('{"10": "dog", "9": "cat"}', CAT_DOG),
    ('{"0": ["cat", "kitten"], "1": ["dog"]}', PETS),
    ('{"cat": 0, "dog": 1}', CAT_DOG),
    ('{"dog": 1, "cat": 0}', CAT_DOG),
    ('{"id2label": {"0": "cat", "1": "dog"}, "label2id": {"dog": 1, "cat": 0}}', CAT_DOG),
    ('[{"id": 3, "name": "cat", "synonyms": ["cat", "kitten"]}, {"id": 4, "name": "dog"}]', PETS),
    ('{"images": [], "categories": [{"id": 1, "name": "cat"}, {"id": 0, "name": "dog"}]}', CAT_DOG),
    ('["cat", "kitten"]\n["dog"]\n', PETS),
    ('{"0": ["n02121808", "cat"], "1": ["n02084071", "dog"]}', CAT_DOG),
    ('{"id": 0, "name": "cat"}\n{"id": 1, "name": "dog"}\n', CAT_DOG),
    ('# mine\n["cat", "dog"]', CAT_DOG),
    ('{"0": "invalid_class_id", "1": "cat", "2": "dog"}', CAT_DOG),
]
PYTHON = [
    ("['cat', 'dog',]", CAT_DOG),
    ("('cat', 'dog')", CAT_DOG),
    ("[('cat', 'kitten'), ('dog',)]", PETS),
    ("{0: 'cat', 1: 'dog'}", CAT_DOG),
    ("CLASSES = ('cat', 'dog')", CAT_DOG),
    ("classes = [\n    'cat, kitten',  # pets\n    'dog',\n]\n", PETS),
    ("METAINFO = {'classes': ('cat', 'dog'), 'palette': [(0, 0, 0), (1, 1, 1)]}", CAT_DOG),
]
YAML = [
    ('- cat\n- dog\n', CAT_DOG),
    ('- cat, kitten\n- "dog"  # barks\n', PETS),
    ('- [cat, kitten]\n- [dog]\n', PETS),
    ('- - cat\n  - kitten\n- - dog\n', PETS),
    ('---\n- cat\n- dog\n', CAT_DOG),
    ('[cat, dog]', CAT_DOG),
    ('- name: cat\n  synonyms: [kitten]\n- name: dog\n', PETS),
    ('- 0: cat\n- 1: dog\n', CAT_DOG),
    ('names: [cat, dog]', CAT_DOG),
    ('names:\n- cat\n- dog\nnc: 2\n', CAT_DOG),
    ('path: ../data\ntrain: images\nnames:\n  0: cat\n  1: dog\ndownload: http://a.b\n', CAT_DOG),
    ('nc: 2  # classes\nnames: ["cat", "dog"]\n', CAT_DOG),
    ('classes:\n  - cat\n  - dog\n', CAT_DOG),
    ('{cat, dog}', CAT_DOG),
    ('0: [cat, kitten]\n1: [dog]\n', PETS),
    ('- no\n- yes\n- 7\n', (('no',), ('yes',), ('7',))),
    ('names: {0: cat, 1: dog}', CAT_DOG),
]
TABLES = [
    ('name,synonyms\ncat,kitten\ndog,\n', PETS),
    ('id,name\n0,cat\n1,dog\n', CAT_DOG),
    ('No.,Name\n1,cat\n2,dog\n', CAT_DOG),
    ('Index,Class Name\n0,cat\n1,dog\n', CAT_DOG),
    ('id,name,synonyms\n0,cat,"kitten, kitty"\n1,dog\n', (('cat', 'kitten', 'kitty'), ('dog',))),
    ('name,synonyms\ncat,kitten,kitty\ndog\n', (('cat', 'kitten', 'kitty'), ('dog',))),
    ('name,synonyms\ncat,"[\'kitten\', \'kitty\']"\n', (('cat', 'kitten', 'kitty'),)),
    ('name,synonyms\n"Paris, Texas",town\ncat,\n', (('Paris, Texas', 'town'), ('cat',))),
    ('id\tname\tcolor\n0\tcat\tred\n1\tdog\tblue\n', CAT_DOG),
    ('id;name;synonyms\n0;cat;kitten\n1;dog;\n', PETS),
    ('sep=;\nid;name\n0;cat\n1;dog\n', CAT_DOG),
    ('name\ncat\ndog\n', CAT_DOG),
    ('Idx\tRatio\tTrain\tVal\tName\n1\t0.1\t1\t1\tcat, kitten\n2\t0.2\t1\t0\tdog\n', PETS),
    ('Idx,Ratio,Name\n1,0.1,cat;kitten\n2,0.2,dog\n', PETS),
    ('| id | name |\n|----|------|\n| 0 | cat |\n| 1 | dog |\n', CAT_DOG),
    ('LabelName,DisplayName\n/m/01yrx,cat\n/m/0bt9lr,dog\n', CAT_DOG),
    ('0,cat\n1,dog\n', CAT_DOG),
    ('0\tcat\n1\tdog\n', CAT_DOG),
    ('0;cat\n1;dog\n', CAT_DOG),
    ('0|cat\n1|dog\n', CAT_DOG),
    ('cat\t0\ndog\t1\n', CAT_DOG),
    ('cat,0\ndog,1\n', CAT_DOG),
    ('cat,255,0,0\ndog,0,128,0\n', CAT_DOG),
    ('1\t0.1576\tcat;kitten\n2\t0.2\tdog\n', PETS),
    ('cat\tkitten\ndog\n', PETS),
    ('/m/01yrx,cat\n/m/0bt9lr,dog\n', CAT_DOG),
    ('n02121808 cat, kitten\nn02084071 dog\n', PETS),
]
LINES = [
    ('cat, kitten\ndog\n', PETS),
    ('cat, kitten; dog', PETS),
    ('cat, kitten;\ndog;\n', PETS),
    ('cat,\n kitten;\ndog', PETS),
    ('cat,\ndog,\n', CAT_DOG),
    ('"cat",\n"dog",\n', CAT_DOG),
    ("'cat', 'kitten'\n'dog'\n", PETS),
    ('\u201ccat\u201d\n\u201cdog\u201d\n', CAT_DOG),
    ('"Paris, Texas", town\ncat\n', (('Paris, Texas', 'town'), ('cat',))),
    ('"Paris, Texas", town; cat', (('Paris, Texas', 'town'), ('cat',))),
    ('24" monitor; 7\' tall man', (('24" monitor',), ("7' tall man",))),
    ("rock 'n' roll\n's-Hertogenbosch\n", (("rock 'n' roll",), ("'s-Hertogenbosch",))),
    ('1. cat\n2. dog\n', CAT_DOG),
    ('1) cat\n2) dog\n', CAT_DOG),
    ('(1) cat\n(2) dog\n', CAT_DOG),
    ('1. cat; 2. dog', CAT_DOG),
    ('0 cat\n1 dog\n', CAT_DOG),
    ('2 euro coin\n7.5 t truck\n', (('2 euro coin',), ('7.5 t truck',))),
    ('0: cat\n1: dog\n', CAT_DOG),
    ('0:cat,kitten\n10:dog\n', PETS),
    ('0: "cat"\n1: "dog"\n', CAT_DOG),
    ('0=cat\n1=dog\n', CAT_DOG),
    ('* cat\n* dog\n', CAT_DOG),
    ('-cat\n-dog\n', CAT_DOG),
    ('\u2192 cat\n\u2192 dog\n', CAT_DOG),
    ('1.cat\n2.dog\n', CAT_DOG),
    ('1 - cat\n2 - dog\n', CAT_DOG),
    ('01 cat\n02 dog\n', CAT_DOG),
    ('\u2018cat\u2019, \u201akitten\u2018; dog', PETS),
    ('7-Eleven\n7-Up can\n', (('7-Eleven',), ('7-Up can',))),
    ('cat\n;dog', CAT_DOG),
    ('Classes\ncat\ndog\n', CAT_DOG),
    ('cat: 0\ndog: 1\n', CAT_DOG),
    ('\u2022 cat\n\u2022 dog\n', CAT_DOG),
    ('cat  # meows\n// a comment\ndog\n', CAT_DOG),
    ('cat . dog .', CAT_DOG),
    ('cat . dog', CAT_DOG),
    ('cat. dog', CAT_DOG),
    ('cat.dog', (('cat.dog',),)),
    ('shirt. dress. blouse', (('shirt',), ('dress',), ('blouse',))),
    ('cat, kitten. dog.', PETS),
    ('cat.\ndog.\n', CAT_DOG),
    ('St. Bernard. poodle. dog.', (('St. Bernard',), ('poodle',), ('dog',))),
    ('Bros. Karamazov', (('Bros. Karamazov',),)),
    ('1. cat. 2. dog.', CAT_DOG),
    ('J. S. Bach', (('J. S. Bach',),)),
    ('U.S. flag', (('U.S. flag',),)),
    ('St. Bernard\nmtn. goat\n', (('St. Bernard',), ('mtn. goat',))),
    ('\uff43at\uff0ckitten\uff1bdog', (('\uff43at', 'kitten'), ('dog',))),
    ('\ufeffcat\u200b\r\n\xa0dog\r\n', CAT_DOG),
    ('\U0001f431\n\U0001f436\n', (('\U0001f431',), ('\U0001f436',))),
    ('Star Trek: Discovery', (('Star Trek: Discovery',),)),
    ('traffic_light\nstop sign (octagonal)\n', (('traffic_light',), ('stop sign (octagonal)',))),
    ('-5 degrees mark\n', (('-5 degrees mark',),)),
    ('invalid_class_id\n1:cat\n2:invalid_class_id\n3:dog\n', CAT_DOG),
    ('0:cat\n255:invalid_class_id,void\n1:dog\n', CAT_DOG),
    ('cat, invalid_class_id\n', (('cat', 'invalid_class_id'),)),
]
READ = dict(json=JSON, python=PYTHON, yaml=YAML, tables=TABLES, lines=LINES)

# what is refused: a text and a word of the message
REFUSED = [
    ('["cat", "dog"', 'starts as a list in brackets'),
    ('["cat", "dog"]]', 'starts as a list in brackets'),
    ('[cat', 'starts as a list in brackets'),
    ('[1, 2]', 'has the name 1'),
    ('[["cat", null]]', 'has the name None'),
    ('[[["cat"]]]', r"has the name \['cat'\]"),
    ('{"0": "cat", "0": "dog"}', "'0' is there twice"),
    ('{"cat": "animal", "dog": "animal"}', "keys 'cat', 'dog' names no classes"),
    ('{"cat": true}', 'names no classes'),
    ('{"version": "5.0", "shapes": []}', 'names no classes'),
    ('{"names": ["cat"], "classes": ["dog"]}', 'names and classes are not the same'),
    ('{"names": "cat, dog"}', 'are one string'),
    ('[{"id": 3, "synonyms": ["cat"]}]', 'has no name'),
    ('[{"name": "cat", "isthing": 1}, {"name": "dog"}]', "of \\('dog',\\) it is not"),
    ('[{"name": "cat", "isthing": "perhaps"}]', 'neither 1 nor 0'),
    ("{'cat', 'dog'}", 'a set'),
    ('classes = dict(a=1)\n', 'ends with|no name|holds'),
    ("CLASSES = ('cat', open('x'))", 'more than names of lists'),
    ('names: cat, dog', 'are one string'),
    ('names:\ncat\ndog\n', 'cannot be read'),
    ('names:\n  cat\n  dog\n', 'no name|one string|names no classes'),
    ('nc: 3\nnames: [cat, dog]\n', 'nc is 3, but there are 2'),
    ('names: [cat, dog\n', 'cannot be read'),
    ('names:\n  0: cat\n  0: dog\n', "'0' is there twice"),
    ('names:', 'empty|holds no class'),
    ('cat: kitten\ndog: puppy\n', 'names no classes'),
    ('- cat: kitten\n- dog\n', 'has no name'),
    ('- cat\ndog\n', 'mark of a list|cannot be read'),
    ('id name\n0 cat\n1 dog\n', 'may be a class or the titles'),
    ('label\ncat\ndog\n', 'may be a class or the titles'),
    ('name,label\ncat,x\ndog,y\n', 'several columns for names'),
    ('name,id\ncat,1,x\ndog,2\n', 'has 3 columns'),
    ('cat;kitten\ndog;puppy\n', 'semicolons and ends of lines'),
    ('cat, kitten; dog\nsky\n', 'semicolons and ends of lines'),
    ('cat\tkitten', 'has a tab'),
    ('1. cat\ndog\n', 'are numbered'),
    ('Univ. Building', 'period may belong'),
    ('"cat', 'quotation mark'),
    ('"cat" and "dog"', 'quotation mark'),
    ('"cat, kitten; dog"', 'holds a semicolon'),
    ('cat]', 'holds'),
    ('cat|dog', 'holds'),
    ('item {\n  id: 1\n  name: "cat"\n}\n', 'no name|cannot be read'),
    ('<html><body>404</body></html>', "holds '<'"),
    ('https://example.org/classes.txt', 'address|file'),
    ('@classes.txt', 'names a file'),
    ('my_classes.txt', 'name of a file'),
    ('/m/01yrx\n/m/0bt9lr\n', 'is an id'),
    ('---\n', 'empty|no class|no letter'),
    ('cat\\ndog', 'holds'),
    ('cat\x00', 'holds'),
    ('**cat**\n**dog**\n', 'mark of a list'),
    ('(cat, dog)', 'half of a pair'),
    ('a) cat\nb) dog\n', 'half of a pair'),
    ('0: cat, 1: dog', 'a number comes with it'),
    ('cat:1, dog:2', 'a number comes with it'),
    ('cat # feline', "holds ' # '"),
    ('cat . dog ; bird .', r"holds ' \. '"),
    ('cat,thing\nsky,stuff\n', 'says what is stuff'),
    ('label,count\ncat,3\n', 'looks like the titles'),
    ('tag\tindex\ncat\t0\ndog\t1\n', 'looks like the titles'),
    ('null', 'stands for no value'),
    ('{"animals": ["cat", "dog"], "plants": ["tree"]}', "keys 'animals', 'plants' names no"),
    ('cat: [kitten]\ndog:\n', "keys 'cat', 'dog' names no classes"),
    ('Things\ncat\nStuff\nsky\n', "write '# things'"),
    ('cat&amp;dog', 'of a web page'),
    ('{"data": ["cat"]}', "keys 'data' names no classes"),
    ('["cat" "dog"]', 'there is no comma'),
    ("CLASSES = ('cat',\n           'bird'\n           'dog')\n", 'there is no comma'),
    ('Things: cat; dog\nStuff: sky\n', 'one string'),
    ('./classes', 'name of a file'),
    ('name,id\n"cat,0\ndog,1\n', 'cannot be read'),
    ('Cat. Dog. Bird', 'period may belong'),
    ('{}', 'empty|holds no class'),
    ('[""]', 'no name'),
    ('_', 'no letter'),
    (';', 'has no name'),
    ('__ignore__\n_background_\ncat\n', 'stands for what has no class'),
    ('cat;;', 'Class 1 of the vocabulary has no name'),
    ('caf\ufffd', 'holds'),
]


@pytest.mark.parametrize('kind, text, classes', [
    (kind, text, classes) for kind, members in READ.items() for text, classes in members])
def test_a_notation_is_read_as_it_was_meant(kind, text, classes, tmp_path):
    assert Vocabulary.from_texts(text).classes == classes
    assert Vocabulary.from_string(text).classes == classes
    assert Vocabulary.from_texts(None, text).stuff == classes
    file = tmp_path / 'classes.anything'
    file.write_bytes(text.encode())
    assert Vocabulary.from_file(file).classes == classes
    assert Vocabulary.read(text) == Vocabulary.read(file) == Vocabulary.from_texts(text)


@pytest.mark.parametrize('text, message', REFUSED)
def test_what_cannot_be_read_is_refused_in_words(text, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        Vocabulary.from_texts(text)
    file = tmp_path / 'classes.txt'
    file.write_bytes(text.encode())
    with pytest.raises(ValueError, match=r'classes\.txt'):
        Vocabulary.from_file(file)


MIXED = ((('cat', 'kitten'),), (('sky', 'clouds'), ('sea',)))


@pytest.mark.parametrize('text', [
    '# things\ncat, kitten\n# stuff\nsky, clouds\nsea\n',
    'cat, kitten\n# stuff\nsky, clouds\nsea\n',
    '# my home\n\n# Stuff classes:\nsky, clouds\nsea\n## Things\n0:cat,kitten\n',
    '[stuff]\nsky, clouds\nsea\n[things]\ncat, kitten\n',
    'things:\ncat, kitten\nstuff:\nsky, clouds\nsea\n',
    '# things\ncat, kitten\n# stuff\nsky, clouds; sea\n',
    'things:\n- cat, kitten\nstuff:\n- [sky, clouds]\n- sea\n',
    'thing_classes: ["cat, kitten"]\nstuff_classes: ["sky, clouds", sea]\n',
    '{"things": [["cat", "kitten"]], "stuff": [["sky", "clouds"], "sea"]}',
    '{"stuff": {"0": "sky, clouds", "1": "sea"}, "things": ["cat, kitten"], "names": ["x"]}',
    "thing_classes = ('cat, kitten',)\nstuff_classes = ('sky, clouds', 'sea')\n",
    'name,synonyms,isthing\nsky,clouds,0\ncat,kitten,1\nsea,,0\n',
    'Name\tStuff\nsky;clouds\t1\ncat;kitten\t0\nsea\t1\n',
    'name,kind\n"sky",stuff\n',
    json.dumps(dict(categories=[
        dict(id=7, name='sky', isthing=0, synonyms=['clouds']), dict(id=2, name='sea', isthing=0),
        dict(id=1, name='cat', isthing=1, synonyms=['kitten'])])),
    json.dumps(dict(labels=[
        dict(name='a--sky', readable='sky', instances=False, synonyms='clouds'),
        dict(name='a--cat', readable='cat', instances=True, synonyms='kitten'),
        dict(name='a--sea', readable='sea', instances=False)])),
])
def test_a_text_may_say_itself_what_is_stuff(text):
    if text.startswith('name,kind'):
        assert Vocabulary.from_texts(text) == Vocabulary((), (('sky',),))
        return
    assert Vocabulary.from_texts(text) == Vocabulary(*MIXED)
    more = Vocabulary.from_texts(text, 'sand')
    assert more == Vocabulary(MIXED[0], (*MIXED[1], ('sand',)))
    with pytest.raises(ValueError, match="'cat' was given as stuff, but is a thing"):
        Vocabulary.from_texts('dog', text)


def test_what_says_that_it_is_stuff_may_be_given_as_stuff():
    assert Vocabulary.from_texts('cat', '# stuff\nsky\n') == Vocabulary((('cat',),), (('sky',),))


@pytest.mark.parametrize('entries, classes', [
    ([{'name': 'cat', 'synonyms': ['kitten']}, {'name': 'dog'}], PETS),
    ({0: 'cat', 1: 'dog'}, CAT_DOG),
    (dict(names=['cat', 'dog']), CAT_DOG),
    (iter(['cat, kitten', 'dog']), PETS),
    ([b'cat'.decode(), '"Paris, Texas"'], (('cat',), ('Paris, Texas',))),
])
def test_python_values_are_read_alike(entries, classes):
    assert Vocabulary.from_texts(entries).classes == classes


@pytest.mark.parametrize('entries, message', [
    (['["rust"]'], 'no name'),
    (['names:', '- cat'], "ends with ':'"),
    (['- cat'], 'mark of a list'),
    (['cat; dog'], 'holds a semicolon'),
    (['"cat; dog"'], 'holds a semicolon'),
    ({'cat', 'dog'}, 'a set'),
    ([3], 'has the name 3'),
])
def test_lists_of_lines_that_nobody_parsed_are_refused(entries, message):
    with pytest.raises(ValueError, match=message):
        Vocabulary.from_texts(entries)
