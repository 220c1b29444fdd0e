"""Policies that need nothing but the observation's `state`: scripted experts, noisy, random and mixed ones.

A policy belongs to one episode: its noise comes from a generator keyed by (task, kind, seed), so that the
same episode is collected again bit for bit, on any machine and in any order.
"""

from gwm.policies.base import KINDS, NOISE_STD, Policy, episode_generator, make_policy, policy_kind

__all__ = ["KINDS", "NOISE_STD", "Policy", "episode_generator", "make_policy", "policy_kind"]
