"""Pictures as SVG, PNG and PDF: a file for each picture, which draws data of `germline.search.analysis`."""

import logging

logging.getLogger("matplotlib").setLevel(logging.ERROR)  # It warns on import, such as of a folder for its cache.
