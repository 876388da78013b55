"""When an object of a kind is ready: one module per family of kinds, each rule a pure function."""
