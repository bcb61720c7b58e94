"""What runs beside the calls: jobs, the courier of messages, the threads of a pair, the watchdog."""
