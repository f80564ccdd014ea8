"""Analysis of recorded runs, for commands and notebooks. Nothing here prints, writes to a database or scores.

`learning_curve` has a row for the state of a run after each block, `comparison` groups runs over seeds and lists the
settings in which the groups differ, and `hypervolume` measures Pareto fronts. The data of pictures are in `line_plot`
(learning curves), `search_history` (the course of a run of optimizers, with `ancestor_line`), `front_plot`,
`generation` (a scatter plot of the policies of a block) and `map_plot` (the map of MAP-Elites), whose coverage and QD
score `map_scores` computes. `policy_scores` chooses the decisive score of a policy, and
`statistics` has quartiles and confidence intervals.

Example:
    from germline.db.store import Store
    from germline.search.analysis.learning_curve import learning_curve_of

    with Store("germline.db", create=False) as store:
        rows = learning_curve_of(store, "policy-1").rows
    frames, elite = [row.frames for row in rows], [row.elite for row in rows]
"""
