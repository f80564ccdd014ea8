"""`germline leaderboard`: a table of tuned baselines, any optimizer's place among them, and the table made anew."""
