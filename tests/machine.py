"""`python3 -m tests.machine [EXAMPLES]`: the long run of the state machine, 2,000 examples by default."""

from __future__ import annotations

import sys

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.service.test_machine import Machine


def main() -> int:
    """Exit code 0 when every example held."""
    examples = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    wanted = settings(
        max_examples=examples,
        stateful_step_count=30,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Machine, settings=wanted)
    print(f"{examples} examples: quota never exceeded, totals equal, every database verified.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
