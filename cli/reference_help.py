"""What the help of commands says of references. It imports nothing, so that help needs no database and no kind."""

PICK = "Which of RUN's architectures to take: knee, error, params, macs, latency, or under=3M (params)."
WINNER = "its winner"
HELP = (
    f"REF is RUN ({WINNER}), RUN:best (the highest fitness), RUN:BIRTH, each of them also with :simplified behind it "
    "(what germline simplify made of it), library:NAME, a file with a genome, - for a genome on stdin, or the text of "
    "a genotype of DARTS or of a cell of NAS-Bench-201."
)
