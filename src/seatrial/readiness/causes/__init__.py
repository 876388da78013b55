"""The families of causes, one module each: a workload in, findings out. All of them are pure."""
