output "function_id" {
  description = "The function, as it is called: the ARN of the alias `live`."
  value = join(":", [
    "arn:${var.account.partition}:lambda:${var.account.region}:${var.account.id}",
    "function", aws_lambda_function.this.function_name, aws_lambda_alias.live.name,
  ])
}
