# One function: code, instances, account, who may call it, alarms.

mock_provider "google" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  name            = "trefoil-dev-front-doors"
  account         = { id = "shop-412345", number = "123456789012", region = "europe-west3" }
  package         = { bucket = "the-bucket", object = "the.zip", repository_id = "the-repository", build_account_id = "the-builder" }
  handler         = "receive"
  runtime         = "python313"
  timeout_seconds = 40
  instances       = { min = 1, max = 7, requests = 10 }
  environment     = { TREFOIL_SERVICE = "front_doors" }
  bus_id          = "projects/shop-412345/topics/trefoil-dev-bus"
  store_id        = "projects/shop-412345/databases/trefoil-dev-store"
  callers         = { bus = "pusher@shop-412345.iam.gserviceaccount.com" }
  tags            = { stage = "dev" }
}

run "a_function" {
  command = plan

  module {
    source = "../../modules/gcp/function"
  }

  assert {
    condition = [
      google_cloudfunctions2_function.this.name, google_cloudfunctions2_function.this.project,
      google_cloudfunctions2_function.this.location, coalesce(google_cloudfunctions2_function.this.kms_key_name, "Google's own"),
    ] == ["trefoil-dev-front-doors", "shop-412345", "europe-west3", "Google's own"]
    error_message = "It lies where it should."
  }

  assert {
    condition = [
      for build in google_cloudfunctions2_function.this.build_config : [
        build.runtime, build.entry_point, build.docker_repository, build.service_account,
        build.source[0].storage_source[0].bucket, build.source[0].storage_source[0].object,
      ]
    ] == [["python313", "receive", "the-repository", "the-builder", "the-bucket", "the.zip"]]
    error_message = "It is built from the zip, in the name of an account of its own."
  }

  assert {
    condition = [
      for service in google_cloudfunctions2_function.this.service_config : [
        service.timeout_seconds, service.available_memory, service.available_cpu, service.min_instance_count,
        service.max_instance_count, service.max_instance_request_concurrency, service.ingress_settings,
      ]
    ] == [[40, "512Mi", "1", 1, 7, 10, "ALLOW_INTERNAL_ONLY"]]
    error_message = "It has as many instances and requests as it is told, and is reached from inside only."
  }

  assert {
    condition     = nonsensitive(google_cloudfunctions2_function.this.service_config[0].environment_variables) == tomap({ TREFOIL_SERVICE = "front_doors" })
    error_message = "The function gets the environment it is given."
  }

  assert {
    condition     = issensitive(google_cloudfunctions2_function.this.service_config[0].environment_variables)
    error_message = "No plan shows the environment: it may hold passwords."
  }

  assert {
    condition     = google_cloudfunctions2_function.this.service_config[0].service_account_email == output.function_account
    error_message = "It acts in the name of its own account."
  }

  assert {
    condition = [google_pubsub_topic_iam_member.this.topic, google_pubsub_topic_iam_member.this.role, google_pubsub_topic_iam_member.this.member] == [
      var.bus_id, "roles/pubsub.publisher", "serviceAccount:${output.function_account}"
    ]
    error_message = "It may publish to the bus."
  }

  assert {
    condition = [
      google_project_iam_member.store.role, google_project_iam_member.store.member, google_project_iam_member.store.condition[0].expression
    ] == ["roles/datastore.user", "serviceAccount:${output.function_account}", "resource.name == \"${var.store_id}\""]
    error_message = "It may use one database: ${google_project_iam_member.store.condition[0].expression}"
  }

  assert {
    condition = { for name, member in google_cloud_run_v2_service_iam_member.this : name => [member.name, member.location, member.role, member.member] } == {
      bus = ["trefoil-dev-front-doors", "europe-west3", "roles/run.invoker", "serviceAccount:pusher@shop-412345.iam.gserviceaccount.com"]
    }
    error_message = "Nobody else may call it."
  }

  assert {
    condition = [
      for condition in google_monitoring_alert_policy.errors.conditions[0].condition_threshold :
      [condition.filter, condition.comparison, condition.threshold_value]
      ] == [[
        "resource.type = \"cloud_run_revision\" AND resource.labels.service_name = \"trefoil-dev-front-doors\" AND metric.type = \"run.googleapis.com/request_count\" AND metric.labels.response_code_class = \"5xx\" AND metric.labels.response_code != \"503\"",
        "COMPARISON_GT", 0,
    ]]
    error_message = "An alarm watches its errors, and takes no retry for one."
  }

  assert {
    condition     = length(google_monitoring_alert_policy.silent) == 0
    error_message = "A service that has nothing to do is no reason for an alarm."
  }

  assert {
    condition     = [google_cloudfunctions2_function.this.labels.stage, google_monitoring_alert_policy.errors.user_labels.stage] == ["dev", "dev"]
    error_message = "Everything is labelled."
  }

  assert {
    condition = [output.function_id, output.function_uri] == [
      "projects/shop-412345/locations/europe-west3/functions/trefoil-dev-front-doors",
      google_cloudfunctions2_function.this.service_config[0].uri,
    ]
    error_message = "The outputs are ${output.function_id} and ${output.function_uri}."
  }
}

run "a_function_that_must_be_called" {
  command = plan

  module {
    source = "../../modules/gcp/function"
  }

  variables {
    cpu            = 0.5
    instances      = { min = 0, max = 1, requests = 1 }
    key_id         = "projects/shop-412345/locations/europe-west3/keyRings/shop/cryptoKeys/trefoil"
    silent_seconds = 600
    alarm_actions  = ["projects/shop-412345/notificationChannels/1"]
  }

  assert {
    condition = [
      for alarm in google_monitoring_alert_policy.silent : [
        alarm.display_name, alarm.user_labels.stage,
        alarm.conditions[0].condition_prometheus_query_language[0].query,
        alarm.conditions[0].condition_prometheus_query_language[0].disable_metric_validation,
      ]
      ] == [[
        "trefoil-dev-front-doors-silent", "dev",
        "absent_over_time(run_googleapis_com:request_count{monitored_resource=\"cloud_run_revision\", service_name=\"trefoil-dev-front-doors\", response_code_class=\"2xx\"}[600s])",
        true,
    ]]
    error_message = "An alarm goes off when no call succeeds."
  }

  assert {
    condition = [for alarm in [google_monitoring_alert_policy.errors, one(google_monitoring_alert_policy.silent)] : alarm.notification_channels] == [
      tolist(var.alarm_actions), tolist(var.alarm_actions)
    ]
    error_message = "Alarms tell the given actions."
  }

  assert {
    condition     = [google_cloudfunctions2_function.this.kms_key_name, google_cloudfunctions2_function.this.service_config[0].available_cpu] == [var.key_id, "0.5"]
    error_message = "A key of one's own encrypts it, and one request at a time takes half a processor."
  }
}

run "several_requests_on_half_a_processor_are_refused" {
  command = plan

  module {
    source = "../../modules/gcp/function"
  }

  variables {
    cpu = 0.5
  }

  expect_failures = [google_cloudfunctions2_function.this]
}

run "values_above_the_most_are_refused" {
  command = plan

  module {
    source = "../../modules/gcp/function"
  }

  variables {
    name            = join("", [for _ in range(50) : "a"])
    timeout_seconds = 3601
    instances       = { min = 8, max = 7, requests = 1001 }
    ingress         = "ALLOW_EVERYBODY"
    silent_seconds  = 90
  }

  expect_failures = [var.name, var.timeout_seconds, var.instances, var.ingress, var.silent_seconds]
}

run "a_name_with_an_underscore_is_refused" {
  command = plan

  module {
    source = "../../modules/gcp/function"
  }

  variables {
    name = "trefoil-dev-front_doors"
  }

  expect_failures = [var.name]
}

run "a_short_name_is_the_accounts_id" {
  command = plan

  module {
    source = "../../modules/gcp/account"
  }

  variables {
    description = "It acts"
  }

  assert {
    condition     = google_service_account.this.account_id == "trefoil-dev-front-doors"
    error_message = "The account is ${google_service_account.this.account_id}."
  }
}

run "a_long_name_is_shortened_to_an_accounts_id" {
  command = plan

  module {
    source = "../../modules/gcp/account"
  }

  variables {
    name        = "trefoil-production-no-front-doors"
    description = "It acts"
  }

  assert {
    condition     = google_service_account.this.account_id == "trefoil-production-no-${substr(sha256("trefoil-production-no-front-doors"), 0, 8)}"
    error_message = "The account is ${google_service_account.this.account_id}, of ${length(google_service_account.this.account_id)} characters."
  }
}
