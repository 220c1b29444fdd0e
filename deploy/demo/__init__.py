"""The demonstration behind `make demo`; see __main__."""
