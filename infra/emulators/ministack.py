"""Starts MiniStack, with its DescribeAlarms mended.

MiniStack 1.5.33 leaves most fields of a metric alarm out when they are asked in XML, as Terraform's AWS
provider 5 asks: it then sees its own alarms changed, and its second plan is never empty. The fields are all there, so
they are put into the answer. `tests/emulators/test_ministack.py` notices when that is no longer needed.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib import import_module
from typing import Any
from xml.sax.saxutils import escape, unescape

FIELDS = (
    *("ActionsEnabled", "AlarmActions", "AlarmDescription", "Dimensions", "EvaluateLowSampleCountPercentile"),
    *("ExtendedStatistic", "InsufficientDataActions", "Metrics", "OKActions", "Period", "Statistic"),
    *("AlarmConfigurationUpdatedTimestamp", "StateUpdatedTimestamp", "ThresholdMetricId", "TreatMissingData", "Unit"),
)
"""What MiniStack keeps of an alarm, and leaves out."""

_ALARM = re.compile(r"<member><AlarmName>([^<]*)</AlarmName>")
_BEFORE_ALARM = re.compile(r"(?=<member><AlarmName>)")

_Answer = Callable[[int, str, str], Any]


def main() -> None:
    """Run MiniStack in the foreground."""
    cloudwatch: Any = import_module("ministack.services.cloudwatch")
    cloudwatch._xml = mend(cloudwatch._xml, cloudwatch._alarms)  # noqa: SLF001 - there is no other way in
    import_module("ministack.app").main()


def mend(answer: _Answer, alarms: Mapping[str, Mapping[str, Any]]) -> _Answer:
    """MiniStack's writer of XML answers, which now writes whole alarms."""

    def whole(status: int, root: str, inner: str) -> Any:
        return answer(status, root, complete(inner, alarms) if root == "DescribeAlarmsResponse" else inner)

    return whole


def complete(inner: str, alarms: Mapping[str, Mapping[str, Any]]) -> str:
    """The inside of an answer with the fields that it lacks of each metric alarm."""
    metric, mark, rest = inner.partition("<CompositeAlarms>")
    return "".join(_whole(part, alarms) for part in _BEFORE_ALARM.split(metric)) + mark + rest


def _whole(part: str, alarms: Mapping[str, Mapping[str, Any]]) -> str:
    begin = _ALARM.match(part)
    if not begin:
        return part
    alarm = alarms.get(unescape(begin[1])) or alarms.get(begin[1]) or {}
    lacking = [name for name in FIELDS if alarm.get(name) not in (None, "") and f"<{name}>" not in part]
    return begin[0] + "".join(_element(name, alarm[name]) for name in lacking) + part[begin.end() :]


def _element(name: str, value: Any) -> str:
    match value:
        case list():
            inner = "".join(f"<member>{_inner('member', each)}</member>" for each in value)
        case _:
            inner = _inner(name, value)
    return f"<{name}>{inner}</{name}>"


def _inner(name: str, value: Any) -> str:
    match value:
        case dict():
            return "".join(_element(each, inner) for each, inner in value.items())
        case bool():
            return str(value).lower()
        case int() | float() if name.endswith("Timestamp"):
            return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        case _:
            return escape(str(value))


if __name__ == "__main__":
    main()
