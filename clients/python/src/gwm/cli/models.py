"""gwm models: which versions a server serves, and swapping them while it runs."""

from __future__ import annotations

import argparse
from typing import Any

from gwm.cli.target import add_address, connect, positive
from gwm.client import Client
from gwm.models import LOAD_TIMEOUT_S, ModelInfo

_EXAMPLES = """\
examples:
  gwm models list
  gwm models load gwm-small-2 --default      the new version, for new sessions
  gwm models unload 3fa9 --drain --grace 600 the old one, when its sessions have ended or after 10 min
  gwm models default 3fa9                    back again

DIGEST: the first characters of a version's digest, as many as make it unique."""


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "models",
        help="list, load, unload and swap the models of a server",
        description="List, load, unload and swap the models of a running server.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    _add(actions, "list", _list, "print what is served")
    load = _add(actions, "load", _load, "load a checkpoint beside what is served")
    load.add_argument("checkpoint", help="folder, relative to the server's checkpoint root")
    load.add_argument("--digest", default="", help="fail unless the checkpoint has this digest")
    load.add_argument("--default", action="store_true", help="make it the default")
    unload = _add(actions, "unload", _unload, "let a version go")
    unload.add_argument("digest", metavar="DIGEST")
    unload.add_argument("--drain", action="store_true", help="also while sessions are on it: when they end")
    unload.add_argument("--grace", type=float, metavar="S", help="with --drain: end them after this time")
    default = _add(actions, "default", _default, "make a version the default")
    default.add_argument("digest", metavar="DIGEST")
    warm_up = _add(actions, "warm-up", _warm_up, "make a first step on a version")
    warm_up.add_argument("digest", metavar="DIGEST")
    warm_up.add_argument("--rows", type=positive, default=1, help="environments (%(default)s)")


def _add(actions: Any, name: str, run: Any, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(name, help=text, description=f"{text.capitalize()}.")
    add_address(parser)
    if name == "load":
        parser.set_defaults(timeout=LOAD_TIMEOUT_S)
    parser.set_defaults(run=run)
    return parser


def _list(args: argparse.Namespace) -> int:
    with connect(args) as client:
        for model in client.models.list():
            print(describe(model))
    return 0


def _load(args: argparse.Namespace) -> int:
    with connect(args) as client:
        model = client.models.load(
            args.checkpoint,
            expected_digest=args.digest,
            set_default=args.default,
            timeout_s=args.timeout,
        )
        print(describe(model))
    return 0


def _unload(args: argparse.Namespace) -> int:
    with connect(args) as client:
        digest = find_digest(client, args.digest)
        print(describe(client.models.unload(digest, drain=args.drain, grace_s=args.grace)))
    return 0


def _default(args: argparse.Namespace) -> int:
    with connect(args) as client:
        print(describe(client.models.set_default(find_digest(client, args.digest))))
    return 0


def _warm_up(args: argparse.Namespace) -> int:
    with connect(args) as client:
        times = client.models.warm_up(find_digest(client, args.digest), rows=args.rows)
    parts = {"reset": times.reset_s, "step": times.step_s, "render": times.render_s}
    print(", ".join(f"{name} {1000 * seconds:.1f} ms" for name, seconds in parts.items()))
    return 0


def find_digest(client: Client, prefix: str) -> str:
    """The digest of the one version whose digest starts with `prefix`."""
    digests = [model.checkpoint_digest for model in client.models.list()]
    found = [digest for digest in digests if digest and digest.startswith(prefix)]
    if prefix in found:
        return prefix
    if not prefix or len(found) != 1:
        listed = ", ".join(digest[:12] for digest in digests if digest) or "none"
        what = "no version" if not found else "more than one version"
        raise ValueError(f"{what} has a digest that starts with {prefix!r}; served are {listed}")
    return found[0]


def describe(model: ModelInfo) -> str:
    """One line."""
    parts = [
        f"{model.checkpoint_digest[:12] or '-':12}",
        f"{model.model_id or '-':12}",
        f"{model.state + (' *' if model.is_default else ''):11}",
        f"{model.sessions:4} sessions",
        f"{model.checkpoint_bytes / 2**20:8.1f} MiB",
        f"loaded in {model.load_time_s:.1f} s",
        f"from {model.checkpoint}",
    ]
    return "  ".join(parts) + (f"  {model.error}" if model.error else "")
