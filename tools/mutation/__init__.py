"""The parts of `python3 -m tools.mutate`: what can be changed, which tests reach it, a trial of one change."""
