"""Search strategies, one a file; each is a pure fold over blocks (see `germline.search.strategy`)."""
