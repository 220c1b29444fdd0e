"""What Prometheus asks of a page of metrics: the rules of `promtool check metrics`, and ours on labels."""

from __future__ import annotations

import re
from collections.abc import Iterator

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

_NAME = re.compile(r"^gwm_[a-z][a-z0-9]*(_[a-z0-9]+)*$")
_OTHER_UNITS = {
    "ms", "us", "ns", "sec", "secs", "milliseconds", "microseconds", "nanoseconds", "minutes", "hours",
    "kb", "mb", "gb", "kilobytes", "megabytes", "gigabytes", "kib", "mib", "gib", "bits", "percent",
}  # fmt: skip
_TYPE_WORDS = {"gauge", "counter", "histogram", "summary"}
_RESERVED_ENDINGS = ("_bucket", "_count", "_sum", "_info")
_UNBOUNDED_LABELS = {"session", "session_id", "client", "client_id", "request_id", "env", "env_id"}


def families_of(page: str) -> list[Metric]:
    """Raises ValueError for a page that is no exposition format."""
    return list(text_string_to_metric_families(page))


def complaints(page: str) -> list[str]:
    """Everything that is wrong with a page of /metrics; empty for a clean one."""
    found = list(_header_complaints(page))
    for family in families_of(page):
        found += [f"{family.name}: {complaint}" for complaint in _complaints_about(family)]
    return found


def _header_complaints(page: str) -> Iterator[str]:
    for kind in ("HELP", "TYPE"):
        names = re.findall(rf"^# {kind} (\S+)", page, re.MULTILINE)
        yield from (
            f"{name}: more than one {kind}" for name in sorted({n for n in names if names.count(n) > 1})
        )
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", page, re.MULTILINE):
        if (kind == "counter") != name.endswith("_total"):
            yield f"{name}: counters, and they alone, end in _total; it is a {kind}"


def _complaints_about(family: Metric) -> Iterator[str]:
    words = set(family.name.split("_"))
    if not _NAME.match(family.name):
        yield "names are gwm_words_in_lower_case"
    if not family.documentation.strip():
        yield "no help text"
    if family.type == "unknown":
        yield "no type"
    if words & _OTHER_UNITS:
        yield f"not a base unit: {sorted(words & _OTHER_UNITS)}"
    if words & _TYPE_WORDS:
        yield "the type is no part of a name"
    if family.name.endswith(_RESERVED_ENDINGS) and family.name != "gwm_build_info":
        yield "this ending belongs to histograms or to OpenMetrics"
    seen = set()
    for sample in family.samples:
        key = (sample.name, tuple(sorted(sample.labels.items())))
        if key in seen:
            yield f"twice: {key}"
        seen.add(key)
        if sample.labels.keys() & _UNBOUNDED_LABELS:
            yield f"labels that grow without bound: {sorted(sample.labels)}"
        if "le" in sample.labels and not sample.name.endswith("_bucket"):
            yield "the label le belongs to histograms"
    if family.type == "histogram":
        yield from _histogram_complaints(family)


def _histogram_complaints(family: Metric) -> Iterator[str]:
    series: dict[tuple[tuple[str, str], ...], list[tuple[float, float]]] = {}
    counts: dict[tuple[tuple[str, str], ...], float] = {}
    for sample in family.samples:
        labels = tuple(sorted((k, v) for k, v in sample.labels.items() if k != "le"))
        if sample.name.endswith("_bucket"):
            series.setdefault(labels, []).append((float(sample.labels["le"]), sample.value))
        elif sample.name.endswith("_count"):
            counts[labels] = sample.value
    for labels, buckets in series.items():
        buckets.sort()
        values = [value for _, value in buckets]
        if values != sorted(values):
            yield f"buckets of {labels} are not cumulative"
        if buckets[-1][0] != float("inf") or values[-1] != counts.get(labels):
            yield f"the last bucket of {labels} is not +Inf, or not the count"
