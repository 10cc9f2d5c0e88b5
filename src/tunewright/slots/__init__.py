"""What a host has for trials, cores and GPUs, and who holds which of them: leases across jobs, users and stores."""
