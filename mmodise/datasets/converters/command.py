"""The command ``make_config``: finds annotations, has them converted, tells what was done."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from .annotated import AnnotationError, Source
from .cityscapes import read_cityscapes
from .class_maps import read_class_maps
from .class_values import EXPECTED, parse_class_values
from .coco_instances import read_coco_instances
from .coco_panoptic import read_coco_panoptic
from .config_file import Start
from .detection import detect, sniff
from .labelme import read_labelme
from .own_data import Made, Options, make_own_data, split_names
from .pictures import PictureFolder

_CLASS_FILES = ('labelmap.txt', 'classes.txt', 'labels.txt', 'classes.json')
_OVERLAPS = dict(later='the later in the file', earlier='the earlier in the file',
                 smaller='the smaller one')


def run(args: Namespace) -> Made:
    """Do what the command line says.

    Raises:
        SystemExit: If it cannot be done; the message says why.
    """
    try:
        made = _run(args)
    except (ValueError, FileNotFoundError) as error:
        raise SystemExit(f'make_config: {error}') from error
    return made


def _run(args: Namespace) -> Made:
    if not args.root.is_dir():
        raise AnnotationError(f'{args.root} is no folder.')
    root = args.root
    start = Start.read(args.finetune) if args.finetune else None
    out_dir = args.out_dir or root.resolve().with_name(f'{root.resolve().name}-panoptic')
    folder = PictureFolder(root, leave_out=out_dir)
    kind, source = _read(args, folder)
    print(f'{args.root}: {kind}, {len(source.images)} annotated pictures, '
          f'{len(source.classes)} classes')
    made = make_own_data(source, Options(
        root=root, out_dir=out_dir, name=root.resolve().name, stuff=args.stuff, void=args.void,
        overlap=args.overlap, val_share=args.val_share, seed=args.seed, full=args.full,
        start=start, workers=args.workers))
    _tell(made, kind, source, args)
    return made


def _read(args: Namespace, folder: PictureFolder) -> tuple[str, Source]:
    for path in (*(args.annotations or ()), *filter(None, (args.images, args.maps))):
        if not path.exists():
            raise AnnotationError(f'{path} is not there.')
    if args.annotations:
        kind = args.format if args.format != 'auto' else sniff(args.annotations[0])
        paths = args.annotations
    else:
        kind, paths = detect(folder, args.format, args.maps)
    if kind == 'coco_panoptic':
        return kind, read_coco_panoptic(paths, folder, args.images)
    if kind == 'coco':
        return kind, read_coco_instances(paths, folder, args.images, args.crowds)
    if kind == 'labelme':
        return kind, read_labelme(paths, folder, args.images)
    if kind == 'cityscapes':
        values = parse_class_values(args.classes) if args.classes else None
        return kind, read_cityscapes(paths, folder, values)
    if kind == 'semantic':
        values = parse_class_values(args.classes or _class_file(folder))
        return kind, read_class_maps(
            paths, folder, values, split_names(args.stuff or ''), args.images)
    raise AnnotationError(f'{paths[0]} holds no annotations of masks.')


def _class_file(folder: PictureFolder) -> Path:
    found = [path for path in folder.files if path.name.lower() in _CLASS_FILES]
    if len(found) != 1:
        raise AnnotationError(f'What the values of the maps mean is in none of the files '
                              f'{", ".join(_CLASS_FILES)}, or in several. {EXPECTED}')
    return found[0]


def _tell(made: Made, kind: str, source: Source, args: Namespace) -> None:
    for finding in made.findings:
        print(finding.message('Note'))
    if source.note:
        print(source.note)
    if kind != 'coco_panoptic':
        print(f'Of segments that overlap, {_OVERLAPS[args.overlap]} is seen; what none covers is '
              'void.')
    print('Things: ' + _counted(made, made.things))
    print('Stuff: ' + _counted(made, made.stuff))
    print('Pictures: ' + ', '.join(f'{count} {split}' for split, count in made.counts.items()))
    if made.new:
        print('Written: ' + ', '.join(map(str, made.new)))
    else:
        print(f'All is done already: {made.config}')
    print(f'\nWrite synonyms into {made.vocabulary}. Next:\n'
          f'    mim run mmodise check_dataset "{made.config}"\n'
          f'    mim train mmodise "{made.config}"')
    if args.finetune:
        print(f'    mim run mmodise average_weights "{args.finetune}" '
              f'work_dirs/{made.config.stem}/iter_N.pth OUT.pth')


def _counted(made: Made, names: tuple[str, ...]) -> str:
    return ', '.join(f'{name} ({made.segments.get(name, 0)})' for name in names) or 'none'
