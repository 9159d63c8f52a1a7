"""`accelerate launch -m ipaclip.training.distill CONFIG.yaml [key=value …]`."""

import argparse
import logging
import os
import sys
from collections.abc import Sequence

from .arguments import DistillationArguments
from .loop.threads import wait_asleep_if_busy


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="ipaclip.training.distill", description=__doc__)
    parser.add_argument("config", help="YAML or JSON file")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="such as loop.steps=100")
    given = parser.parse_args(argv)
    # Of several processes, all warn and the first one tells.
    level = logging.INFO if os.environ.get("RANK", "0") == "0" else logging.WARNING
    logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s")
    wait_asleep_if_busy()
    try:
        arguments = DistillationArguments.from_file(given.config, given.overrides)
        from .distillation import distil

        directory = distil(arguments)
    except (ValueError, OSError, ImportError) as error:
        logging.getLogger(__name__).error("%s", error)
        return 2
    except KeyboardInterrupt:
        return 130
    logging.getLogger(__name__).info("checkpoint: %s", directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())
