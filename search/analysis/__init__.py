"""Analysis of recorded runs, for commands and notebooks. Nothing here prints, writes to a database or scores.

`learning_curve` tells how far a run was after each block, `comparison` groups runs over seeds and says in which
settings the groups differ, `hypervolume` measures fronts of several objectives, `generation` places the policies of a
block in a scatter plot. `policy_scores` says which score of a policy counts and how precise it is, `statistics` holds
the quartiles and confidence intervals that they share.

Example:
    from germline.db.store import Store
    from germline.search.analysis.learning_curve import learning_curve_of

    with Store("germline.db", create=False) as store:
        rows = learning_curve_of(store, "policy-1").rows
    frames, elite = [row.frames for row in rows], [row.elite for row in rows]
"""
