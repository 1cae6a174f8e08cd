# The state that a test begins with: that of a deployment in this place.

resource "terraform_data" "place" {
  input = "123456789012/eu-central-1"
}
