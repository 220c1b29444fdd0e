"""Serves real environments as `gwm.v1.Simulator`: `gwm serve-env --env metaworld:hammer-v3`."""
