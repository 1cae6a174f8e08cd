# Where the tests' resources lie. What is made from names is then known in a plan.

mock_data "google_project" {
  defaults = { number = "123456789012" }
}

mock_resource "google_cloudfunctions2_function" {
  defaults = {
    service_config = { uri = "https://a-function.example" }
  }
}
