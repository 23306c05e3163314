"""A web page to try a model on: give a picture and names, and point at what was found.

python tools/webui.py [--model MODEL] [--weights FILE] [--host HOST] [--port PORT]

Without a model it shows the small model that comes with mmodise. Only this machine can reach the
page, unless --host says otherwise. Pictures are kept for an hour at most. Needs Gradio:
pip install "mmodise[webui]". Ctrl-C ends it.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        '--model', help='name of the metafile, or a config (default: the small model)')
    parser.add_argument('--weights', help="checkpoint (default: the metafile's)")
    parser.add_argument('--device', help='such as cpu or cuda:0 (default: a GPU if there is one)')
    parser.add_argument('--precision', choices=('float32', 'bfloat16', 'float16'),
                        help="what the model computes in (default: the config's)")
    parser.add_argument('--fast', action='store_true',
                        help='frozen networks in bfloat16, if the device has it')
    parser.add_argument('--host', default='127.0.0.1', help='address to listen at; 0.0.0.0 lets '
                        'everybody in who can reach this machine (default: 127.0.0.1)')
    parser.add_argument('--port', type=int, help='port (default: the first free one from 7860)')
    parser.add_argument('--max-mb', type=float, default=20, help='largest file (default: 20)')
    parser.add_argument('--max-side', type=int, default=8192,
                        help='longest side of a picture in pixels (default: 8192)')
    parser.add_argument('--work-side', type=int, default=1024,
                        help='larger pictures are made so small (default: 1024)')
    parser.add_argument('--max-names', type=int, default=4000, help='most names (default: 4000)')
    parser.add_argument('--max-open', type=int, default=8,
                        help='pictures that stay open, one per visitor (default: 8)')
    return parser.parse_args(argv)


def main() -> None:
    """Serve the page until Ctrl-C is pressed."""
    args = parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # files of visitors go in any case
    try:
        # after the options, so that --help answers quickly
        from mmodise.apis import ODISEInferencer
        from mmodise.apis.webui import Limits, serve
        from mmodise.engine import tune_process
        from mmodise.utils.optional import import_optional
        import_optional('gradio', extra='webui')
        tune_process()
        inferencer = ODISEInferencer(
            args.model, args.weights, args.device, args.precision, fast=args.fast)
        limits = Limits(max_bytes=int(args.max_mb * 1e6), max_side=args.max_side,
                        work_side=args.work_side, max_names=args.max_names,
                        max_open=args.max_open)
        with serve(inferencer, args.host, args.port, limits) as address:
            print(f'The page is at {address} (Ctrl-C ends it).', flush=True)
            while True:
                time.sleep(3600)
    except KeyboardInterrupt:
        print()
    except (ImportError, OSError, ValueError) as error:
        sys.exit(f'webui.py: {error}')


if __name__ == '__main__':
    main()
