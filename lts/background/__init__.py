"""What runs in the background: jobs, the courier of messages, the threads of a pair, the watchdog."""
