#!/usr/bin/env bash
# Records the runs of recorded_runs.db, a run of each kind, with the version that is installed.
# Run it again only when a version is meant to decide otherwise (`genome_version` or `SCORING_VERSION` says so).
set -eu
database=$(mktemp -d)/recorded_runs.db
export GERMLINE_DB=$database
germline search optimizer --name optimizer --births 112 --seed 5 --executor inline \
    --set population=20 --set block=16 --set pack=4 --set lengths=0.05,0.1 --set warmup=20 \
    --set litter=2 --set review_every=32 --set hurdle=0.3
germline search architecture --name architecture --preset nb201 --births 200 --seed 5 --executor inline \
    --set strategy=nsga2 --set population=20 --set block=20
germline search policy --name policy --task gym:CartPole-v1 --births 200 --seed 5 --executor inline \
    --set population=50 --set candidates=4 --set review_episodes=5 --set test_episodes=20
python -c "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('VACUUM'); c.close()" "$database"
mv "$database" "$(dirname "$0")/recorded_runs.db"
