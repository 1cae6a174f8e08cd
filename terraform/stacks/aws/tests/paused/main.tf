# The state that a test begins with: what Terraform finds when somebody has paused a channel.

resource "aws_lambda_event_source_mapping" "this" {
  for_each = toset(["rooms"])

  event_source_arn        = "arn:aws:sqs:eu-central-1:123456789012:trefoil-dev-rooms"
  function_name           = "arn:aws:lambda:eu-central-1:123456789012:function:a-function:live"
  function_response_types = ["ReportBatchItemFailures"]
  batch_size              = 10
  enabled                 = false

  scaling_config {
    maximum_concurrency = 2
  }
}
