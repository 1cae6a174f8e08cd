"""Spares powertools the AWS SDK: its idempotency imports boto3 for a DynamoDB store, and ours is a dictionary."""

import sys
from importlib.util import find_spec
from types import ModuleType

_IMPORTED = {
    "boto3": "",
    "boto3.dynamodb": "",
    "boto3.dynamodb.types": "TypeDeserializer",
    "botocore": "",
    "botocore.exceptions": "ClientError",
}
"""The modules, and the class that is wanted of each."""


def stand_in_for_boto3() -> None:
    """Put empty modules in boto3's place where it is not installed."""
    if "boto3" in sys.modules or find_spec("boto3"):
        return
    for name, wanted in _IMPORTED.items():
        module = ModuleType(name)
        if wanted:
            setattr(module, wanted, type(wanted, (Exception,), {}))
        sys.modules[name] = module
