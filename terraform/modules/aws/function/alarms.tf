resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = var.alarms

  alarm_name          = "${var.name}-${lower(each.value)}"
  alarm_description   = "The function reports ${lower(each.value)}."
  namespace           = "AWS/Lambda"
  metric_name         = each.value
  dimensions          = { FunctionName = aws_lambda_function.this.function_name }
  statistic           = "Sum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  period              = 60
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
  tags                = var.tags
}

# A function that is not called reports no errors either.
resource "aws_cloudwatch_metric_alarm" "silent" {
  count = var.silent_seconds == null ? 0 : 1

  alarm_name          = "${var.name}-silent"
  alarm_description   = "The function was not called for ${var.silent_seconds} s."
  namespace           = "AWS/Lambda"
  metric_name         = "Invocations"
  dimensions          = { FunctionName = aws_lambda_function.this.function_name }
  statistic           = "Sum"
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  period              = var.silent_seconds
  evaluation_periods  = 1
  treat_missing_data  = "breaching" # Lambda reports calls, not their absence
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
  tags                = var.tags
}
