"""Search strategies, a file for each; each strategy is a pure fold over blocks (see `germline.search.strategy`)."""
