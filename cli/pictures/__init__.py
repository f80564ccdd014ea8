"""Pictures as SVG, PNG and PDF: a file for each picture, which draws data of `germline.search.analysis`."""
