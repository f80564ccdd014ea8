"""Loggers: what a search tells TensorBoard, MLflow or Weights & Biases while it runs.

A logger hears of a run and changes nothing in it: it gets copies of figures, in a thread of its own, and its failure
ends no search. `logged` wraps the events of `germline.search.run.evolve`:

with Store("germline.db") as store:
    run = new_run(store, births=2000)
    for progress in logged(store, run.name, evolve(store, run.name), loggers_named(["tensorboard:logs"])):
        print(progress.births)
"""

from germline.search.loggers.logged import logged as logged
from germline.search.loggers.names import UnknownLogger as UnknownLogger
from germline.search.loggers.names import loggers_named as loggers_named
from germline.search.loggers.run_logger import RunLogger as RunLogger
