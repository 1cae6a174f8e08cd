"""The kinds of resources that both stacks are made of, and where Terraform and SAM say each fact of them."""

from typing import NamedTuple


class Kind(NamedTuple):
    """A kind of resource: its types, and where each says what; the first fact tells one resource from the others."""

    name: str
    sam: str
    terraform: str
    facts: dict[str, tuple[str, str]]


KINDS = (
    Kind(
        "queue",
        "AWS::SQS::Queue",
        "aws_sqs_queue",
        {
            "name": ("QueueName", "name"),
            "visibility": ("VisibilityTimeout", "visibility_timeout_seconds"),
            "retention": ("MessageRetentionPeriod", "message_retention_seconds"),
            "key": ("KmsMasterKeyId", "kms_master_key_id"),
            "redrive": ("RedrivePolicy", "redrive_policy"),
            "policy": ("Policy", "policy"),
            "tags": ("Tags", "tags"),
        },
    ),
    Kind(
        "subscription",
        "AWS::SNS::Subscription",
        "aws_sns_topic_subscription",
        {
            "queue": ("Endpoint", "endpoint"),
            "topic": ("TopicArn", "topic_arn"),
            "protocol": ("Protocol", "protocol"),
            "raw": ("RawMessageDelivery", "raw_message_delivery"),
            "scope": ("FilterPolicyScope", "filter_policy_scope"),
            "filter": ("FilterPolicy", "filter_policy"),
            "redrive": ("RedrivePolicy", "redrive_policy"),
        },
    ),
    Kind(
        "function",
        "AWS::Lambda::Function",
        "aws_lambda_function",
        {
            "name": ("FunctionName", "function_name"),
            "description": ("Description", "description"),
            "handler": ("Handler", "handler"),
            "runtime": ("Runtime", "runtime"),
            "architectures": ("Architectures", "architectures"),
            "memory": ("MemorySize", "memory_size"),
            "timeout": ("Timeout", "timeout"),
            "environment": ("Environment.Variables", "environment.0.variables"),
            "role": ("Role", "role"),
            "key": ("KmsKeyArn", "kms_key_arn"),
            "snapshots": ("SnapStart.ApplyOn", "snap_start.0.apply_on"),
            "tags": ("Tags", "tags"),
        },
    ),
    Kind(
        "alias",
        "AWS::Lambda::Alias",
        "aws_lambda_alias",
        {"function": ("FunctionName", "function_name"), "name": ("Name", "name")},
    ),
    Kind(
        "mapping",
        "AWS::Lambda::EventSourceMapping",
        "aws_lambda_event_source_mapping",
        {
            "function": ("FunctionName", "function_name"),
            "queue": ("EventSourceArn", "event_source_arn"),
            "batch": ("BatchSize", "batch_size"),
            "window": ("MaximumBatchingWindowInSeconds", "maximum_batching_window_in_seconds"),
            "responses": ("FunctionResponseTypes", "function_response_types"),
            "concurrency": ("ScalingConfig.MaximumConcurrency", "scaling_config.0.maximum_concurrency"),
        },
    ),
    Kind(
        "log",
        "AWS::Logs::LogGroup",
        "aws_cloudwatch_log_group",
        {
            "name": ("LogGroupName", "name"),
            "retention": ("RetentionInDays", "retention_in_days"),
            "key": ("KmsKeyId", "kms_key_id"),
            "tags": ("Tags", "tags"),
        },
    ),
    Kind(
        "role",
        "AWS::IAM::Role",
        "aws_iam_role",
        {
            "description": ("Description", "description"),
            "trust": ("AssumeRolePolicyDocument", "assume_role_policy"),
            "may": ("Policies.0.PolicyDocument", "may"),
            "more": ("ManagedPolicyArns", "managed_policy_arns"),
            "tags": ("Tags", "tags"),
        },
    ),
    Kind(
        "alarm",
        "AWS::CloudWatch::Alarm",
        "aws_cloudwatch_metric_alarm",
        {
            "name": ("AlarmName", "alarm_name"),
            "description": ("AlarmDescription", "alarm_description"),
            "namespace": ("Namespace", "namespace"),
            "metric": ("MetricName", "metric_name"),
            "of": ("Dimensions", "dimensions"),
            "statistic": ("Statistic", "statistic"),
            "comparison": ("ComparisonOperator", "comparison_operator"),
            "threshold": ("Threshold", "threshold"),
            "period": ("Period", "period"),
            "periods": ("EvaluationPeriods", "evaluation_periods"),
            "missing": ("TreatMissingData", "treat_missing_data"),
            "alarmed": ("AlarmActions", "alarm_actions"),
            "calmed": ("OKActions", "ok_actions"),
            "tags": ("Tags", "tags"),
        },
    ),
    Kind(
        "topic",
        "AWS::SNS::Topic",
        "aws_sns_topic",
        {"name": ("TopicName", "name"), "key": ("KmsMasterKeyId", "kms_master_key_id"), "tags": ("Tags", "tags")},
    ),
    Kind(
        "key",
        "AWS::KMS::Key",
        "aws_kms_key",
        {
            "description": ("Description", "description"),
            "rotation": ("EnableKeyRotation", "enable_key_rotation"),
            "days": ("PendingWindowInDays", "deletion_window_in_days"),
            "policy": ("KeyPolicy", "policy"),
            "tags": ("Tags", "tags"),
        },
    ),
    Kind(
        "key's name",
        "AWS::KMS::Alias",
        "aws_kms_alias",
        {"name": ("AliasName", "name"), "key": ("TargetKeyId", "target_key_id")},
    ),
    Kind(
        "table",
        "AWS::DynamoDB::Table",
        "aws_dynamodb_table",
        {
            "name": ("TableName", "name"),
            "billing": ("BillingMode", "billing_mode"),
            "attributes": ("AttributeDefinitions", "attribute"),
            "keys": ("KeySchema", "keys"),
            "indexes": ("LocalSecondaryIndexes", "local_secondary_index"),
            "protected": ("DeletionProtectionEnabled", "deletion_protection_enabled"),
            "restored": (
                "PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled",
                "point_in_time_recovery.0.enabled",
            ),
            "encrypted": ("SSESpecification.SSEEnabled", "server_side_encryption.0.enabled"),
            "key": ("SSESpecification.KMSMasterKeyId", "server_side_encryption.0.kms_key_arn"),
            "tags": ("Tags", "tags"),
        },
    ),
    Kind(
        "schedule",
        "AWS::Scheduler::Schedule",
        "aws_scheduler_schedule",
        {
            "name": ("Name", "name"),
            "description": ("Description", "description"),
            "when": ("ScheduleExpression", "schedule_expression"),
            "window": ("FlexibleTimeWindow.Mode", "flexible_time_window.0.mode"),
            "function": ("Target.Arn", "target.0.arn"),
            "role": ("Target.RoleArn", "target.0.role_arn"),
            "age": (
                "Target.RetryPolicy.MaximumEventAgeInSeconds",
                "target.0.retry_policy.0.maximum_event_age_in_seconds",
            ),
            "retries": (
                "Target.RetryPolicy.MaximumRetryAttempts",
                "target.0.retry_policy.0.maximum_retry_attempts",
            ),
        },
    ),
)
