"""`python3 -m tests.soak.machine [single|pair|counting] [EXAMPLES]`: a state machine for long; 2,000 examples."""

from __future__ import annotations

import logging
import sys

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.service.test_counting_machine import Counting
from tests.service.test_machine import Machine
from tests.service.test_pair_machine import PairMachine

MACHINES = {"single": Machine, "pair": PairMachine, "counting": Counting}


def main() -> int:
    """Exit code 0 when every example held."""
    logging.disable(logging.CRITICAL)
    given = sys.argv[1:]
    machine = next((MACHINES[word] for word in given if word in MACHINES), Machine)
    examples = next((int(word) for word in given if word.isdigit()), 2000)
    wanted = settings(
        max_examples=examples,
        stateful_step_count=30,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=wanted)
    print(f"{examples} examples of {machine.__name__}: totals equal, every database verified.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
