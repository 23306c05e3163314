"""What a command does to its process, once, for speed."""

import os

from ..utils.cpu_memory import keep_memory
from ..utils.cpu_products import onednn_products

SWITCH = 'MMODISE_TUNING'  #: Environment variable; '0' leaves the process as it is.


def tune_process() -> None:
    """Keep memory, and take the faster products, where that helps; see what is called here.

    Commands call it. Importing mmodise, or its classes, changes nothing of a process.
    """
    if os.environ.get(SWITCH) != '0':
        keep_memory()
        onednn_products()
