"""``python -m mmodise NAME ...`` runs a command of ``tools/``, as ``mim run mmodise NAME`` does."""

import difflib
import runpy
import sys
from pathlib import Path


def commands() -> dict[str, Path]:
    """The files of ``tools/`` by their names, from a checkout and from a wheel."""
    package = Path(__file__).parent
    return {path.stem: path for folder in (package.parent / 'tools', package / '.mim/tools')
            for path in folder.rglob('*.py')}


def main() -> None:
    """Run a command, or list them."""
    found = commands()
    name = sys.argv[1] if len(sys.argv) > 1 else '--help'
    if name in ('-h', '--help'):
        print('usage: python -m mmodise NAME [OPTIONS]\n\nNAME --help tells what it does. Names: '
              + ', '.join(sorted(found)))
        return
    if name not in found:
        near = difflib.get_close_matches(name, found, n=1)
        hint = f' Did you mean {near[0]}?' if near else ''
        sys.exit(f'mmodise: there is no command {name!r}.{hint} There are: '
                 f'{", ".join(sorted(found))}.')
    del sys.modules['mmodise']  # without its parts, see __init__.py; the command imports it whole
    sys.argv = [str(found[name]), *sys.argv[2:]]
    runpy.run_path(sys.argv[0], run_name='__main__')


if __name__ == '__main__':
    main()
