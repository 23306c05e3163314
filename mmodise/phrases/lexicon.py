"""What :class:`BuiltinTagger` knows; any other word it takes for a noun.

All words of the closed classes, and the verbs and adjectives that captions use most.
"""

CLOSED = {
    'DT': """
        a an the this that these those some any each every both all another no either neither
        several many few most more much various numerous multiple lots other others such half
        """,
    'CD': """
        one two three four five six seven eight nine ten eleven twelve dozen dozens hundred
        hundreds thousand
        """,
    'PRP': """
        i you he she it we they me him us them himself herself itself themselves someone something
        anyone anything everyone everything nobody nothing there here who whom which what whose
        """,
    'PRP$': 'my your his her its our their',
    'IN': """
        of in on at by with without from into onto near behind beside besides between among amongst
        amid beneath under underneath above over below across along alongside around about against
        through throughout toward towards upon inside outside within atop during for before after
        beyond past like off up down out via aboard opposite
        """,
    'TO': 'to',
    'CC': """
        and or but nor while as because although though when where whereas if than so then plus
        """,
    'RB': """
        not very too also just still only almost nearly quite together apart away back forward
        upright outdoors indoors outward inward overhead nearby ahead again already always never
        often soon well even ever rather instead maybe perhaps once twice alone sideways backwards
        forwards upwards downwards
        """,
    'MD': """
        can could will would shall should may might must cannot can't do does did don't doesn't
        didn't
        """,
    'VB': "is are was were be been being am isn't aren't has have had having doing done s",
}
"""Words by their tag, of the Penn Treebank or, where that makes finer differences, nearly so."""

COMPOUND_PREPOSITIONS = (
    'in front of', 'on top of', 'next to', 'close to', 'out of', 'in between', 'such as',
    'because of', 'up to', 'inside of', 'outside of', 'in back of', 'as well as',
)

# Without those that are nouns as well, such as 'orange' and 'light': before a noun it is the same.
ADJECTIVES = """
    red blue green yellow black white brown gray grey pink purple golden beige crimson blonde blond
    dark bright pale colorful colourful clear dirty clean blurry
    big small large little tiny huge giant long short tall wide narrow high low deep thick thin fat
    skinny massive enormous mini full empty
    old young new modern ancient antique vintage elderly older younger
    wooden metallic woolen striped stripy checkered checked spotted dotted plaid patterned
    decorative ornate fancy plain round rectangular flat steep curved sharp smooth rough soft hard
    fluffy fuzzy furry hairy shaggy curly bald bare
    hot cold warm cool fresh raw ripe wet dry snowy icy rainy cloudy sunny foggy windy sandy grassy
    rocky muddy dusty stormy leafy shady starry
    happy sad cute pretty beautiful lovely nice good great bad funny silly scary strange weird odd
    angry tired sleepy hungry busy crowded quiet calm wild domestic tame lazy playful ready
    open closed shut asleep awake alive dead messy neat tidy cluttered pregnant
    left right upper lower inner outer distant close double single different same similar
    asian american european chinese japanese british french italian mexican indian
    electric electronic digital public private residential urban rural
    delicious tasty sweet spicy healthy homemade barefoot shirtless naked entire whole own first
    second third last next available visible stainless assorted
    """

VERBS = """
    sit eat wear hold lean lie lay kneel bring carry include contain become seem appear get give
    take make go come let see keep leave enjoy prepare perform hang
    """
"""Stems that are verbs wherever they stand."""

NOUN_OR_VERB = """
    stand ride play walk run jump look watch drink cook talk rest sleep swim surf skate skateboard
    snowboard fly swing slide catch throw hit kick cut cover park stop drive travel turn move pass
    cross race show display use pose graze feed brush smile work dress fish reach pull push point
    face fill drop climb gather wait read lick sniff chase roll lead share serve stare perch grab
    sell shop compete approach attempt try start finish help touch rise float sail land dance
    """
"""Stems that are one or the other."""

PAST_TENSES = """
    sat ate held wore lay lain knelt brought took made went came gone got stood rode ran flew swam
    drove threw caught hung kept left seen saw
    """

PARTICIPLES = """
    taken worn shown eaten built broken thrown cut driven ridden drawn grown hidden stuck set laid
    spread torn written frozen
    """
"""Those that do not end with -ed or -ing."""

MISLEADING_NOUNS = """
    building buildings ceiling ceilings railing railings clothing painting paintings wing wings king
    ring rings string strings wedding awning awnings evening morning thing things lighting icing
    frosting topping toppings crossing crossings bedding earring earrings sibling siblings dressing
    pudding landing spring viking duckling gosling stuffing siding seasoning filling fencing
    stocking stockings parking living dining skiing snowboarding surfing skateboarding boxing
    bed beds shed sheds sled sleds seed seeds weed weeds breed speed reed reeds bobsled family
    families butterfly belly jelly lily fly
    """
"""Nouns that end like participles and adverbs."""

IRREGULAR_PLURALS = 'men women people children sheep cattle geese mice teeth feet police deer fish'
