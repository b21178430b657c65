"""Files, interrupts, threads and compilation: what differs between machines."""
