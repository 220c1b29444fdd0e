"""Checks the Dockerfile without a container engine; see __main__."""
